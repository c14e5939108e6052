#include "core/image/layout.h"

#include "core/image/image_fixture.h"

namespace berth::image {
namespace {

using testing::SizeIs;

const std::string kWebTar = tar_of({{.path = "bin/web", .content = "program", .mode = 0755}});

std::string platform(const std::string& architecture, const std::string& more = {}) {
  return fmt::format(R"(,"platform":{{"os":"linux","architecture":"{}"{}}})", architecture, more);
}
std::string tagged(const std::string& name) { return fmt::format(R"(,"annotations":{{"org.opencontainers.image.ref.name":"{}"}})", name); }

constexpr const char* kGzip = "application/vnd.oci.image.layer.v1.tar+gzip";

class LayoutTest : public testing::Test {
 protected:
  Result<Image> open(const std::string& wanted = "linux/amd64", const std::string& tag = {}, bool said = false) {
    return open_layout(layout.folder(), "web.oci", {.tag = tag, .platform = wanted, .said = said});
  }
  files::TemporaryDirectory temporary;
  LayoutMaker layout{temporary.path() / "layout"};
};

TEST_F(LayoutTest, HasAnImageWithItsLayers) {
  EXPECT_EQ(form_of(layout.folder()), Form::layout);
  EXPECT_EQ(form_of(temporary.path()), Form::none);
  layout.index({layout.image({kWebTar, tar_of({folder("x")})}, R"({"Cmd":["/bin/web"]})")});
  const auto image = open();
  ASSERT_TRUE(image) << image.error().message;
  EXPECT_THAT(image->layers, SizeIs(2));
  EXPECT_EQ(image->layers[0].diff_id, crypto::sha256_hex(kWebTar));
  EXPECT_EQ(image->config.command, std::vector<std::string>{"/bin/web"});
}

TEST_F(LayoutTest, ThePlatformIsChosenAlsoThroughNestedIndexes) {
  const std::string inner = layout.blob(
      LayoutMaker::index_text({layout.image({kWebTar}, R"({"User":"one"})", "amd64", &gzip, kGzip, platform("amd64")),
                               layout.image({kWebTar}, R"({"User":"two"})", "arm64", &gzip, kGzip, platform("arm64", R"(,"variant":"v8")"))}),
      "application/vnd.oci.image.index.v1+json", tagged("latest"));
  layout.index({inner});
  ASSERT_TRUE(open("linux/amd64"));
  EXPECT_EQ(open("linux/amd64")->config.user, "one");
  EXPECT_EQ(open("linux/arm64")->config.user, "two");
  EXPECT_TRUE(open("linux/amd64", "latest"));
  EXPECT_THAT(open("linux/s390x"), Fails(Errc::usage, "web.oci: holds no image for linux/s390x, which is this machine's platform, but for linux/amd64, linux/arm64/v8"));
}

TEST_F(LayoutTest, AnImageOfAnotherPlatformIsRefused) {
  layout.index({layout.image({kWebTar}, "{}", "arm64")});
  EXPECT_THAT(open("linux/amd64"), Fails(Errc::usage, "holds no image for linux/amd64, which is this machine's platform, but for linux/arm64; --platform"));
  EXPECT_TRUE(open("linux/arm64", "", true));
  layout.index({layout.image({kWebTar}, "{}", "arm64", &gzip, kGzip, platform("amd64"))});
  EXPECT_THAT(open("linux/amd64"), Fails(Errc::usage, "web.oci: the image is for linux/arm64, and not for linux/amd64"));
}

TEST_F(LayoutTest, OfSeveralImagesATagChooses) {
  const std::string one = layout.image({kWebTar}, R"({"User":"one"})", "amd64", &gzip, kGzip, tagged("1.0"));
  const std::string two = layout.image({kWebTar}, R"({"User":"two"})", "amd64", &gzip, kGzip, tagged("2.0"));
  const std::string two_again = layout.image({kWebTar}, R"({"User":"two"})", "amd64", &gzip, kGzip, tagged("latest"));
  layout.index({one, two});
  EXPECT_THAT(open(), Fails(Errc::usage, "web.oci: holds several images; say which by --tag: 1.0, 2.0"));
  EXPECT_EQ(open("linux/amd64", "2.0")->config.user, "two");
  EXPECT_THAT(open("linux/amd64", "3.0"), Fails(Errc::usage, "has no image '3.0'; there is: 1.0, 2.0"));
  layout.index({two, two_again});
  EXPECT_TRUE(open()) << "two names of one image";
}

TEST_F(LayoutTest, WhatIsMissingOrChangedIsNamed) {
  layout.index({layout.image({kWebTar})});
  const auto image = open();
  ASSERT_TRUE(image);
  const fs::path layer = image->layers[0].file;
  fs::rename(layer, layer.string() + ".gone");
  EXPECT_THAT(open(), Fails(Errc::trust, layer.filename().string() + " (layer 1): is missing"));
  fs::rename(layer.string() + ".gone", layer);

  for (const auto& entry : fs::directory_iterator(layout.folder() / "blobs/sha256")) {
    if (entry.path() == layer) continue;
    const std::string whole = *files::read(entry.path(), 1u << 20);
    std::string changed = whole;
    changed[changed.size() / 2] ^= 1;
    ASSERT_TRUE(files::replace(entry.path(), changed));
    EXPECT_THAT(open(), Fails(Errc::trust, entry.path().filename().string() + ": has "));
    ASSERT_TRUE(files::replace(entry.path(), whole));
  }
  layout.put("index.json", "{");
  EXPECT_THAT(open(), Fails(Errc::usage, "web.oci: index.json"));
  layout.index({});
  EXPECT_THAT(open(), Fails(Errc::usage, "lists no image"));
}

TEST_F(LayoutTest, IndexesInIndexesAreBounded) {
  std::string inner = layout.image({kWebTar});
  for (int i = 0; i < 5; ++i) inner = layout.blob(LayoutMaker::index_text({inner}), "application/vnd.oci.image.index.v1+json");
  layout.index({inner});
  EXPECT_THAT(open(), Fails(Errc::usage, "more than 4 deep"));
}

TEST_F(LayoutTest, IndexesThatListOneOverAndOverAreBounded) {
  std::string inner = layout.blob(LayoutMaker::index_text({}), "application/vnd.oci.image.index.v1+json");
  for (int i = 0; i < 2; ++i)
    inner = layout.blob(LayoutMaker::index_text(std::vector<std::string>(100, inner)), "application/vnd.oci.image.index.v1+json");
  layout.index({inner});
  EXPECT_THAT(open(), Fails(Errc::usage, "lists more than 256 indexes"));
}

class SavedTest : public testing::Test {
 protected:
  SavedTest() {
    EXPECT_TRUE(files::make_directories(folder() / "layer1"));
    put("layer1/layer.tar", kWebTar);
    const std::string config = fmt::format(R"({{"os":"linux","architecture":"amd64","config":{{"Cmd":["/bin/web"]}},"rootfs":{{"diff_ids":["sha256:{}"]}}}})",
                                           crypto::sha256_hex(kWebTar));
    config_name = crypto::sha256_hex(config) + ".json";
    put(config_name, config);
    manifest({"web:1.0"});
  }
  fs::path folder() const { return temporary.path() / "saved"; }
  void put(const std::string& name, const std::string& content) { EXPECT_TRUE(files::replace(folder() / name, content)); }
  void manifest(const std::vector<std::string>& tags, const std::string& layer = "layer1/layer.tar") {
    std::string list;
    for (const auto& tag : tags)
      list += fmt::format(R"({}{{"Config":"{}","RepoTags":["{}"],"Layers":["{}"]}})", list.empty() ? "" : ",", config_name, tag, layer);
    put("manifest.json", "[" + list + "]");
  }
  Result<Image> open(const std::string& tag = {}) { return open_saved(folder(), "web.tar", {.tag = tag, .platform = "linux/amd64"}); }

