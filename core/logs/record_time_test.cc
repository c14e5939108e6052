#include "core/logs/record_time.h"

#include <gtest/gtest.h>

namespace berth::logs {
namespace {

using namespace std::chrono;
using namespace std::chrono_literals;

const Time kNine = sys_days(2026y / November / 24) + 9h;

TEST(RecordTime, ReadsRfc3339InAnyOffsetAndFraction) {
  const std::pair<const char*, Time> table[] = {
      {"2026-11-24T09:00:00Z", kNine},
      {"2026-11-24t09:00:00z", kNine},
      {"2026-11-24 09:00:00Z", kNine},
      {"2026-11-24T10:30:00+01:30", kNine},
      {"2026-11-24T04:00:00-05:00", kNine},
      {"2026-11-24T09:00:00.5Z", kNine + 500ms},
      {"2026-11-24T09:00:00.123456789Z", kNine + 123456789ns},
      {"2026-11-24T09:00:00.1234567891234Z", kNine + 123456789ns},
  };
  for (const auto& [text, time] : table) EXPECT_EQ(parse_rfc3339(text), time) << text;
}

TEST(RecordTime, RefusesEverythingElse) {
  for (const char* text : {"", "now", "2026-11-24", "2026-11-24T09:00:00", "2026-13-24T09:00:00Z", "2026-02-30T09:00:00Z", "2026-11-24T24:00:00Z",
                           "2026-11-24T09:60:00Z", "2026-11-24T09:00:00.Z", "2026-11-24T09:00:00Zx", "1969-11-24T09:00:00Z", "9999-11-24T09:00:00Z"})
    EXPECT_FALSE(parse_rfc3339(text)) << text;
}

TEST(RecordTime, WritesWhatItReads) {
  EXPECT_EQ(format_rfc3339(kNine + 1234567ns), "2026-11-24T09:00:00.001Z");
  EXPECT_EQ(format_rfc3339(kNine, 0), "2026-11-24T09:00:00Z");
  EXPECT_EQ(parse_rfc3339(format_rfc3339(kNine + 7ns, 9)), kNine + 7ns);
}

TEST(RecordTime, TakesSpansTimesAndDaysAsAMoment) {
  EXPECT_EQ(parse_moment("10m", kNine).value(), kNine - 10min);
  EXPECT_EQ(parse_moment("1h30m", kNine).value(), kNine - 90min);
  EXPECT_EQ(parse_moment("7d", kNine).value(), kNine - days(7));
  EXPECT_EQ(parse_moment("2026-11-24T09:00:00Z", {}).value(), kNine);
  EXPECT_EQ(parse_moment("2026-11-24", {}).value(), kNine - 9h);
}

TEST(RecordTime, SaysWhichTextIsNoMoment) {
  for (const char* text : {"", "10", "-5m", "5x", "m", "1h30", "99999999999999d", "yesterday"}) {
    const auto moment = parse_moment(text, kNine);
    ASSERT_FALSE(moment) << text;
    EXPECT_EQ(moment.error().code, Errc::usage);
    EXPECT_NE(moment.error().message.find("'" + std::string(text) + "'"), std::string::npos) << moment.error().message;
  }
}

}  // namespace
}  // namespace berth::logs
