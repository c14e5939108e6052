#include "daemon/listener.h"

#include <gtest/gtest.h>

namespace berth {
namespace {

using namespace std::chrono_literals;

TEST(EndingTest, IsAFifthOfItsTimeAndAWeekAtMost) {
  const std::chrono::system_clock::time_point start{};
  const auto ending = [&](std::chrono::hours life, std::chrono::hours left) { return is_ending(start, start + life, start + life - left); };
  EXPECT_FALSE(ending(24h, 5h));
  EXPECT_TRUE(ending(24h, 4h));
  EXPECT_FALSE(ending(24h * 90, 24h * 8));
  EXPECT_TRUE(ending(24h * 90, 24h * 6));
  EXPECT_TRUE(ending(24h * 3650, 24h * 6));
  EXPECT_FALSE(ending(24h * 3650, 24h * 8));
  EXPECT_TRUE(ending(24h, -1h)) << "it has ended";
}

TEST(SeldomTest, LetsOneThroughAndCountsTheOthers) {
  io::Seldom seldom(1s);
  const io::Steady::time_point start{};
  EXPECT_EQ(seldom.take("a", start), "a");
  EXPECT_FALSE(seldom.take("b", start + 10ms));
  EXPECT_FALSE(seldom.take("c", start + 999ms));
  EXPECT_EQ(seldom.take("d", start + 1s), "d (and 2 more since the last one)");
  EXPECT_EQ(seldom.take("e", start + 2s), "e");
}

}  // namespace
}  // namespace berth
