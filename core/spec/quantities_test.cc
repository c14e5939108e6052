#include "core/spec/quantities.h"

#include <csignal>

#include <gtest/gtest.h>

#include "core/spec/app_spec.h"

namespace berth::spec {
namespace {

using namespace std::chrono_literals;

TEST(Duration, IsReadWithItsUnit) {
  const std::pair<const char*, milliseconds> kCases[] = {{"0s", 0ms}, {"500ms", 500ms}, {"10s", 10s},  {"5m", 5min},
                                                         {"1h", 1h},  {"24h", 24h},     {"1440m", 24h}};
  for (const auto& [text, expected] : kCases) {
    const auto parsed = parse_duration(text);
    ASSERT_TRUE(parsed) << text << ": " << parsed.error().message;
    EXPECT_EQ(*parsed, expected) << text;
  }
}

TEST(Duration, WithoutAUnitOrOutOfRangeIsRefused) {
  for (const char* text : {"", "10", "s", "-1s", "+1s", "1.5s", " 1s", "1s ", "1 s", "1S", "25h", "86401s", "99999999999999999999s",
                           "18446744073709551615h", "0x1s", "1d"}) {
    const auto parsed = parse_duration(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, Errc::usage);
  }
}

TEST(Duration, IsWrittenInItsLargestWholeUnit) {
  const std::pair<milliseconds, const char*> kCases[] = {{0ms, "0s"},  {1ms, "1ms"},  {1500ms, "1500ms"}, {90s, "90s"},
                                                         {120s, "2m"}, {3600s, "1h"}, {24h, "24h"}};
  for (const auto& [duration, expected] : kCases) {
    EXPECT_EQ(to_string(duration), expected);
    EXPECT_EQ(parse_duration(to_string(duration)), duration);
  }
}

TEST(Size, IsReadWithItsUnit) {
  const std::pair<const char*, std::uint64_t> kCases[] = {{"0B", 0},
                                                          {"512B", 512},
                                                          {"1KB", 1000},
                                                          {"1KiB", 1024},
                                                          {"1MB", 1'000'000},
                                                          {"16MiB", 16u << 20},
                                                          {"1GB", 1'000'000'000},
                                                          {"1GiB", 1u << 30},
                                                          {"1000GB", 1'000'000'000'000}};
  for (const auto& [text, expected] : kCases) EXPECT_EQ(parse_size(text), expected) << text;
  for (const char* text : {"", "10", "MB", "-1MB", "1mb", "1.5MB", "1001GB", "99999999999999999999B", "1TB"})
    EXPECT_FALSE(parse_size(text)) << text;
}

TEST(Signal, IsReadByNameAndNumber) {
  const std::pair<const char*, int> kCases[] = {{"TERM", SIGTERM}, {"SIGTERM", SIGTERM}, {"QUIT", SIGQUIT}, {"USR1", SIGUSR1},
                                                {"15", 15},        {"34", 34},           {"64", 64}};
  for (const auto& [text, expected] : kCases) EXPECT_EQ(parse_signal(text), expected) << text;
  for (const char* text : {"", "term", "SIG", "SIG15", "0", "65", "-1", "015", "15 ", "TERMINATE"})
    EXPECT_FALSE(parse_signal(text)) << text;
}

TEST(Signal, IsToldByItsNameWhereItHasOne) {
  EXPECT_EQ(signal_name(SIGTERM), "TERM");
  EXPECT_EQ(signal_name(SIGKILL), "KILL");
  EXPECT_EQ(signal_name(40), "40");
  for (int signal = 1; signal <= 64; ++signal) EXPECT_EQ(parse_signal(signal_name(signal)), signal);
}

}  // namespace
}  // namespace berth::spec
