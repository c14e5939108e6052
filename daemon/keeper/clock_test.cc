#include "daemon/keeper/clock.h"

#include <string>

#include <gtest/gtest.h>

namespace berth::keeper {
namespace {

std::string text_of(std::int64_t seconds, long nanoseconds) {
  char text[30];
  write_timestamp(text, {.tv_sec = seconds, .tv_nsec = nanoseconds});
  return std::string(text, sizeof text);
}

TEST(Timestamp, IsRfc3339InUtcWithNanoseconds) {
  EXPECT_EQ(text_of(0, 0), "1970-01-01T00:00:00.000000000Z");
  EXPECT_EQ(text_of(1795510800, 123456789), "2026-11-24T09:00:00.123456789Z");
}

TEST(Timestamp, AgreesWithTheLibraryOnEveryDayOfFourCenturies) {
  for (std::int64_t day = 0; day < 146'097; day++) {
    const time_t noon = day * 86'400 + 43'200;
    tm parts{};
    gmtime_r(&noon, &parts);
    char expected[32];
    strftime(expected, sizeof expected, "%Y-%m-%dT%H:%M:%S.000000007Z", &parts);
    ASSERT_EQ(text_of(noon, 7), expected);
    ASSERT_EQ(read_timestamp(expected), noon);
  }
}

TEST(Timestamp, IsNotReadOutOfOtherText) {
  for (const char* text : {"                    ", "0000000000000000001\n", "2026-13-24T09:00:00Z", "2026-11-24 09:00:00Z", "line 4711 of the app"}) EXPECT_EQ(read_timestamp(text), -1) << text;
}

}  // namespace
}  // namespace berth::keeper
