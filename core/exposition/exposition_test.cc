#include "core/exposition/exposition.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace berth::exposition {
namespace {

using testing::HasSubstr;

constexpr const char* kPage = R"(# HELP http_requests_total Requests, by what they got.
# TYPE http_requests_total counter
http_requests_total{code="200",method="GET"} 1027 1395066363000
http_requests_total{code="500",method="GET"} 3
http_requests_total{code="500",method="POST",} 4.5e1
http_requests_total_created 1.7e9
 	up	1
# a comment without a keyword
nonsense that is no line {{{
weird{a="x\\y\"z\nq"} +7
latency_bucket{le="+Inf"} 9 # {trace_id="KOO5S4vxi0o"} 0.67
http_errors_total 2 # {trace_id="oHg5SJYRHA0"} 1.0 1520879607.789
# EOF
)";

double value_of(const char* query) {
  const auto sum = sum_of(kPage, *parse_selector(query));
  EXPECT_TRUE(sum) << sum.error().message;
  return sum ? sum->value : -1;
}

TEST(Exposition, AddsUpTheSeriesThatAreMeant) {
  EXPECT_EQ(value_of("http_requests_total"), 1075);
  EXPECT_EQ(value_of("http_requests_total{code=\"500\"}"), 48);
  EXPECT_EQ(value_of("http_requests_total{code=\"500\",method=\"GET\"}"), 3);
  EXPECT_EQ(value_of("up"), 1);
  EXPECT_EQ(value_of(R"(weird{a="x\\y\"z\nq"})"), 7);
  EXPECT_EQ(value_of("latency_bucket{le=\"+Inf\"}"), 9);
  EXPECT_EQ(value_of("http_errors_total"), 2);
  EXPECT_EQ(value_of("http_requests_total{path=\"\",code=\"200\"}"), 1027) << "a label that is not there is empty";
}

TEST(Exposition, TellsACounterThatNobodyCountedInFromOneThatIsNotThere) {
  const auto none = sum_of(kPage, *parse_selector("http_requests_total{code=\"404\"}"));
  EXPECT_EQ(none->series, 0u);
  EXPECT_TRUE(none->named);
  const auto missing = sum_of(kPage, *parse_selector("http_request_total"));
  EXPECT_EQ(missing->series, 0u);
  EXPECT_FALSE(missing->named);
  EXPECT_FALSE(sum_of("", *parse_selector("a"))->named);
}

TEST(Exposition, RefusesWhatIsNoCounter) {
  const std::pair<const char*, const char*> rows[] = {
      {"a", "its value is no number"},
      {"a ", "its value is no number"},
      {"a x", "its value is no number"},
      {"a 1x", "its value is no number"},
      {"a 0x10", "its value is no number"},
      {"a +-1", "its value is no number"},
      {"a NaN", "a counter is 0 or more"},
      {"a +Inf", "a counter is 0 or more"},
      {"a -1", "a counter is 0 or more"},
      {"a 1e999", "its value is no number"},
      {"a 1 x", "behind its value is no timestamp"},
      {"a 1 2 3", "something is behind its timestamp"},
      {"a{b 1", "expected '='"},
      {"a{b=\"c 1", "expected a value in double quotes"},
      {"a 1e308\na 1e308", "beyond all numbers"},
  };
  for (const auto& [page, expected] : rows) {
    const auto sum = sum_of(page, *parse_selector("a"));
    ASSERT_FALSE(sum) << page;
    EXPECT_EQ(sum.error().code, Errc::protocol);
    EXPECT_THAT(sum.error().message, HasSubstr(expected)) << page;
  }
  EXPECT_THAT(sum_of("b 1\n\na x", *parse_selector("a")).error().message, HasSubstr("line 3 of its metrics, a:"));
}

TEST(Exposition, IsBounded) {
  std::string labels;
  for (int i = 0; i < 100; ++i) labels += fmt::format("l{}=\"\",", i);
  EXPECT_FALSE(sum_of("a{" + labels + "} 1", *parse_selector("a")));
  EXPECT_FALSE(sum_of("a{b=\"" + std::string(20'000, 'x') + "\"} 1", *parse_selector("a")));
  EXPECT_TRUE(sum_of("other{b=\"" + std::string(200'000, 'x') + "\"} 1\na 1", *parse_selector("a")));
}

}  // namespace
}  // namespace berth::exposition
