#include "daemon/keeper/restart_policy.h"

#include <gtest/gtest.h>

namespace berth::keeper {
namespace {

constexpr std::uint32_t kMost = ~0u, kHalf = 1u << 31;

TEST(RestartPolicy, BringsAnInstanceThatRanForAWhileBackAtOnce) {
  for (const std::uint32_t chance : {0u, kHalf, kMost}) EXPECT_EQ(wait_before_start({}, 0, chance), 0);
}

TEST(RestartPolicy, WaitsTwiceAsLongAfterEachEarlyExitUpToTheLongestAFifthMoreOrLess) {
  const struct {
    int early_exits;
    std::int64_t least, half, most;
  } table[] = {{1, 100, 110, 120},         {2, 160, 200, 240},          {3, 320, 400, 480},           {8, 10240, 12800, 15360},
               {9, 20480, 25240, 30000},   {10, 24000, 27000, 30000},   {1'000'000'000, 24000, 27000, 30000}};
  for (const auto& row : table) {
    EXPECT_EQ(wait_before_start({}, row.early_exits, 0), row.least) << row.early_exits;
    EXPECT_EQ(wait_before_start({}, row.early_exits, kHalf), row.half) << row.early_exits;
    EXPECT_EQ(wait_before_start({}, row.early_exits, kMost), row.most) << row.early_exits;
  }
}

TEST(RestartPolicy, NeverWaitsLongerThanTheLongestEvenAtFirst) {
  for (const std::uint32_t chance : {0u, kHalf, kMost}) {
    EXPECT_EQ(wait_before_start({.first_ms = 500, .longest_ms = 200}, 1, chance), 200);
    EXPECT_EQ(wait_before_start({.first_ms = 300, .longest_ms = 300}, 5, chance), 300);
    EXPECT_EQ(wait_before_start({.first_ms = 0, .longest_ms = 300}, 5, chance), 0);
  }
}

TEST(RestartPolicy, StartsAgainAsTheSpecSays) {
  EXPECT_TRUE(starts_again(RestartWhen::always, false));
  EXPECT_TRUE(starts_again(RestartWhen::always, true));
  EXPECT_FALSE(starts_again(RestartWhen::on_failure, false));
  EXPECT_TRUE(starts_again(RestartWhen::on_failure, true));
  EXPECT_FALSE(starts_again(RestartWhen::never, true));
}

TEST(CrashLoop, IsFiveEarlyExitsWithinAMinute) {
  CrashLoop loop;
  for (const int second : {0, 10, 20, 30}) loop.early_exit(second * 1000);
  EXPECT_FALSE(loop.looping);
  loop.early_exit(60'000);
  EXPECT_TRUE(loop.looping);
}

TEST(CrashLoop, IsNotFiveEarlyExitsOverALongerTime) {
  CrashLoop loop;
  for (int i = 0; i < 50; i++) loop.early_exit(i * 16'000);
  EXPECT_FALSE(loop.looping);
}

TEST(CrashLoop, IsAlsoAnInstanceThatRunsForSomeSecondsEachTimeAndItWaitsThen) {
  const RestartPolicy policy;
  CrashLoop loop;
  for (int i = 1; i <= 4; i++) {
    loop.exited(i * 3000, 3000);
    EXPECT_FALSE(waits_for_next_start(policy, loop, 3000)) << i;
  }
  loop.exited(15'000, 3000);
  EXPECT_TRUE(loop.looping);
  EXPECT_TRUE(waits_for_next_start(policy, loop, 3000));
  loop.exited(50'000, CrashLoop::kSettledMs);
  EXPECT_FALSE(loop.looping);
  EXPECT_FALSE(waits_for_next_start(policy, loop, CrashLoop::kSettledMs));
}

TEST(CrashLoop, IsNoneWhereEachRunIsLongEnough) {
  CrashLoop loop;
  for (int i = 1; i <= 50; i++) loop.exited(i * CrashLoop::kSettledMs, CrashLoop::kSettledMs);
  EXPECT_FALSE(loop.looping);
}

TEST(CrashLoop, EndsWhenTheInstanceStaysUp) {
  CrashLoop loop;
  for (int i = 0; i < 5; i++) loop.early_exit(i);
  loop.settled();
  EXPECT_FALSE(loop.looping);
  loop.early_exit(10);
  EXPECT_FALSE(loop.looping);
}

}  // namespace
}  // namespace berth::keeper
