#include "core/trust/time.h"

#include <gtest/gtest.h>

namespace berth::trust {
namespace {

using namespace std::chrono_literals;

TEST(Time, GoesThereAndBack) {
  for (const char* text : {"1970-01-01T00:00:00Z", "2024-02-29T23:59:59Z", "2031-05-17T08:00:00Z"}) {
    const auto time = parse_time(text);
    ASSERT_TRUE(time) << time.error().message;
    EXPECT_EQ(to_string(*time), text);
  }
  EXPECT_EQ(*parse_time("1970-01-02T00:00:01Z") - WallTime(), 86401s);
}

TEST(Time, RefusesOtherForms) {
  for (const char* text : {"", "2031-05-17", "2031-05-17T08:00:00", "2031-05-17T08:00:00+00:00", "2031-05-17 08:00:00Z",
                           "2031-05-17T08:00:00.5Z", "2023-02-29T00:00:00Z", "2031-13-01T00:00:00Z", "2031-01-01T24:00:00Z",
                           "2031-01-01T00:60:00Z", "+031-01-01T00:00:00Z", " 2031-05-17T08:00:00Z"}) {
    const auto time = parse_time(text);
    ASSERT_FALSE(time) << text;
    EXPECT_EQ(time.error().code, Errc::trust);
  }
}

TEST(Time, TakesWhatLiesBeyondTheClockForItsEnd) {
  EXPECT_GT(*parse_time("9999-12-31T23:59:59Z"), *parse_time("2261-12-31T00:00:00Z"));
}

}  // namespace
}  // namespace berth::trust
