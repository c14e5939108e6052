#include "daemon/deploy/confinement.h"

#include <gmock/gmock.h>

namespace berth::deploy {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using System = spec::Sandbox::System;
using Home = spec::Sandbox::Home;

/// As the keeper is told: "ro? /boot".
std::vector<std::string> told(const spec::Sandbox& sandbox, const std::vector<std::string>& writable = {}, const std::vector<std::string>& readable = {}) {
  std::vector<std::string> all;
  for (const keeper::Confinement& one : confinement_of(sandbox, writable, readable)) all.push_back(keeper::to_string(one));
  return all;
}

TEST(ConfinementOfASandbox, IsNothingWhereItSaysNothingOfPaths) {
  EXPECT_THAT(told({}, {"/data"}, {"/slot"}), IsEmpty());
  EXPECT_THAT(told({.memory_deny_write_execute = true, .umask = 027}, {"/data"}), IsEmpty());
}

TEST(ConfinementOfASandbox, ProtectsWhatSystemdDoes) {
  EXPECT_THAT(told({.protect_system = System::yes}), ElementsAre("ro /usr", "ro? /boot", "ro? /efi"));
  EXPECT_THAT(told({.protect_system = System::full}), ElementsAre("ro /usr", "ro? /boot", "ro? /efi", "ro /etc"));
  EXPECT_THAT(told({.protect_system = System::strict}), ElementsAre("ro /", "rw /dev", "rw /proc", "rw /sys"));
  EXPECT_THAT(told({.protect_home = Home::yes}), ElementsAre("hide? /home", "hide? /root", "hide? /run/user"));
  EXPECT_THAT(told({.protect_home = Home::read_only}), ElementsAre("ro? /home", "ro? /root", "ro? /run/user"));
  EXPECT_THAT(told({.protect_home = Home::tmpfs}), ElementsAre("empty? /home", "empty? /root", "empty? /run/user"));
  EXPECT_THAT(told({.private_tmp = true}), ElementsAre("memory? /tmp", "memory? /var/tmp"));
  EXPECT_THAT(told({.private_devices = true}), ElementsAre("devices /dev", "rw? /dev/null", "rw? /dev/zero", "rw? /dev/full", "rw? /dev/random", "rw? /dev/urandom",
                                                           "rw? /dev/tty", "rw? /dev/pts", "rw? /dev/shm", "rw? /dev/mqueue", "rw? /dev/hugepages", "rw? /dev/log"));
  EXPECT_THAT(told({.protect_system = System::strict, .private_devices = true}), testing::Contains("devices /dev")) << "also where it else stays what it is";
  EXPECT_THAT(told({.protect_system = System::strict, .private_devices = true}), testing::Not(testing::Contains("rw /dev")));
}

TEST(ConfinementOfASandbox, DoesWhatLiesInSomethingElseAfterIt) {
  EXPECT_THAT(told({.read_only_paths = {"/a", "/a/b/c"}, .read_write_paths = {"/a/b", "-/x"}, .inaccessible_paths = {"/a/b/c/d"}}),
              ElementsAre("rw? /x", "ro /a", "rw /a/b", "ro /a/b/c", "hide /a/b/c/d"));
}

TEST(ConfinementOfASandbox, TakesTheStricterWhereOnePathIsSaidTwice) {
  EXPECT_THAT(told({.read_only_paths = {"/a", "/b"}, .read_write_paths = {"/a", "/c"}, .inaccessible_paths = {"/b", "/c"}}), ElementsAre("ro /a", "hide /b", "hide /c"));
}

TEST(ConfinementOfASandbox, LeavesTheAppItsOwnFoldersUnlessItNamesThem) {
  EXPECT_THAT(told({.private_tmp = true}, {"/tmp/data"}, {"/tmp/slot"}), ElementsAre("memory? /tmp", "memory? /var/tmp", "ro? /tmp/slot", "rw? /tmp/data"));
  EXPECT_THAT(told({.read_only_paths = {"/data"}}, {"/data"}), ElementsAre("ro /data"));
}

}  // namespace
}  // namespace berth::deploy
