#pragma once

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <fmt/core.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/files/fd.h"
#include "core/kill_one.h"
#include "daemon/keeper/launch_file.h"
#include "daemon/keeper/protocol.h"

namespace berth::keeper {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

/// A real keeper with a folder of its own, and the test in the place of berthd.
class KeeperFixture : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/berth-keeper-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root = name;
    fs::permissions(root, fs::perms(0755));
    logs = root / "logs";
    fs::create_directories(logs);
    note_boot(slurp("/proc/sys/kernel/random/boot_id"));
  }
  void TearDown() override {
    if (keeper > 0) {
      kill_one(keeper, SIGTERM);
      if (!wait_until([&] { return gone(); }, 5s)) {
        kill_one(keeper, SIGKILL);
        ::waitpid(keeper, nullptr, 0);
      }
    }
    connection.reset();
    fs::remove_all(root);
  }

  /// Waits for what another process does; there is nothing to be notified by.
  static bool wait_until(const std::function<bool()>& condition, std::chrono::milliseconds at_most) {
    const auto end = std::chrono::steady_clock::now() + at_most;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::sleep_for(2ms);
    }
    return true;
  }

  void start_keeper() {
    keeper = ::fork();
    if (keeper == 0) {
      if (!own_cgroup.empty()) {
        std::ofstream(own_cgroup / "cgroup.procs") << "0";
        ::execl(program.c_str(), program.c_str(), socket_path().c_str(), logs.c_str(), "--delegated", nullptr);
      }
      ::execl(program.c_str(), program.c_str(), socket_path().c_str(), logs.c_str(), nullptr);
      ::_exit(126);
    }
    ASSERT_TRUE(wait_until([&] { return connect(); }, 10s));
  }
  std::string socket_path() const { return (root / "k.sock").string(); }

  bool connect() {
    sockaddr_un address{.sun_family = AF_UNIX};
    std::strcpy(address.sun_path, socket_path().c_str());
    Fd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return false;
    connection = std::move(fd);
    return true;
  }

  bool gone() {
    if (keeper > 0 && ::waitpid(keeper, &keeper_status, WNOHANG) == keeper) keeper = -1;
    return keeper < 0;
  }

  /// A launch of a shell script.
  static Launch shell(const std::string& script) {
    return {.id = "web/web.1@v1", .argv = {"/bin/sh", "-c", script}, .environment = {{"PATH", "/usr/bin:/bin"}}, .grace_ms = 5000};
  }

  void send(const void* bytes, std::size_t size, const std::vector<int>& fds = {}) {
    iovec part{const_cast<void*>(bytes), size};
    std::vector<char> control(CMSG_SPACE(sizeof(int) * std::max<std::size_t>(fds.size(), 1)));
    msghdr head{.msg_iov = &part, .msg_iovlen = 1};
    if (!fds.empty()) {
      head.msg_control = control.data();
      head.msg_controllen = CMSG_SPACE(sizeof(int) * fds.size());
      cmsghdr* c = CMSG_FIRSTHDR(&head);
      c->cmsg_level = SOL_SOCKET;
      c->cmsg_type = SCM_RIGHTS;
      c->cmsg_len = CMSG_LEN(sizeof(int) * fds.size());
      std::memcpy(CMSG_DATA(c), fds.data(), sizeof(int) * fds.size());
    }
    ASSERT_EQ(::sendmsg(connection.get(), &head, MSG_NOSIGNAL), static_cast<ssize_t>(size)) << std::strerror(errno);
  }

  void launch(const Launch& plan) {
    auto memory = make_launch(plan);
    ASSERT_TRUE(memory) << memory.error().message;
    std::vector<int> fds = {memory->fd.get()};
    for (const auto& [name, socket] : plan.sockets) fds.push_back(socket);
    const Header header{Type::launch, kProtocolVersion, sizeof(Header)};
    send(&header, sizeof header, fds);
  }
  void stop(std::int64_t grace_ms = -1) {
    const Stop message{{Type::stop, kProtocolVersion, sizeof(Stop)}, grace_ms};
    send(&message, sizeof message);
  }
  void tell(Type type) {
    const Header header{type, kProtocolVersion, sizeof(Header)};
    send(&header, sizeof header);
  }
  void restart(bool liveness, const char* reason) {
    Restart message{{Type::restart, kProtocolVersion, sizeof(Restart)}, liveness, {}};
    std::strncpy(message.reason, reason, sizeof message.reason - 1);
    send(&message, sizeof message);
  }

  struct Answer {
    std::string bytes;
    std::vector<Fd> fds;
  };
  std::optional<Answer> receive(std::chrono::milliseconds at_most) {
    pollfd polled{connection.get(), POLLIN, 0};
    if (::poll(&polled, 1, static_cast<int>(at_most.count())) <= 0) return {};
    Answer answer{std::string(kMostMessage, '\0'), {}};
    iovec part{answer.bytes.data(), answer.bytes.size()};
    char control[CMSG_SPACE(sizeof(int) * 80)];
    msghdr head{.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    const auto n = ::recvmsg(connection.get(), &head, MSG_CMSG_CLOEXEC);
    if (n <= 0) return {};
    answer.bytes.resize(static_cast<std::size_t>(n));
    for (cmsghdr* c = CMSG_FIRSTHDR(&head); c != nullptr; c = CMSG_NXTHDR(&head, c)) {
      for (std::size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
        int fd;
        std::memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof fd);
        answer.fds.emplace_back(fd);
      }
    }
    return answer;
  }

  /// The next state that tells `event`; those of other events are passed over, and noted.
  State expect(Event event, std::chrono::milliseconds at_most = 30s) {
    passed_over.clear();
    const auto end = std::chrono::steady_clock::now() + at_most;
    for (;;) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
      const auto answer = left > 0ms ? receive(left) : std::nullopt;
      if (!answer) throw std::runtime_error(fmt::format("the keeper did not tell event {}", static_cast<int>(event)));
      if (answer->bytes.size() != sizeof(State)) continue;
      State state{};
      std::memcpy(&state, answer->bytes.data(), sizeof state);
      if (state.header.type != Type::state) continue;
      if (state.event == event) return state;
      passed_over.push_back(state.event);
    }
  }

  /// The app's stdout and stderr as the keeper holds them.
  std::vector<Fd> held_pipes() {
    tell(Type::get_fds);
    for (;;) {
      auto answer = receive(5s);
      if (!answer) return {};
      if (reinterpret_cast<const Header*>(answer->bytes.data())->type != Type::fds) continue;
      std::vector<Fd> pipes;
      pipes.push_back(std::move(answer->fds[answer->fds.size() - 2]));
      pipes.push_back(std::move(answer->fds.back()));
      return pipes;
    }
  }

  /// As the run of the machine left it that wrote the log last.
  void note_boot(const std::string& id) const { std::ofstream(logs / ".boot") << id; }
  std::vector<fs::path> segments() const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(logs))
      if (!entry.path().filename().string().starts_with(".")) files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    return files;
  }
  static std::string slurp(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  }
  std::string log() const {
    std::string all;
    for (const auto& path : segments()) all += slurp(path);
    return all;
  }
  /// The log's lines without their time: "stdout F text".
  std::vector<std::string> lines() const {
    std::vector<std::string> all;
    std::istringstream text(log());
    for (std::string line; std::getline(text, line);) all.push_back(line.substr(std::min<std::size_t>(31, line.size())));
    return all;
  }
  bool logged(const std::string& text) const { return log().find(text) != std::string::npos; }
  /// The number in a file that the app writes, once it is there whole.
  int number_in(const fs::path& path) {
    int number = 0;
    EXPECT_TRUE(wait_until([&] {
      const auto text = slurp(path);
      return !text.empty() && text.back() == '\n' && (number = std::atoi(text.c_str())) > 0;
    }, 10s)) << path;
    return number;
  }
  /// A socket that listens on a port of 127.0.0.1, and whether somebody does.
  static Fd listener(std::uint16_t* port) {
    Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(fd.get(), 16), 0);
    ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
    *port = ntohs(address.sin_port);
    return fd;
  }
  static bool listened(std::uint16_t port) {
    const Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in address{.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  static bool lives(pid_t pid) {
    const auto stat = slurp(fmt::format("/proc/{}/stat", pid));
    const auto after = stat.rfind(')');
    return after != std::string::npos && stat[after + 2] != 'Z';
  }

  std::string program = BERTH_KEEPER_PROGRAM;
  fs::path root, logs;
  fs::path own_cgroup;  ///< that the keeper starts in, as if systemd had delegated it; empty: none
  pid_t keeper = -1;
  std::vector<Event> passed_over;  ///< by the last expect()
  int keeper_status = 0;
  Fd connection;
};

}  // namespace berth::keeper
