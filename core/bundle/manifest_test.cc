#include "core/bundle/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/bundle/bundle_fixture.h"

namespace berth::bundle {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

LayerRef layer(char digit) {
  const std::string hash(64, digit);
  return {.blob = {.sha256 = hash, .size = 5000}, .index = {.sha256 = hash, .size = 300}, .tar_sha256 = hash, .tar_size = 10240};
}

Manifest sample() {
  Manifest manifest{.app = "web", .environment = "production", .release = "v42"};
  manifest.builds["linux/amd64"] = {.digest = std::string(64, 'd'), .version = "1.4.2", .layer = layer('a')};
  manifest.config = layer('c');
  manifest.spec = must(spec::parse_toml(
      "app = \"web\"\n[process.web]\ncommand = [\"bin/server\"]\n[env.GREETING]\nrequired = true\n[env.TOKEN]\nsecret = true\n",
      "berth.toml"));
  manifest.variables = {{"GREETING", "hello \"world\"\\"}};
  manifest.secrets = {{"TOKEN", "file:/etc/token"}};
  manifest.requires_berthd = "0.1.0";
  manifest.features = {"socket"};
  manifest.commit = "0123abc";
  manifest.builder = "ci";
  manifest.created = "2026-11-24T09:00:00Z";
  manifest.previous = "v41";
  manifest.attachments = {{.name = "sbom.json", .blob = {.sha256 = std::string(64, 'b'), .size = 7}}};
  return manifest;
}

TEST(Manifest, IsWrittenAndReadAgain) {
  const auto parsed = parse_manifest(to_canonical_json(sample()));
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(*parsed, sample());
}

/// With a patch that takes up what it may.
Manifest with_patches() {
  Manifest manifest = sample();
  manifest.builds.begin()->second.patches = {
      {.from = std::string(64, '1'),
       .base = PatchBase::all,
       .blob = {.sha256 = std::string(64, '5'), .size = 900},
       .chunks = {std::string(64, '7')},
       .index_size = 100,
       .script_size = 2000},
      {.from = std::string(64, '2'),
       .base = PatchBase::changed,
       .blob = {.sha256 = std::string(64, '6'), .size = 800},
       .chunks = {std::string(64, '8')},
       .index_size = 90,
       .script_size = 32}};
  return manifest;
}

TEST(Manifest, WithPatchesIsWrittenAndReadAgain) {
  const std::string text = to_canonical_json(with_patches());
  const auto parsed = parse_manifest(text);
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(*parsed, with_patches());
  EXPECT_EQ(to_canonical_json(sample()).find("patches"), std::string::npos);
}

TEST(Manifest, WithAPatchThatBreaksARuleIsRefusedByName) {
  const std::string one(64, '1'), two(64, '2');
  const struct {
    std::string from, to, why;
  } kCases[] = {{"\"base\":\"all\"", "\"base\":\"some\"", "member 'base' is neither"},
                {"\"base\":\"all\"", "\"base\":\"all\",\"more\":1", "builds.linux/amd64.patches: member 'more' is not known"},
                {"\"from\":\"" + one, "\"from\":\"" + two, "not sorted by 'from', each once"},
                {"\"from\":\"" + one, "\"from\":\"" + std::string(64, 'a'), "is the build itself"},
                {"\"from\":\"1", "\"from\":\"/", "patches.from' is no SHA-256"},
                {"\"size\":900", "\"size\":0", "patches.blob.size' is 0, or too large"},
                {"\"size\":900", "\"size\":5300", "is not smaller than the layer's"},
                {"\"chunks\":[\"" + std::string(64, '7') + "\"]", "\"chunks\":[]", "chunks' are 0"},
                {"\"chunks\":[\"7", "\"chunks\":[\"x", "no SHA-256"},
                {"\"index_size\":100", "\"index_size\":900", "no room for two frames"},
                {"\"index_size\":100", "\"index_size\":0", "no room for two frames"},
                {"\"script_size\":2000", "\"script_size\":31", "script_size"},
                {"\"script_size\":2000", "\"script_size\":1000000", "script_size"},
                {"\"patches\":", "\"patches\":[],\"patches\":", "occurs twice"}};
  for (const auto& [from, to, why] : kCases) {
    const auto parsed = parse_manifest(replaced(to_canonical_json(with_patches()), from, to));
    ASSERT_FALSE(parsed) << to;
    EXPECT_EQ(parsed.error().code, Errc::trust) << to;
    EXPECT_THAT(parsed.error().message, HasSubstr(why)) << to;
  }
  Manifest many = with_patches();
  many.builds.begin()->second.patches.resize(kMostPatches + 1);
  EXPECT_THAT(check(many).error().message, HasSubstr("are too many"));
  Manifest none = sample();
  EXPECT_FALSE(parse_manifest(replaced(to_canonical_json(none), "\"version\":\"1.4.2\"", "\"patches\":[],\"version\":\"1.4.2\"")));
  Manifest large = with_patches();
  large.builds.begin()->second.layer.tar_size = 2 * kLargestPatched;
  EXPECT_THAT(check(large).error().message, HasSubstr("too large to have any"));
}

/// Each makes one change in the canonical form.
TEST(Manifest, ThatBreaksARuleIsRefusedByName) {
  const struct {
    const char *from, *to, *why;
  } kCases[] = {{R"("format":1)", R"("format":2)", "member 'format' is 2"},
                {R"("format":1)", R"("format":1,"more":1)", "member 'more' is not known"},
                {R"("format":1)", R"("format": 1)", "is not in canonical form"},
                {R"("format":1)", R"("format":1,"format":1)", "occurs twice"},
                {R"("commit":"0123abc",)", "", "member 'commit' is missing"},
                {R"("commit":"0123abc")", R"("commit":1)", "member 'commit' is not a string"},
                {R"("app":"web")", R"("app":"../web")", "member 'app' is no name of an app"},
                {R"("app":"web","attachments")", R"("app":"other","attachments")", "is of app 'web', and the release of 'other'"},
                {R"("environment":"production")", R"("environment":"Production")", "member 'environment'"},
                {R"("release":"v42")", R"("release":"../v42")", "member 'release'"},
                {R"("previous":"v41")", R"("previous":"/v41")", "member 'previous'"},
                {R"("created":"2026-11-24T09:00:00Z")", R"("created":"yesterday")", "member 'created'"},
                {R"("requires_berthd":"0.1.0")", R"("requires_berthd":"0.1")", "member 'requires_berthd'"},
                {R"("requires_berthd":"0.1.0")", R"("requires_berthd":"0.1.0.0")", "member 'requires_berthd'"},
                {R"("linux/amd64")", R"("amd64")", "is no platform"},
                {R"("digest":"dd)", R"("digest":"Dd)", "builds.linux/amd64.digest' is no SHA-256"},
                {R"("version":"1.4.2")", R"("version":"1.4.2","x":1)", "manifest: builds.linux/amd64: member 'x' is not known"},
                {R"("blob":{"sha256":"aa)", R"("blob":{"sha256":"xa)", "builds.linux/amd64.layer.blob.sha256'"},
                {R"("size":5000)", R"("size":0)", "blob.size' is 0, or too large"},
                {R"("size":5000)", R"("size":"5000")", "member 'size' is not an integer"},
                {R"("size":5000)", R"("size":18446744073709551615)", "does not fit 64 bits"},
                {R"("tar_size":10240)", R"("tar_size":10241)", "is not the size of a tar"},
                {R"("size":300)", R"("size":999999999)", "index.size' is too large"},
                {R"("GREETING":"hello)", R"("GREETNG":"hello)", "sets 'GREETNG', which the app does not declare"},
                {R"("variables":{"GREETING":"hello \"world\"\\"})", R"("variables":{})", "has no 'GREETING', which the app requires"},
                {R"("GREETING":"hello)", R"("TOKEN":"x","GREETING":"hello)", "holds the secret 'TOKEN' itself"},
                {R"("GREETING":"hello)", R"("GREETING":"a\nhello)", "control characters"},
                {R"("TOKEN":"file:/etc/token")", R"("TOKEN":"hunter2")", "no reference such as file:/etc/secret for 'TOKEN'"},
                {R"("TOKEN":"file:/etc/token")", R"("TOKEN":"file:/etc/token","GREETING":"env:X")",
                 "has 'GREETING', which is among the variables, too"},
                {R"("features":["socket"])", R"("features":["socket","port"])", "member 'features' are not sorted"},
                {R"("features":["socket"])", R"("features":[1])", "member 'features' is not a list of strings"},
                {R"("name":"sbom.json")", R"("name":"../sbom.json")", "member 'attachments' have a name"},
                {R"("instances":1)", R"("instances":1000)", "member 'instances' is 1000"},
                {R"("command":["bin/server"])", R"("command":[])", "manifest: spec: 'command' in [process.web] must name a program"}};
  for (const auto& [from, to, why] : kCases) {
    const auto parsed = parse_manifest(replaced(to_canonical_json(sample()), from, to));
    ASSERT_FALSE(parsed) << to;
    EXPECT_EQ(parsed.error().code, Errc::trust) << to;
    EXPECT_THAT(parsed.error().message, StartsWith("manifest")) << to;
    EXPECT_THAT(parsed.error().message, HasSubstr(why)) << to;
  }
}

/// A node that was not upgraded must be told so, whatever it stumbles over first.
TEST(Manifest, OfANewerBerthIsRefusedForThatAndNotForWhatIsUnknown) {
  const struct {
    const char *from, *to;
  } kCases[] = {{R"("format":1)", R"("format":2)"},
                {R"("format":1)", R"("format":1,"more":1)"},
                {R"("from":)", R"("dictionary":"x","from":)"},
                {R"("base":"all")", R"("base":"several")"},
                {R"("instances":1)", R"("instances":1,"more":1)"},
                {R"("commit":"0123abc",)", ""}};
  const std::string text = to_canonical_json(with_patches());
  for (const auto& [from, to] : kCases) {
    const std::string changed = replaced(text, from, to);
    ASSERT_NE(changed, text) << from;
    const auto refused = parse_manifest(replaced(changed, R"("requires_berthd":"0.1.0")", R"("requires_berthd":"99.1.0")"));
    ASSERT_FALSE(refused) << to;
    EXPECT_EQ(refused.error().code, Errc::trust) << to;
    EXPECT_THAT(refused.error().message, StartsWith("manifest: requires berthd 99.1.0, and this is " BERTH_VERSION ": upgrade berth here (manifest: ")) << to;
    EXPECT_THAT(parse_manifest(changed).error().message, Not(HasSubstr("upgrade"))) << to;
  }
}

TEST(Manifest, TellsWhatItNeedsAndWhatMakesItSmaller) {
  Manifest manifest = with_patches();
  manifest.builds.begin()->second.layer.index.sha256 = std::string(64, 'e');
  manifest.config.index.sha256 = std::string(64, 'f');
  const auto needed = blobs_of(manifest), all = blobs_and_patches_of(manifest);
  const BuildRef& build = manifest.builds.begin()->second;
  for (const BlobRef& blob : {build.layer.blob, build.layer.index, manifest.config.blob, manifest.config.index, manifest.attachments.front().blob})
    EXPECT_EQ(needed.at(blob.sha256), blob);
  for (const PatchRef& patch : build.patches) {
    EXPECT_FALSE(needed.contains(patch.blob.sha256));
    EXPECT_EQ(all.at(patch.blob.sha256), patch.blob);
  }
}

TEST(Manifest, WithoutBuildsIsRefused) {
  Manifest manifest = sample();
  manifest.builds.clear();
  EXPECT_FALSE(check(manifest));
  EXPECT_FALSE(parse_manifest(to_canonical_json(manifest)));
}

TEST(Manifest, ThatIsNoManifestIsRefused) {
  for (const char* text : {"", "{}", "[]", "null", "{\"format\":1}"}) EXPECT_EQ(parse_manifest(text).error().code, Errc::trust) << text;
  EXPECT_EQ(parse_manifest(std::string(kLargestManifest + 1, ' ')).error().code, Errc::trust);
}

TEST(Manifest, NamesItsPlacesInTheRepository) {
  EXPECT_EQ(target_name("web", "production", "v42"), "web/production/v42.json");
  EXPECT_EQ(blob_path("ab12"), "blobs/sha256/ab12");
}

TEST(Manifest, GivesTheBuildOfAPlatform) {
  Manifest manifest = sample();
  EXPECT_EQ(must(build_for(manifest, "linux/amd64")).version, "1.4.2");
  const auto missing = build_for(manifest, "linux/arm64");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Errc::trust);
  EXPECT_EQ(missing.error().message, "web/production@v42: is built for linux/amd64, and this machine is linux/arm64");
  manifest.builds["any"] = {.digest = std::string(64, 'e'), .version = "any", .layer = layer('f')};
  EXPECT_EQ(must(build_for(manifest, "linux/arm64")).version, "any");
  EXPECT_EQ(must(build_for(manifest, "linux/amd64")).version, "1.4.2");
}

TEST(Manifest, IsForABerthdThatIsNewEnoughAndCanDoWhatItNeeds) {
  Manifest manifest = sample();
  manifest.features.clear();
  manifest.requires_berthd = "0.9.12";
  for (const char* version : {"0.9.12", "0.9.13", "0.10.0", "1.0.0"}) EXPECT_TRUE(check_requirements(manifest, version)) << version;
  for (const char* version : {"0.9.11", "0.9.2", "0.1.0"}) {
    const auto refused = check_requirements(manifest, version);
    ASSERT_FALSE(refused) << version;
    EXPECT_EQ(refused.error().code, Errc::trust);
    EXPECT_THAT(refused.error().message, HasSubstr("requires berthd 0.9.12"));
  }
  manifest.features = {"teleport"};
  const auto refused = check_requirements(manifest, "1.0.0");
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("needs 'teleport'"));
}

}  // namespace
}  // namespace berth::bundle
