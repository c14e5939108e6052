#include "core/logs/pattern_cost.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/logs/log_filter.h"

namespace berth::logs {
namespace {

using testing::HasSubstr;

struct Case {
  const char* expression;
  const char* complaint;  ///< empty: it is fine
};

void PrintTo(const Case& one, std::ostream* out) { *out << one.expression; }

class PatternCost : public testing::TestWithParam<Case> {};

TEST_P(PatternCost, IsBounded) {
  const auto checked = check_cost(GetParam().expression);
  const std::string said = checked ? std::string() : checked.error().message;
  EXPECT_EQ(said.empty(), std::string(GetParam().complaint).empty()) << said;
  EXPECT_THAT(said, HasSubstr(GetParam().complaint));
}

INSTANTIATE_TEST_SUITE_P(Table, PatternCost,
                         testing::Values(Case{"ERROR|FATAL", ""}, Case{"status=5[0-9]{2}$", ""}, Case{"", ""}, Case{"a{2000}", "too costly"}, Case{"a{1,1900}", ""},
                                         Case{"(a{1,44}){1,44}", ""}, Case{"(a{1,255}){1,255}", "too costly"}, Case{"((a{1,20}){1,20}){1,20}", "too costly"},
                                         Case{"a{30}{30}{30}", "too costly"}, Case{"[[:alpha:]{]{1,10}", ""}, Case{"[]{9999}]x", ""}, Case{"[^]{9999}]x", ""},
                                         Case{"\\(a{1,255}\\){1,255}", ""}, Case{"a{99999999999999999999}", "too costly"}, Case{"a{,3000}", "too costly"},
                                         Case{"a{3000,}", "too costly"}, Case{"{", ""}, Case{"a{", ""}, Case{"a{x}", ""}, Case{"(", ""}, Case{")", ""}, Case{"[", ""}, Case{"\\", ""},
                                         Case{"(a)\\1", "refers back to a group (\\1)"}, Case{"\\\\1", ""}));

TEST(PatternCost, GroupsAreNotReadAtAnyDepth) {
  EXPECT_TRUE(check_cost(std::string(100, '(') + "a" + std::string(100, ')')));
  const auto refused = check_cost(std::string(100'000, '(') + "a" + std::string(100'000, ')'));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("more than 100 groups"));
}

TEST(PatternCost, IsAskedForBeforeAPatternIsCompiled) {
  const auto refused = Pattern::regex("((a{1,255}){1,255}){1,255}");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::usage);
  EXPECT_THAT(refused.error().message, HasSubstr("too costly"));
}

}  // namespace
}  // namespace berth::logs