  files::TemporaryDirectory temporary;
  std::string config_name;
};

TEST_F(SavedTest, IsAnImage) {
  EXPECT_EQ(form_of(folder()), Form::saved);
  const auto image = open();
  ASSERT_TRUE(image) << image.error().message;
  EXPECT_EQ(image->layers[0].diff_id, crypto::sha256_hex(kWebTar));
  put("manifest.json", R"({"name": "a web app's manifest"})");
  EXPECT_EQ(form_of(folder()), Form::none);
}

TEST_F(SavedTest, OfSeveralATagChooses) {
  manifest({"web:1.0", "web:2.0"});
  EXPECT_THAT(open(), Fails(Errc::usage, "holds several images; say which by --tag: web:1.0, web:2.0"));
  EXPECT_TRUE(open("2.0"));
  EXPECT_TRUE(open("web:2.0"));
  EXPECT_THAT(open("web"), Fails(Errc::usage, "has no image 'web'"));
}

TEST_F(SavedTest, FilesThatAreMissingChangedOrElsewhereAreRefused) {
  manifest({"web:1.0"}, "layer2/layer.tar");
  EXPECT_THAT(open(), Fails(Errc::trust, "layer2/layer.tar (layer 1): is missing"));
  EXPECT_TRUE(files::replace(temporary.path() / "secret", "x"));
  manifest({"web:1.0"}, "../secret");
  EXPECT_THAT(open(), Fails(Errc::usage, "../secret (layer 1): is no file of it"));
  manifest({"web:1.0"});
  put(config_name, "{}");
  EXPECT_THAT(open(), Fails(Errc::trust, "is not what its digest says"));
}

}  // namespace
}  // namespace berth::image
