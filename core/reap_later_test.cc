#include "core/reap_later.h"

#include <chrono>
#include <csignal>
#include <thread>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace berth {
namespace {

using namespace std::chrono_literals;

/// A child that ends when it is told to.
struct ReapedChild {
  ReapedChild() : pid(::fork()) {
    if (pid != 0) return;
    ::pause();
    ::_exit(0);
  }
  bool is_there() const { return ::kill(pid, 0) == 0; }
  const pid_t pid;
};

TEST(ReapLater, LeavesNoZombie) {
  const ReapedChild child;
  reap_later(child.pid, 0);
  ::kill(child.pid, SIGKILL);
  for (int i = 0; i < 1000 && child.is_there(); i++) std::this_thread::sleep_for(5ms);
  EXPECT_FALSE(child.is_there());
}

TEST(ReapLater, EndsNothingWhereThereIsNoThreadMore) {
  const ReapedChild child;
  // Threads count against a user's processes; root may have as many as it likes, so somebody else tries.
  const pid_t other = ::fork();
  if (other == 0) {
    const rlimit none{0, 0};
    if (::setrlimit(RLIMIT_NPROC, &none) != 0 || (::geteuid() == 0 && ::setuid(65534) != 0)) ::_exit(3);
    bool refused = false;
    try {
      std::thread([] {}).detach();
    } catch (const std::system_error&) {
      refused = true;
    }
    reap_later(child.pid, 0);
    ::_exit(refused ? 0 : 4);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(other, &status, 0), other);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  ::kill(child.pid, SIGKILL);
  ::waitpid(child.pid, nullptr, 0);
}

}  // namespace
}  // namespace berth
