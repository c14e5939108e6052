#include "core/exposition/selector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace berth::exposition {
namespace {

using testing::HasSubstr;

TEST(Selector, IsANameAndLabels) {
  EXPECT_EQ(*parse_selector("http_errors_total"), (Selector{.name = "http_errors_total", .labels = {}}));
  EXPECT_EQ(*parse_selector("app:errors:sum"), (Selector{.name = "app:errors:sum", .labels = {}}));
  EXPECT_EQ(*parse_selector(R"(requests{code="500", path="a\"b\\c\nd",})"),
            (Selector{.name = "requests", .labels = {{"code", "500"}, {"path", "a\"b\\c\nd"}}}));
  EXPECT_EQ(*parse_selector("requests{}"), (Selector{.name = "requests", .labels = {}}));
}

TEST(Selector, SaysWhatIsWrongWithIt) {
  const std::pair<const char*, const char*> rows[] = {
      {"", "expected a metric's name at byte 0"},
      {"9x", "expected a metric's name at byte 0"},
      {"a b", "expected nothing more at byte 1"},
      {"a{", "expected a label's name or '}' at byte 2"},
      {"a{b}", "expected '=' at byte 3"},
      {"a{b=c}", "expected a value in double quotes at byte 4"},
      {"a{b=\"c}", "expected a value in double quotes"},
      {"a{b=\"\\x\"}", "expected a value in double quotes"},
      {"a{b=~\"c\"}", "expected a value in double quotes"},
      {"a{b!=\"c\"}", "expected '='"},
      {"a{b=\"c\" d=\"e\"}", "expected ',' or '}'"},
      {"a{b=\"c\",b=\"d\"}", "expected a label that was not there before"},
      {"a{b=\"c\"}[5m]", "expected nothing more at byte 8"},
      {"rate(a)", "expected nothing more at byte 4"},
  };
  for (const auto& [text, expected] : rows) {
    const auto selector = parse_selector(text);
    ASSERT_FALSE(selector) << text;
    EXPECT_EQ(selector.error().code, Errc::usage);
    EXPECT_THAT(selector.error().message, HasSubstr(expected)) << text;
  }
}

}  // namespace
}  // namespace berth::exposition
