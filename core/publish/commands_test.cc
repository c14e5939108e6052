#include "core/publish/commands.h"

#include "core/publish/publish_fixture.h"

namespace berth::publish {
namespace {

using bundle::Entry;
using bundle::EntryType;

class Commands : public testing::Test {
 protected:
  Result<void> check(std::vector<std::string> command, const std::string& directory = {}) {
    spec::AppSpec spec{.app = "web"};
    spec.processes["web"] = {.command = std::move(command), .directory = directory};
    return check_commands(spec, entries);
  }

  std::vector<Entry> entries{
      {.path = "bin", .type = EntryType::directory, .mode = 0755},
      {.path = "bin/current", .type = EntryType::symlink, .mode = 0777, .target = "../versions/2"},
      {.path = "bin/data", .mode = 0644},
      {.path = "bin/loop", .type = EntryType::symlink, .mode = 0777, .target = "loop"},
      {.path = "bin/server", .mode = 0755},
      {.path = "versions", .type = EntryType::directory, .mode = 0755},
      {.path = "versions/2", .type = EntryType::directory, .mode = 0755},
      {.path = "versions/2/tool", .mode = 0755},
  };
};

TEST_F(Commands, AreInTheBuildAndExecutable) {
  EXPECT_TRUE(check({"bin/server", "--anything"}));
  EXPECT_TRUE(check({"./bin/../bin//server"}));
  EXPECT_THAT(check({"bin/missing"}), Refuses(Errc::usage, "process 'web': bin/missing is not in the build"));
  EXPECT_THAT(check({"sbin/server"}), Refuses(Errc::usage, "there is bin/server"));
  EXPECT_THAT(check({"bin/data"}), Refuses(Errc::usage, "bin/data is not executable"));
  EXPECT_THAT(check({"./bin"}), Refuses(Errc::usage, "bin is a folder"));
}

TEST_F(Commands, AreNotOneWordWithSpacesInIt) {
  EXPECT_THAT(check({"python3 -m http.server"}), Refuses(Errc::usage, "process 'web': 'python3 -m http.server' is no program; it is one word with spaces in it: write each word of a command by itself"));
  EXPECT_THAT(check({"bin/server --port 80"}), Refuses(Errc::usage, "process 'web': bin/server --port 80 is not in the build; it is one word with spaces in it"));
  entries.push_back({.path = "bin/my server", .mode = 0755});
  EXPECT_TRUE(check({"my server"}));
  EXPECT_TRUE(check({"bin/my server"}));
}

TEST_F(Commands, OfTheNodeAreTheNodesBusiness) {
  EXPECT_TRUE(check({"python3", "app.py"}));
  EXPECT_TRUE(check({"/usr/bin/python3"}));
  EXPECT_TRUE(check({"${HOME}/tool"}));
}

TEST_F(Commands, AreFollowedThroughLinksOfTheBuild) {
  EXPECT_TRUE(check({"bin/current/tool"}));
  EXPECT_THAT(check({"bin/loop/tool"}), Refuses(Errc::usage, "bin/loop/tool is not in the build"));
}

TEST_F(Commands, AreLookedForFromTheProcesssFolder) {
  EXPECT_TRUE(check({"./tool"}, "versions/2"));
  EXPECT_TRUE(check({"../../bin/server"}, "versions/2"));
  EXPECT_THAT(check({"bin/server"}, "versions/2"), Refuses(Errc::usage, "versions/2/bin/server is not in the build"));
  EXPECT_THAT(check({"python3"}, "nowhere"), Refuses(Errc::usage, "nowhere is no folder of the build"));
}

TEST_F(Commands, OfAnImageAreNotLookedUpBelowWhatIsMountedThere) {
  entries.push_back({.path = "tmp/tool", .mode = 0755});
  entries.push_back({.path = "bin/there-and-back", .type = EntryType::symlink, .mode = 0777, .target = "../tmp/link"});
  entries.push_back({.path = "tmp/link", .type = EntryType::symlink, .mode = 0777, .target = "../bin/server"});
  spec::AppSpec spec{.app = "web"};
  const auto checked = [&](const std::string& program) {
    spec.processes["web"] = {.command = {program}, .root = spec::Root::image};
    return check_commands(spec, entries);
  };
  spec.variables["PATH"] = {.preset = "/tmp:/bin"};
  EXPECT_TRUE(checked("server"));
  EXPECT_THAT(checked("tool"), Refuses(Errc::usage, "tool is no program of the build in /tmp:/bin (there is tmp/tool)"));
  EXPECT_THAT(checked("there-and-back"), Refuses(Errc::usage, "there-and-back is no program of the build")) << "a link on the way is hidden as well";
}

TEST_F(Commands, OfProbesAreCheckedAsWell) {
  spec::AppSpec spec{.app = "web"};
  spec.processes["web"] = {.command = {"bin/server"}, .liveness = spec::Probe{.kind = spec::ProbeKind::exec, .command = {"bin/check"}}};
  EXPECT_THAT(check_commands(spec, entries), Refuses(Errc::usage, "process 'web', liveness probe: bin/check is not in the build"));
}

}  // namespace
}  // namespace berth::publish
