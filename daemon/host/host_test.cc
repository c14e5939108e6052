#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/files/files.h"
#include "daemon/host/cgroup.h"
#include "daemon/host/disks.h"
#include "daemon/host/memory.h"
#include "daemon/host/programs.h"
#include "daemon/host/service_manager.h"

namespace berth::host {
namespace {

void write(const fs::path& file, const std::string& text, mode_t mode = 0644) {
  fs::create_directories(file.parent_path());
  std::ofstream(file) << text;
  ::chmod(file.c_str(), mode);
}

TEST(Programs, OfABuildTreeAreBesideBerthd) {
  const files::TemporaryDirectory tree;
  write(tree.path() / "daemon/keeper/berth-keeper", "", 0755);
  EXPECT_EQ(find_programs(tree.path() / "daemon/berthd", "/usr/libexec/berth").keeper, tree.path() / "daemon/keeper/berth-keeper");
  EXPECT_EQ(find_programs(tree.path() / "daemon/berthd", "/usr/libexec/berth").unpack, tree.path() / "daemon/unpack/berth-unpack");
  EXPECT_EQ(find_programs("/usr/sbin/berthd", "/usr/libexec/berth").keeper, "/usr/libexec/berth/berth-keeper");
}

TEST(Programs, AndTheConfigurationAreInThePrefixThatBerthdIsInstalledIn) {
  const files::TemporaryDirectory prefix;
  const fs::path self = prefix.path() / "sbin/berthd";
  EXPECT_EQ(find_programs(self, "/usr/libexec/berth").keeper, "/usr/libexec/berth/berth-keeper");
  EXPECT_EQ(find_config(self, "/etc/berth/berthd.toml"), "/etc/berth/berthd.toml");
  write(prefix.path() / "libexec/berth/berth-keeper", "", 0755);
  write(prefix.path() / "etc/berth/berthd.toml", "");
  EXPECT_EQ(find_programs(self, "/usr/libexec/berth").keeper, prefix.path() / "libexec/berth/berth-keeper");
  EXPECT_EQ(find_programs(self, "/usr/libexec/berth").unpack, prefix.path() / "libexec/berth/berth-unpack");
  EXPECT_EQ(find_config(self, "/etc/berth/berthd.toml"), prefix.path() / "etc/berth/berthd.toml");
}

TEST(Programs, OfAClientTheConfigurationIsThatOfTheBerthdBesideIt) {
  const fs::path built_for = "/nonexistent/etc/berth/berthd.toml";
  EXPECT_EQ(find_config_of_client("/nonexistent/bin/berth", "/nonexistent/bin", built_for), built_for);
  EXPECT_EQ(find_config_of_client("/nonexistent/elsewhere/bin/berth", "/nonexistent/bin", built_for), "/etc/berth/berthd.toml") << "where packages have it";
  const files::TemporaryDirectory prefix;
  write(prefix.path() / "etc/berth/berthd.toml", "");
  EXPECT_EQ(find_config_of_client(prefix.path() / "bin/berth", "/nonexistent/bin", built_for), prefix.path() / "etc/berth/berthd.toml");
}

TEST(WorkerUserChoice, IsItsOwnWhereThereIsOneAndElseNobodyOfWhomIsWarned) {
  const WorkerUser own = worker_user("bin");
  EXPECT_FALSE(own.is_nobody);
  EXPECT_NE(own.uid, 65534U);
  EXPECT_EQ(complaint_of(own), "");
  const WorkerUser missing = worker_user("berth-no-such-user");
  EXPECT_TRUE(missing.is_nobody);
  EXPECT_EQ(missing.uid, 65534U);
  EXPECT_EQ(missing.gid, 65534U);
  EXPECT_THAT(complaint_of(missing), testing::AllOf(testing::HasSubstr("no user 'berth-unpack'"), testing::HasSubstr("systemd-sysusers")));
}

TEST(Programs, OneThatIsMissingIsNamedWithItsOption) {
  const files::TemporaryDirectory tree;
  const Programs programs{tree.path() / "keeper", tree.path() / "unpack"};
  write(programs.keeper, "", 0755);
  const auto checked = check_programs(programs);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code, Errc::usage);
  EXPECT_THAT(checked.error().message, testing::AllOf(testing::HasSubstr(programs.unpack.string()), testing::HasSubstr("--unpack")));
  write(programs.unpack, "", 0755);
  EXPECT_TRUE(check_programs(programs));
}

/// KiB of the code that this process has in memory.
std::size_t resident_code() {
  std::ifstream maps("/proc/self/smaps");
  std::size_t sum = 0;
  bool is_code = false;
  for (std::string line; std::getline(maps, line);) {
    if (line.find(" r-xp ") != std::string::npos) is_code = true;
    else if (line.find("-p ") != std::string::npos) is_code = false;
    if (is_code && line.starts_with("Rss:")) sum += std::strtoul(line.c_str() + 4, nullptr, 10);
  }
  return sum;
}

TEST(Memory, CodeThatHasRunIsGivenBackAndRunsAgain) {
  const std::size_t before = resident_code();
  give_back_memory();
  const std::size_t after = resident_code();
  EXPECT_GT(before, after);
  EXPECT_GT(after, 0u) << "what reads this runs";
}

TEST(Cgroup, IsFoundAmongTheMounts) {
  EXPECT_EQ(cgroup2_mount("24 29 0:22 / /sys/fs/cgroup ro - tmpfs tmpfs ro\n30 24 0:26 / /sys/fs/cgroup/unified rw shared:5 - cgroup2 cgroup2 rw\n"),
            "/sys/fs/cgroup/unified");
  EXPECT_FALSE(cgroup2_mount("24 29 0:22 / /sys/fs/cgroup rw - cgroup cgroup rw,memory\n"));
  EXPECT_FALSE(cgroup2_mount(""));
}

TEST(Cgroup, WithoutControllersThereIsNone) {
  const files::TemporaryDirectory mount;
  write(mount.path() / "cgroup.controllers", "");
  write(mount.path() / "cgroup.subtree_control", "");
  EXPECT_EQ(own_cgroup(mount.path(), "/run/berth"), "");
  EXPECT_FALSE(fs::exists(mount.path() / "berth"));
}

TEST(Cgroup, IsAFolderForEachRunFolderWithControllersHandedDown) {
  const files::TemporaryDirectory mount;
  const auto controllers = [&](const fs::path& folder) {
    write(folder / "cgroup.controllers", "cpuset cpu io memory pids\n");
    write(folder / "cgroup.subtree_control", "memory pids\n");
  };
  controllers(mount.path());
  EXPECT_EQ(own_cgroup(mount.path(), "/run/berth"), "") << "a new folder that got no controllers";
  controllers(mount.path() / "berth");
  EXPECT_EQ(own_cgroup(mount.path(), "/run/berth"), (mount.path() / "berth").string());
  EXPECT_EQ(own_cgroup(mount.path(), "/run/other"), "");
}

/// A socket that stands for systemd's.
class Notified : public testing::Test {
 protected:
  void SetUp() override {
    const std::string path = folder.path() / "notify";
    sockaddr_un name{.sun_family = AF_UNIX};
    path.copy(name.sun_path, sizeof name.sun_path - 1);
    socket.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    ASSERT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&name), sizeof name), 0);
    ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
  }
  void TearDown() override { ::unsetenv("NOTIFY_SOCKET"); }
  std::string heard() {
    char text[512];
    const auto size = ::recv(socket.get(), text, sizeof text, 0);
    return size < 0 ? "" : std::string(text, static_cast<std::size_t>(size));
  }
  files::TemporaryDirectory folder;
  Fd socket;
};

