#include "core/kill_one.h"
#include "daemon/supervise/running.h"

#include <fstream>

#include <arpa/inet.h>
#include <csignal>
#include <fmt/core.h>
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/files/fd.h"
#include "core/files/files.h"
#include "daemon/supervise/process_tree.h"

namespace berth::supervise {
namespace {

using testing::IsEmpty;

/// A socket that listens at a port of its own choice.
std::pair<Fd, std::uint16_t> listener() {
  Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(::listen(socket.get(), 1), 0);
  socklen_t size = sizeof address;
  EXPECT_EQ(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  return {std::move(socket), ntohs(address.sin_port)};
}

class RunningTest : public testing::Test {
 protected:
  RunningTest() { std::filesystem::create_directories(folder.path() / "keepers"); }
  ~RunningTest() override {
    for (const pid_t pid : children) {
      kill_one(pid, SIGKILL);
      ::waitpid(pid, nullptr, 0);
    }
  }

  /// What a keeper writes down of its app.
  void write_down(const std::string& key, pid_t pid, std::uint64_t start) {
    std::ofstream(folder.path() / "keepers" / (key + ".sock.app")) << pid << " " << start << " \n";
  }

  /// A process with a variable, which has what this one has open.
  pid_t start() {
    const pid_t pid = ::fork();
    if (pid == 0) {
      const char* const arguments[] = {"/bin/sleep", "1000", nullptr};
      const char* const environment[] = {"PORT=20007", "PORT_ADMIN=20008", "PORT_ODD=80", nullptr};
      ::execve(arguments[0], const_cast<char* const*>(arguments), const_cast<char* const*>(environment));
      ::_exit(127);
    }
    children.push_back(pid);
    for (int i = 0; i < 1000 && proc_text(fmt::format("/proc/{}/environ", pid)).find("PORT=20007") == std::string::npos; ++i) ::usleep(1000);
    return pid;
  }

  files::TemporaryDirectory folder;
  std::vector<pid_t> children;
};

TEST_F(RunningTest, IsWhatKeepersWroteDownAndWhatLivesStill) {
  const pid_t pid = start();
  write_down("0011", pid, process_info(pid)->start);
  write_down("0022", pid, process_info(pid)->start + 1);
  write_down("0033", 1 << 30, 7);
  std::ofstream(folder.path() / "keepers" / "0044.sock") << "a socket";
  const auto found = running_processes(folder.path().string());
  ASSERT_EQ(found.size(), 1u) << "another process of that number, and one that ended, are none";
  EXPECT_EQ(found[0].key, "0011");
  EXPECT_EQ(found[0].pid, pid);
  EXPECT_EQ(found[0].environment.at("PORT"), "20007");
  EXPECT_THAT(running_processes((folder.path() / "none").string()), IsEmpty());
}

TEST_F(RunningTest, APortIsWhatItsVariableSays) {
  const RunningProcess process{.key = "k", .pid = 7, .environment = {{"PORT", "20007"}, {"PORT_ODD", "80"}}, .listens = {20009}};
  EXPECT_EQ(port_of(process, "PORT", 20000, 29999), 20007);
  EXPECT_EQ(port_of(process, "PORT_ODD", 20000, 29999), 20009) << "what is none of ours does not count";
}

TEST_F(RunningTest, APortIsTheOneAtWhichItListensWhereItsVariablesAreGone) {
  EXPECT_EQ(port_of({.key = {}, .environment = {}, .listens = {80, 20009}}, "PORT", 20000, 29999), 20009);
  EXPECT_EQ(port_of({.key = {}, .environment = {}, .listens = {20009, 20010}}, "PORT", 20000, 29999), 0) << "which of them nobody knows";
  EXPECT_EQ(port_of({.key = {}, .environment = {}, .listens = {80}}, "PORT", 20000, 29999), 0);
}

TEST_F(RunningTest, FindsThePortsAtWhichAProcessListens) {
  const auto [socket, port] = listener();
  write_down("0011", ::getpid(), process_info(::getpid())->start);
  const auto found = running_processes(folder.path().string());
  ASSERT_EQ(found.size(), 1u);
  EXPECT_THAT(found[0].listens, testing::Contains(port));
}

}  // namespace
}  // namespace berth::supervise
