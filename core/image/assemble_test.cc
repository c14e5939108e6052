#include "core/image/assemble.h"

#include "core/image/image_fixture.h"

namespace berth::image {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

class Assemble : public testing::Test {
 protected:
  Result<std::vector<std::string>> assemble_all(const std::vector<std::string>& tars, std::string (*compress)(const std::string&) = &gzip,
                                                const Limits& limits = {}) {
    EXPECT_TRUE(files::remove_tree(temporary.path() / "layout"));
    LayoutMaker layout(temporary.path() / "layout");
    layout.index({layout.image(tars, "{}", "amd64", compress)});
    image = open_layout(layout.folder(), "web.oci", {.tag = {}, .platform = "linux/amd64"});
    if (!image) return std::unexpected(image.error());
    return again(limits);
  }
  Result<std::vector<std::string>> again(const Limits& limits = {}) {
    EXPECT_TRUE(files::remove_tree(root()));
    EXPECT_TRUE(files::remove_tree(temporary.path() / "work"));
    return assemble(*image, temporary.path() / "work", root(), "srv/app", limits);
  }
  fs::path root() const { return temporary.path() / "root"; }
  std::string content(const char* path) const {
    const auto text = files::read(root() / path, 1u << 20);
    EXPECT_TRUE(text) << text.error().message;
    return text ? *text : "";
  }

