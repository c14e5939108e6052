#include "core/kill_one.h"
#include "daemon/keeper/processes.h"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/files/files.h"

namespace berth::keeper {
namespace {

namespace fs = std::filesystem;

/// Children that only wait, and a folder that stands for their cgroup.
class SignalStrangers : public testing::Test {
 protected:
  ~SignalStrangers() override {
    for (const pid_t pid : children) {
      if (pid <= 0) continue;
      kill_one(pid, SIGKILL);
      ::waitpid(pid, nullptr, 0);
    }
  }
  std::string child() {
    const pid_t pid = ::fork();
    if (pid == 0) {
      for (;;) ::pause();
    }
    children.push_back(pid);
    return std::to_string(pid) + "\n";
  }
  int tell(int number) const { return signal_strangers({.session = -1, .cgroup = folder.path().c_str()}, number); }
  /// How the child ended; waits for that.
  int end_of(std::size_t index) {
    int status = 0;
    ::waitpid(children.at(index), &status, 0);
    children.at(index) = 0;
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  }
  fs::path procs() const { return folder.path() / "cgroup.procs"; }

  files::TemporaryDirectory folder;
  std::vector<pid_t> children;
};

TEST_F(SignalStrangers, ReachesAllOfACgroupHoweverManyThereAre) {
  constexpr int kMany = 150;
  std::string all;
  for (int i = 0; i < kMany; i++) all += child();
  std::ofstream(procs()) << all;
  EXPECT_EQ(tell(0), kMany);
  EXPECT_EQ(tell(SIGTERM), kMany);
  for (std::size_t i = 0; i < kMany; i++) ASSERT_EQ(end_of(i), SIGTERM) << i;
}

TEST_F(SignalStrangers, LeavesAloneWhatIsNoneOfThemWhenItIsLookedAtAgain) {
  // The first was one of them a moment ago, and its number is somebody else's now: it is listed once and not again.
  const std::string first = child(), second = child();
  const fs::path later = folder.path() / "later";
  ASSERT_EQ(::mkfifo(procs().c_str(), 0600), 0);
  ASSERT_EQ(::mkfifo(later.c_str(), 0600), 0);
  std::thread kernel([&] {
    std::ofstream once(procs());  // opens with its reader
    fs::rename(later, procs());
    once << first << second << std::flush;
    once.close();
    int again = -1;
    for (int i = 0; i < 5000 && again < 0; i++) {  // whoever does not look again is not waited for
      again = ::open(procs().c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
      if (again < 0) ::usleep(1000);
    }
    static_cast<void>(!::write(again, second.data(), second.size()));
    ::close(again);
  });
  EXPECT_EQ(tell(SIGTERM), 2);
  kernel.join();
  EXPECT_EQ(end_of(1), SIGTERM);
  EXPECT_EQ(::waitpid(children.at(0), nullptr, WNOHANG), 0) << "it lives";
  kill_one(children.at(0), SIGXFSZ);
  EXPECT_EQ(end_of(0), SIGXFSZ) << "and no SIGTERM was on its way";
}

}  // namespace
}  // namespace berth::keeper
