#pragma once

#include <csignal>
#include <cstdlib>
#include <string>
#include <thread>

#include <fcntl.h>
#include <fmt/core.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/route/router_fixture.h"

namespace berth::route {

inline void shell(const std::string& command) { ASSERT_EQ(std::system(command.c_str()), 0) << command; }

/// Another machine: a network namespace that a cable joins with ours.
class Outside {
 public:
  Outside() {
    int ready[2];
    EXPECT_EQ(::pipe2(ready, O_CLOEXEC), 0);
    const Fd reader(ready[0]);
    Fd writer(ready[1]);
    holder_ = ::fork();
    if (holder_ == 0) {
      const bool made = ::unshare(CLONE_NEWNET) == 0;
      [[maybe_unused]] const auto written = ::write(writer.get(), made ? "y" : "n", 1);
      for (;;) ::pause();
    }
    writer.reset();
    char answer = 'n';
    EXPECT_EQ(::read(reader.get(), &answer, 1), 1);
    EXPECT_EQ(answer, 'y');
    shell(fmt::format("ip link add berth0 type veth peer name berth1 netns {0} && ip addr add 10.77.0.1/24 dev berth0 && ip link set berth0 up && "
                      "ip -6 addr add fd77::1/64 dev berth0 nodad && "
                      "nsenter -t {0} -n sh -c 'ip addr add 10.77.0.2/24 dev berth1 && ip -6 addr add fd77::2/64 dev berth1 nodad && "
                      "ip link set berth1 up && ip link set lo up'", holder_));
  }
  ~Outside() {
    ::kill(holder_, SIGKILL);
    ::waitpid(holder_, nullptr, 0);
    shell("ip link del berth0 2>/dev/null || true");
  }
  pid_t pid() const { return holder_; }  ///< for `nsenter -n -t`
  /// Moves this thread there.
  void enter() const {
    const Fd network(::open(fmt::format("/proc/{}/ns/net", holder_).c_str(), O_RDONLY | O_CLOEXEC));
    ASSERT_EQ(::setns(network.get(), CLONE_NEWNET), 0);
  }
  std::string asks(const std::string& address, std::uint16_t port, int timeout_ms = 5000) const {
    std::string answer;
    std::thread there([&] {
      enter();
      answer = ask(address, port, "", timeout_ms);
    });
    there.join();
    return answer;
  }

 private:
  pid_t holder_ = -1;
};

}  // namespace berth::route
