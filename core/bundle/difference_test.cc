#include "core/bundle/difference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace berth::bundle {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Entry file(const std::string& path, const std::string& sha256, std::uint32_t mode = 0644) {
  return {.path = path, .type = EntryType::file, .mode = mode, .size = 3, .sha256 = sha256, .target = {}};
}

struct Release {
  Manifest manifest;
  BuildRef build;
  std::vector<Entry> app, config;

  Release() {
    manifest.spec.processes["web"].command = {"bin/run"};
    manifest.variables = {{"GREETING", "hello"}, {"OLD", "1"}};
    manifest.secrets = {{"TOKEN", "file:/etc/token"}};
    app = {file("bin", "aa"), file("gone", "bb"), file("same", "cc")};
  }
  Side side() const { return {.manifest = manifest, .build = build, .app = app, .config = config}; }
};

TEST(Difference, OfTheSameReleaseIsNone) {
  Release one, other;
  other.manifest.release = "v2";
  other.manifest.created = "2030-01-01T00:00:00Z";
  other.manifest.previous = "v1";
  EXPECT_THAT(difference(one.side(), other.side()), IsEmpty());
}

TEST(Difference, NamesFilesVariablesSecretsAndPlacesOfTheSpec) {
  Release one, other;
  other.build.digest = "d";
  other.manifest.variables = {{"GREETING", "hi"}, {"NEW", "2"}};
  other.manifest.secrets["TOKEN"] = "file:/etc/other";
  other.manifest.spec.processes["web"].instances = 2;
  other.app = {file("bin", "aa", 0755), file("new", "dd"), file("same", "cc")};
  other.config = {file("settings", "ee")};
  using Kind = Change::Kind;
  EXPECT_THAT(difference(one.side(), other.side()),
              ElementsAre(Change{Kind::changed, "build", "", "", "d"}, Change{Kind::changed, "variable", "GREETING", "hello", "hi"},
                          Change{Kind::added, "variable", "NEW", "", "2"}, Change{Kind::removed, "variable", "OLD", "1", ""},
                          Change{Kind::changed, "secret", "TOKEN", "file:/etc/token", "file:/etc/other"},
                          Change{Kind::changed, "spec", "process.web.instances", "1", "2"},
                          Change{Kind::added, "configuration", "settings", "", "3 bytes, 0644, ee"},
                          Change{Kind::changed, "file", "bin", "3 bytes, 0644, aa", "3 bytes, 0755, aa"},
                          Change{Kind::removed, "file", "gone", "3 bytes, 0644, bb", ""}, Change{Kind::added, "file", "new", "", "3 bytes, 0644, dd"}));
}

}  // namespace
}  // namespace berth::bundle
