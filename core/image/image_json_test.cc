#include "core/image/image_json.h"

#include "core/image/image_fixture.h"

namespace berth::image {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const std::string kDigest(64, 'a');

std::string descriptor(const std::string& type, const std::string& more = {}) {
  return fmt::format(R"({{"mediaType":"{}","digest":"sha256:{}","size":7{}}})", type, kDigest, more);
}

const std::string kImageManifest = "application/vnd.oci.image.manifest.v1+json";

TEST(ImageJson, AnIndexListsImagesAndNoAttachments) {
  const std::string text = LayoutMaker::index_text(
      {descriptor(kImageManifest, R"(,"platform":{"os":"linux","architecture":"arm","variant":"v7"},"annotations":{"org.opencontainers.image.ref.name":"latest"})"),
       descriptor(kImageManifest, R"(,"platform":{"os":"unknown","architecture":"unknown"})"),
       descriptor(kImageManifest, R"(,"annotations":{"vnd.docker.reference.type":"attestation-manifest"})"),
       descriptor(kImageManifest, R"(,"platform":null)")});
  const auto found = parse_index(text, "index.json");
  ASSERT_TRUE(found) << found.error().message;
  ASSERT_EQ(found->size(), 2u);
  EXPECT_EQ((*found)[0], (Descriptor{.media_type = kImageManifest,
                                     .sha256 = kDigest,
                                     .size = 7,
                                     .platform = {.os = "linux", .architecture = "arm", .variant = "v7"},
                                     .tag = "latest"}));
  EXPECT_EQ(to_string((*found)[0].platform), "linux/arm/v7");
  EXPECT_TRUE((*found)[1].platform.empty());
}

TEST(ImageJson, WhatIsNoImageIsNamed) {
  const std::string config = descriptor("application/vnd.oci.image.config.v1+json");
  const auto manifest = [&](const std::string& its_config, const std::string& layers) {
    return parse_manifest(fmt::format(R"({{"schemaVersion":2,"config":{},"layers":[{}]}})", its_config, layers), "m");
  };
  EXPECT_TRUE(manifest(config, ""));
  EXPECT_THAT(manifest(descriptor("application/vnd.cncf.helm.config.v1+json"), ""), Fails(Errc::usage, "is no container image, but holds 'application/vnd.cncf"));
  EXPECT_THAT(manifest(config, descriptor("application/vnd.oci.image.layer.v1.tar+gzip+encrypted")), Fails(Errc::usage, "layer 1 is 'application/vnd.oci"));
  EXPECT_THAT(parse_manifest(R"({"schemaVersion":1,"fsLayers":[]})", "m"), Fails(Errc::usage, "gave up in 2017"));
  EXPECT_THAT(parse_manifest(R"({"layers":[]})", "m"), Fails(Errc::usage, "m: names no config"));
  EXPECT_THAT(parse_manifest("[]", "m"), Fails(Errc::usage, "m: is not an object"));
  EXPECT_THAT(parse_manifest("{", "m"), Fails(Errc::usage, "m: "));
  EXPECT_THAT(parse_index(R"({"manifests":[{"mediaType":"x","digest":"sha512:00","size":1}]})", "i"), Fails(Errc::usage, "'sha512:00' is no digest"));
  EXPECT_THAT(parse_index(R"({"manifests":[{"mediaType":"x","digest":"sha256:../../etc","size":1}]})", "i"), Fails(Errc::usage, "is no digest"));
  EXPECT_THAT(parse_index(R"({"manifests":[{"mediaType":"x","digest":1,"size":1}]})", "i"), Fails(Errc::usage, "'digest' is not a string"));
  EXPECT_THAT(parse_index("{}", "i"), Fails(Errc::usage, "'manifests' is missing"));
  EXPECT_THAT(parse_saved("[]", "s"), Fails(Errc::usage, "is no list of images"));
  EXPECT_THAT(parse_saved(R"([{"Config":"c"}, 7])", "s"), Fails(Errc::usage, "s: is not an object"));
  EXPECT_THAT(parse_config(R"({"os":"linux","architecture":"amd64"})", "c"), Fails(Errc::usage, "'rootfs' is missing"));
  EXPECT_THAT(parse_config(R"({"os":"linux","architecture":"amd64","rootfs":{"diff_ids":["md5:1"]}})", "c"), Fails(Errc::usage, "'md5:1' is no digest"));
  EXPECT_THAT(parse_config(R"({"os":"linux","architecture":"amd64","config":{"Cmd":"server"},"rootfs":{}})", "c"), Fails(Errc::usage, "'Cmd' is not a list"));
}

TEST(ImageJson, AConfigIsReadAsGoWritesIt) {
  const auto config = parse_config(R"({"architecture":"arm64","variant":"v8","os":"linux","created":"2024-01-01T00:00:00Z","moby.x":1.5,
    "config":{"User":"nginx","ExposedPorts":{"8443/tcp":{},"80/tcp":{}},"Env":["PATH=/bin","A=b=c"],"Entrypoint":null,"Cmd":["nginx","-g"],
      "Volumes":{"/data":{}},"WorkingDir":"/srv","StopSignal":"SIGQUIT","Labels":{"a":"b"},"OnBuild":null,
      "Healthcheck":{"Test":["CMD","check"],"Interval":5000000000,"Retries":2}},
    "rootfs":{"type":"layers","diff_ids":["sha256:)" + kDigest + R"("]},"history":[{"created_by":"x"}]})",
                                   "config");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->platform, (Platform{"linux", "arm64", "v8"}));
  EXPECT_TRUE(config->platform.is("linux/arm64"));
  EXPECT_THAT(config->entrypoint, IsEmpty());
  EXPECT_THAT(config->command, ElementsAre("nginx", "-g"));
  EXPECT_THAT(config->environment, ElementsAre("PATH=/bin", "A=b=c"));
  EXPECT_THAT(config->ports, ElementsAre("80/tcp", "8443/tcp"));
  EXPECT_THAT(config->volumes, ElementsAre("/data"));
  EXPECT_EQ(std::tuple(config->user, config->directory, config->stop_signal), std::tuple("nginx", "/srv", "SIGQUIT"));
  ASSERT_TRUE(config->health);
  EXPECT_EQ(config->health->interval, std::chrono::seconds(5));
  EXPECT_EQ(config->health->timeout, std::nullopt);
  EXPECT_EQ(config->health->retries, 2);
  EXPECT_THAT(config->diff_ids, ElementsAre(kDigest));
}

}  // namespace
}  // namespace berth::image
