#include <algorithm>
#include <chrono>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "daemon/supervise/process_tree.h"

namespace berth::supervise {
namespace {

using testing::IsEmpty;
using testing::UnorderedElementsAre;

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