TEST_F(Notified, OfWhatBerthdDoes) {
  const ServiceManager manager;
  manager.ready("2 apps\nrun");
  EXPECT_EQ(heard(), "READY=1\nSTATUS=2 apps run");
  manager.alive();
  EXPECT_EQ(heard(), "WATCHDOG=1");
  manager.reloading();
  EXPECT_THAT(heard(), testing::MatchesRegex("RELOADING=1\nMONOTONIC_USEC=[0-9]+"));
  manager.stopping();
  EXPECT_THAT(heard(), testing::StartsWith("STOPPING=1\n"));
}

TEST(ServiceManager, WantsToHearAtHalfOfItsWatchdogsTime) {
  ::setenv("WATCHDOG_USEC", "30000000", 1);
  ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
  EXPECT_EQ(ServiceManager().watchdog_period(), std::chrono::seconds(15));
  EXPECT_EQ(::getenv("WATCHDOG_USEC"), nullptr) << "children must not get it";
  EXPECT_FALSE(ServiceManager().watchdog_period());
}

TEST(Disks, AreOthersOnlyWhereTheFileSystemsAre) {
  const files::TemporaryDirectory folder;
  std::filesystem::create_directory(folder.path() / "logs");
  EXPECT_FALSE(room_on_another_disk(folder.path() / "logs", folder.path()));
  EXPECT_FALSE(room_on_another_disk(folder.path() / "none", "/proc"));
  const auto room = room_on_another_disk(folder.path(), "/proc");
  ASSERT_TRUE(room);
  EXPECT_GT(room->free, 0u);
  EXPECT_GE(room->size, room->free);
}

}  // namespace
}  // namespace berth::host
