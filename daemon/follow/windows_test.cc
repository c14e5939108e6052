#include "daemon/follow/windows.h"

#include <cstdlib>
#include <ctime>

#include <gtest/gtest.h>

#include "daemon/config/values.h"

namespace berth::follow {
namespace {

constexpr int kMonday = 0, kTuesday = 1440, kSaturday = 5 * 1440, kSunday = 6 * 1440;

int at(int hours, int minutes) { return hours * 60 + minutes; }

TEST(Windows, AreOpenFromTheirBeginningUntilTheirEnd) {
  const struct {
    const char* window;
    int minute, left;
  } cases[] = {
      {"02:00-05:00", kMonday + at(2, 0), 0},
      {"02:00-05:00", kMonday + at(4, 59), 0},
      {"02:00-05:00", kMonday + at(5, 0), at(21, 0)},
      {"02:00-05:00", kSunday + at(23, 0), at(3, 0)},
      {"Mon-Fri 22:00-04:00", kMonday + at(21, 59), 1},
      {"Mon-Fri 22:00-04:00", kTuesday + at(3, 59), 0},
      {"Mon-Fri 22:00-04:00", kTuesday + at(4, 0), at(18, 0)},
      {"Mon-Fri 22:00-04:00", kSaturday + at(3, 59), 0},
      {"Mon-Fri 22:00-04:00", kSaturday + at(4, 0), 2 * 1440 + at(18, 0)},
      {"Sun 22:00-04:00", kMonday + at(1, 0), 0},
      {"Sun 22:00-04:00", kMonday + at(4, 0), 6 * 1440 + at(18, 0)},
      {"Sun-Mon 00:00-24:00", kMonday + at(12, 0), 0},
      {"Sun-Mon 00:00-24:00", kSunday + at(12, 0), 0},
      {"Sun-Mon 00:00-24:00", kTuesday, 5 * 1440},
      {"Mon,Sat 12:00-12:15", kTuesday, 4 * 1440 + at(12, 0)},
      {"00:00-00:00", kSaturday + at(7, 0), 0},
  };
  for (const auto& one : cases) {
    const auto window = config::parse_window(one.window);
    ASSERT_TRUE(window) << one.window;
    EXPECT_EQ(minutes_until_open({*window}, one.minute), one.left) << one.window << " at " << one.minute;
  }
}

TEST(Windows, TheNextOfSeveralCountsAndWithoutAnyItIsAlwaysOpen) {
  EXPECT_EQ(minutes_until_open({}, kTuesday), 0);
  EXPECT_EQ(minutes_until_open({*config::parse_window("Fri 02:00-03:00"), *config::parse_window("Wed 02:00-03:00")}, kTuesday), 1440 + at(2, 0));
}

TEST(Windows, AreOfTheTimeZoneOfTheNode) {
  const auto tuesday = std::chrono::system_clock::from_time_t(1'795'478'400);  // 2026-11-24T00:00:00Z, a Tuesday
  ::setenv("TZ", "UTC0", 1);
  EXPECT_EQ(minute_of_week(tuesday), kTuesday);
  ::setenv("TZ", "EST5", 1);
  EXPECT_EQ(minute_of_week(tuesday), kMonday + at(19, 0));
  ::unsetenv("TZ");
  ::tzset();
}

}  // namespace
}  // namespace berth::follow
