#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <unistd.h>

#include "core/files/files.h"
#include "core/files/fd.h"
#include "core/kill_one.h"
#include "daemon/supervise/process_tree.h"

namespace berth::supervise {
namespace {

using testing::IsEmpty;
using testing::UnorderedElementsAre;

TEST(OpenDescriptors, AreThoseThatAProcessHas) {
  const auto before = open_descriptors(::getpid());
  const Fd one(::open("/dev/null", O_RDONLY | O_CLOEXEC)), two(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(open_descriptors(::getpid()), before + 2);
  EXPECT_EQ(open_descriptors(0), 0u);
}

TEST(Descendants, AreAllThatLiveBelow) {
  // 1 has 10 and 20; 10 has 11, a zombie, which has 12; 20 has 21.
  std::vector<ProcessInfo> all{{.pid = 12, .parent = 11, .state = 'S'}, {.pid = 10, .parent = 1, .state = 'R'}, {.pid = 21, .parent = 20, .state = 'S'},
                               {.pid = 11, .parent = 10, .state = 'Z'}, {.pid = 20, .parent = 1, .state = 'S'}, {.pid = 1, .parent = 0, .state = 'S'}};
  std::ranges::sort(all, {}, &ProcessInfo::parent);
  EXPECT_THAT(descendants(10, all), UnorderedElementsAre(12));
  EXPECT_THAT(descendants(1, all), UnorderedElementsAre(10, 12, 20, 21));
  EXPECT_THAT(descendants(21, all), IsEmpty());
  EXPECT_THAT(descendants(99, all), IsEmpty());
}

TEST(Descendants, OfACircleHaveAnEnd) {
  // A parent's pid was given anew while all were read.
  std::vector<ProcessInfo> all{{.pid = 10, .parent = 11, .state = 'S'}, {.pid = 11, .parent = 10, .state = 'S'}};
  std::ranges::sort(all, {}, &ProcessInfo::parent);
  EXPECT_THAT(descendants(10, all), UnorderedElementsAre(11));
}

TEST(AllProcesses, AreInTheOrderOfTheirParentsAndHaveThisOne) {
  const auto all = all_processes();
  EXPECT_TRUE(std::ranges::is_sorted(all, {}, &ProcessInfo::parent));
  const auto me = std::ranges::find(all, ::getpid(), &ProcessInfo::pid);
  ASSERT_NE(me, all.end());
  EXPECT_EQ(me->parent, ::getppid());
}

/// A process of its own that only waits.
pid_t sleeper() {
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::close_range(3, ~0u, 0);
    for (;;) ::pause();
  }
  return pid;
}
/// What ended it; waits for that.
int signal_that_ended(pid_t pid) {
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

TEST(KillProcess, KillsTheOneThatBeganThenAndNoLaterOneOfItsNumber) {
  const pid_t pid = sleeper();
  const auto info = process_info(pid);
  ASSERT_TRUE(info);
  EXPECT_FALSE(kill_process(pid, info->start - 1));
  EXPECT_FALSE(kill_process(pid, 0));
  EXPECT_EQ(::waitpid(pid, nullptr, WNOHANG), 0);
  EXPECT_TRUE(kill_process(pid, info->start));
  EXPECT_EQ(signal_that_ended(pid), SIGKILL);
  EXPECT_FALSE(kill_process(pid, info->start)) << "it is gone";
}

TEST(KillOrphan, KillsByNumberNobodyWhoBeganWhileItLooked) {
  files::TemporaryDirectory cgroup;  // stands for one
  const auto procs = cgroup.path() / "cgroup.procs";
  const pid_t before = sleeper();
  ASSERT_EQ(::mkfifo(procs.c_str(), 0600), 0);
  pid_t meanwhile = 0;
  std::thread kernel([&] {
    std::ofstream list(procs);  // opens with its reader
    meanwhile = sleeper();
    list << before << "\n" << meanwhile << "\n";
  });
  EXPECT_FALSE(kill_orphan({.pid = 0, .start = 0, .cgroup = cgroup.path().string(), .pipes = {}}));
  kernel.join();
  EXPECT_EQ(signal_that_ended(before), SIGKILL);
  kill_one(meanwhile, SIGTERM);
  EXPECT_EQ(signal_that_ended(meanwhile), SIGTERM) << "whose number it was before nobody knows";
}

TEST(Age, GrowsWithTheTimeThatAProcessRuns) {
  using namespace std::chrono_literals;
  const auto first = age_of(::getpid());
  ASSERT_TRUE(first);
  EXPECT_LT(*first, 10min) << "it began with this test, not with the machine";
  std::this_thread::sleep_for(50ms);
  const auto later = age_of(::getpid());
  ASSERT_TRUE(later);
  EXPECT_GE(*later - *first, 40ms) << "the kernel counts in hundredths of a second";
  EXPECT_LT(*later - *first, 10s);
}

TEST(Age, OfNoProcessIsNotKnown) {
  EXPECT_FALSE(age_of(0));
  EXPECT_FALSE(age_of(-1));
  EXPECT_FALSE(age_of(1 << 23)) << "there is no such pid";
}

}  // namespace
}  // namespace berth::supervise