  files::TemporaryDirectory temporary;
  Result<Image> image = fail(Errc::not_found, "");
};

const std::vector<std::string> kTwoLayers{
    tar_of({folder("usr"), {.path = "usr/bin/größe", .content = "one", .mode = 0755}, link("bin", "/usr/bin"), {.path = "gone", .content = "x"}}),
    tar_of({{.path = ".wh.gone"}, {.path = "bin/two", .content = "two"}, hardlink("usr/bin/three", "usr/bin/two")})};

TEST_F(Assemble, MergesLayersOfEveryCompression) {
  for (const auto compress : {&gzip, &zstd, &plain_bytes}) {
    const auto notes = assemble_all(kTwoLayers, compress);
    ASSERT_TRUE(notes) << notes.error().message;
    EXPECT_EQ(content("usr/bin/größe"), "one");
    EXPECT_EQ(content("usr/bin/two"), "two");
    EXPECT_EQ(content("usr/bin/three"), "two");
    EXPECT_EQ(fs::read_symlink(root() / "bin"), "usr/bin");
    EXPECT_FALSE(fs::exists(root() / "gone"));
    EXPECT_EQ(fs::status(root() / "usr/bin/größe").permissions(), fs::perms(0755));
    EXPECT_EQ(fs::status(root() / "usr/bin/two").permissions(), fs::perms(0644));
  }
}

TEST_F(Assemble, HasAPlaceForWhateverIsMounted) {
  ASSERT_TRUE(assemble_all({tar_of({link("etc/resolv.conf", "/run/systemd/resolve/stub-resolv.conf"), {.path = "dev/console", .type = AE_IFCHR}})}));
  for (const char* path : {"berth/config", "berth/data", "berth/run", "berth/secrets", "dev", "proc", "run", "sys", "tmp", "srv/app"})
    EXPECT_TRUE(fs::is_directory(fs::symlink_status(root() / path))) << path;
  EXPECT_TRUE(fs::is_empty(root() / "dev"));
  for (const char* path : {"etc/hosts", "etc/resolv.conf"}) EXPECT_TRUE(fs::is_regular_file(fs::symlink_status(root() / path))) << path;
  EXPECT_FALSE(fs::exists(temporary.path() / "work"));
}

TEST_F(Assemble, TellsWhatNoBuildKeeps) {
  const auto notes = assemble_all({tar_of({{.path = "./bin/su", .content = "x", .mode = 04755},
                                           {.path = "bin/ping", .content = "x", .mode = 0755, .capability = true},
                                           {.path = "etc/shadow", .content = "x", .mode = 0640},
                                           {.path = "pipe", .type = AE_IFIFO},
                                           {.path = "dev/null", .type = AE_IFCHR},
                                           {.path = "srv/app/.env", .content = "PASSWORD=x"},
                                           {.path = "venv/.env/bin/python", .content = "x"}})});
  ASSERT_TRUE(notes) << notes.error().message;
  EXPECT_THAT(*notes, ElementsAre(HasSubstr("bin/su had a setuid"), HasSubstr("bin/ping had file capabilities"),
                                  HasSubstr("2 files are devices, pipes or sockets, and are left out: pipe, dev/null"),
                                  HasSubstr("etc/shadow was closed to other users"), HasSubstr("srv/app/.env is configuration")));
  EXPECT_FALSE(fs::exists(root() / "srv/app/.env"));
  EXPECT_TRUE(fs::exists(root() / "venv/.env/bin/python"));
}

TEST_F(Assemble, RefusesALayerThatIsNotWhatTheImageNames) {
  ASSERT_TRUE(assemble_all(kTwoLayers));
  const fs::path layer = image->layers[1].file;
  const std::string whole = *files::read(layer, 1u << 20);
  for (std::size_t at = 0; at < whole.size(); at += 7) {
    std::string changed = whole;
    changed[at] ^= 0x10;
    ASSERT_TRUE(files::replace(layer, changed));
    EXPECT_THAT(again(), Fails(Errc::trust, "(layer 2): its SHA-256 is ")) << at;
  }
  ASSERT_TRUE(files::replace(layer, whole.substr(0, whole.size() / 2)));
  EXPECT_THAT(again(), Fails(Errc::trust, "(layer 2): has "));
  ASSERT_TRUE(files::replace(layer, whole));
  ASSERT_TRUE(again());
  image->layers[0].diff_id = std::string(64, '0');
  EXPECT_THAT(again(), Fails(Errc::trust, "the SHA-256 of its tar is "));
}

TEST_F(Assemble, TakesATarWhoseEndIsMissingAsUmociWritesIt) {
  const std::string tar = tar_of({{.path = "a", .content = std::string(700, 'x')}});
  ASSERT_TRUE(assemble_all({tar.substr(0, 512 + 700)}));
  EXPECT_EQ(content("a"), std::string(700, 'x'));
  EXPECT_THAT(assemble_all({tar.substr(0, 512 + 100)}), Fails(Errc::usage, "(layer 1): cannot be read"));
}

TEST_F(Assemble, IsBounded) {
  const std::vector<std::string> zeros{tar_of({{.path = "zeros", .content = std::string(3u << 20, '\0')}})};
  EXPECT_THAT(assemble_all(zeros, &gzip, {.bytes = 1u << 20}), Fails(Errc::usage, "more than 1048576 bytes"));
  EXPECT_THAT(assemble_all({tar_of({{.path = "a"}, {.path = "b"}}), tar_of({{.path = "c"}})}, &gzip, {.entries = 2}), Fails(Errc::usage, "more than 2 entries"));
  // A bomb between files, where no entry counts it.
  std::string padded = tar_of({{.path = "a"}}) + std::string(64u << 20, '\0');
  EXPECT_THAT(assemble_all({padded}, &gzip, {.bytes = 1u << 20, .entries = 10}), Fails(Errc::usage, "too large"));
}

TEST_F(Assemble, RefusesWhatLeavesTheImage) {
  EXPECT_THAT(assemble_all({tar_of({{.path = "../evil", .content = "x"}})}), Fails(Errc::usage, "'../evil' leads out of the image"));
  ASSERT_TRUE(assemble_all({tar_of({link("out", "../../../../tmp"), {.path = "out/evil", .content = "x"}})}));
  EXPECT_FALSE(fs::exists("/tmp/evil"));
  EXPECT_THAT(assemble_all({"this is no tar, but text that is long enough to be looked at by a reader of archives"}), Fails(Errc::usage, "(layer 1): "));
}

}  // namespace
}  // namespace berth::image
