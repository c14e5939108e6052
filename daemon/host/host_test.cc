#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
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
  std::string heard() { return heard_with_socket().first; }
  /// And the descriptor that came with it.
  std::pair<std::string, Fd> heard_with_socket() {
    char text[512];
    iovec bytes{.iov_base = text, .iov_len = sizeof text};
    alignas(cmsghdr) char room[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(ucred))] = {};
    msghdr message{};
    message.msg_iov = &bytes;
    message.msg_iovlen = 1;
    message.msg_control = room;
    message.msg_controllen = sizeof room;
    const auto size = ::recvmsg(socket.get(), &message, MSG_CMSG_CLOEXEC);
    if (size < 0) return {};
    std::pair<std::string, Fd> found{std::string(text, static_cast<std::size_t>(size)), Fd()};
    for (cmsghdr* one = CMSG_FIRSTHDR(&message); one != nullptr; one = CMSG_NXTHDR(&message, one))
      if (one->cmsg_level == SOL_SOCKET && one->cmsg_type == SCM_RIGHTS) found.second.reset(*reinterpret_cast<const int*>(CMSG_DATA(one)));
    return found;
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

ino_t inode_of(int fd) {
  struct stat there {};
  ::fstat(fd, &there);
  return there.st_ino;
}

/// A socket that listens somewhere.
Fd listening() {
  Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ::listen(socket.get(), 1);
  return socket;
}

const auto anything = [](int) { return true; };

TEST_F(Notified, OfSocketsThatAreKeptForTheNextBerthd) {
  const ServiceManager manager;
  EXPECT_TRUE(ServiceManager::listens());
  const Fd metrics = listening();
  manager.keep("metrics", metrics.get());
  const auto [text, passed] = heard_with_socket();
  EXPECT_EQ(text, "FDSTORE=1\nFDNAME=berthd-kept-metrics");
  EXPECT_EQ(inode_of(passed.get()), inode_of(metrics.get()));
}

TEST_F(Notified, OfSocketsThatWereKeptAndAreNotWantedAnyMore) {
  std::vector<std::string> said;
  std::atomic<bool> over{false};
  std::thread systemd([&] {  // it closes what it is sent with BARRIER=1
    while (!over) {
      const std::string one = heard();
      if (!one.empty()) said.push_back(one);
    }
  });
  Fd metrics = listening(), other = listening(), api = listening(), control = listening();
  const ino_t fitting = inode_of(metrics.get());
  std::vector<PassedSocket> passed;
  passed.push_back({.name = "berthd-kept-metrics", .socket = std::move(other)});
  passed.push_back({.name = "berthd-kept-metrics", .socket = std::move(metrics)});
  passed.push_back({.name = "berthd-kept-api", .socket = std::move(api)});
  passed.push_back({.name = "berthd.socket", .socket = std::move(control)});
  ServiceManager manager(std::move(passed));
  const Fd taken = manager.take_kept("metrics", [&](int one) { return inode_of(one) == fitting; });
  EXPECT_EQ(inode_of(taken.get()), fitting);
  EXPECT_FALSE(manager.take_kept("metrics", anything)) << "the other one was let go of";
  manager.drop_kept();
  EXPECT_EQ(manager.take_sockets().size(), 1u) << "what a socket unit passes is no business of these";
  over = true;
  systemd.join();
  EXPECT_THAT(said, testing::ElementsAre("FDSTOREREMOVE=1\nFDNAME=berthd-kept-metrics", "BARRIER=1", "FDSTORE=1\nFDNAME=berthd-kept-metrics",
                                         "FDSTOREREMOVE=1\nFDNAME=berthd-kept-api", "BARRIER=1"));
}

/// Ends with 0 where a program that systemd passes these sees what it should. Descriptors begin at 3.
[[noreturn]] void see_what_is_passed() {
  const Fd control = listening(), metrics = listening(), file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  int number = SD_LISTEN_FDS_START;
  for (const int fd : {::fcntl(control.get(), F_DUPFD, 100), ::fcntl(metrics.get(), F_DUPFD, 100), ::fcntl(file.get(), F_DUPFD, 100)}) ::dup2(fd, number++);
  ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
  ::setenv("LISTEN_FDS", "3", 1);
  ::setenv("LISTEN_FDNAMES", "berthd.socket:berthd-kept-metrics:berthd-kept-api", 1);
  ServiceManager manager;
  if (::getenv("LISTEN_FDS") != nullptr || ::getenv("LISTEN_FDNAMES") != nullptr) ::_exit(1);
  auto sockets = manager.take_sockets();
  if (sockets.size() != 1 || sockets[0].get() != SD_LISTEN_FDS_START) ::_exit(2);
  if (manager.take_kept("metrics", anything).get() != SD_LISTEN_FDS_START + 1) ::_exit(3);
  if (manager.take_kept("api", anything)) ::_exit(4);  // it is no socket
  ::_exit(0);
}

TEST(ServiceManager, TellsSocketsThatItKeptFromThoseOfUnits) { EXPECT_EXIT(see_what_is_passed(), testing::ExitedWithCode(0), ""); }

TEST(ServiceManager, NobodyKeepsSocketsWithoutSystemd) {
  EXPECT_FALSE(ServiceManager::listens());
  const ServiceManager manager;
  manager.keep("metrics", listening().get());
  manager.stop_keeping("metrics");
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
