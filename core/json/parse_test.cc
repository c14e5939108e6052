#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/json/json.h"

namespace berth::json {
namespace {

using testing::HasSubstr;

std::string complaint_about(std::string_view text, const Limits& limits = {}, bool floats = false) {
  const auto parsed = parse(text, limits, floats);
  if (parsed) return "";
  EXPECT_EQ(parsed.error().code, Errc::protocol);
  return parsed.error().message;
}

TEST(Parse, ReadsEveryKindOfValue) {
  const auto parsed = parse(R"( {"a":[1,-2,true,false,null,"x\u00e9\n"],"b":{"":{}}} )");
  ASSERT_TRUE(parsed) << parsed.error().message;
  const value expected = {{"a", {1, -2, true, false, nullptr, "x\xc3\xa9\n"}}, {"b", {{"", object()}}}};
  EXPECT_EQ(*parsed, expected);
}

TEST(Parse, ReadsTheSmallestAndTheLargestInteger) {
  const auto parsed = parse("[9223372036854775807,-9223372036854775808]");
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->at(0).as_int64(), INT64_MAX);
  EXPECT_EQ(parsed->at(1).as_int64(), INT64_MIN);
}

TEST(Parse, RefusesIntegersThatDoNotFitEvenWhereFloatsAreAllowed) {
  for (const char* text : {"9223372036854775808", "-9223372036854775809", "18446744073709551616", "[1,18446744073709551615]",
                           "{\"a\":1000000000000000000000000000000}"})
    for (const bool floats : {false, true}) EXPECT_THAT(complaint_about(text, {}, floats), HasSubstr("does not fit 64 bits")) << text;
}

TEST(Parse, RefusesNumbersThatNoFloatCanHold) {
  EXPECT_THAT(complaint_about("1e309", {}, true), HasSubstr("a number is too large"));
  EXPECT_THAT(complaint_about("[-9999999e9499999]", {}, true), HasSubstr("a number is too large"));
  EXPECT_EQ(complaint_about("1e308", {}, true), "");
}

TEST(Parse, RefusesFloatsUnlessAskedFor) {
  for (const char* text : {"1.0", "[1e2]", "{\"a\":-0.5E-3}"}) {
    EXPECT_THAT(complaint_about(text), HasSubstr("not an integer")) << text;
    EXPECT_EQ(complaint_about(text, {}, true), "") << text;
  }
}

TEST(Parse, RefusesAMemberThatOccursTwice) {
  EXPECT_THAT(complaint_about(R"({"a":1,"b":{"c":1,"c":1}})"), HasSubstr("member 'c' occurs twice"));
  EXPECT_THAT(complaint_about("{\"a\":1,\"\\u0061\":2}"), HasSubstr("member 'a' occurs twice"));
  EXPECT_EQ(complaint_about(R"([{"a":1},{"a":1}])"), "");
}

TEST(Parse, SaysWhereBytesFollowTheValue) {
  EXPECT_THAT(complaint_about("{} x"), HasSubstr("byte 3"));
  EXPECT_THAT(complaint_about("1 2"), HasSubstr("byte 2"));
  EXPECT_NE(complaint_about(std::string_view("{}\0", 3)), "");
}

TEST(Parse, SaysWhereTheTextIsBroken) {
  EXPECT_THAT(complaint_about(R"({"a":tru})"), HasSubstr("byte 5"));
  for (const char* text : {"", " ", "{", "[1,]", "{\"a\"}", "\"\\ud800\"", "\"\xff\"", "01", "nan", "'a'", "/**/1", "\"a\nb\""})
    EXPECT_NE(complaint_about(text), "") << text;
}

TEST(Parse, RefusesWhatIsLongerOrDeeperThanAllowed) {
  const std::string deep = std::string(65, '[') + std::string(65, ']');
  EXPECT_NE(complaint_about(deep), "");
  EXPECT_EQ(complaint_about(deep, {.most_depth = 65}), "");
  EXPECT_NE(complaint_about(std::string(1'000'000, '[')), "");
  EXPECT_THAT(complaint_about("[1,2]", {.most_bytes = 4}), HasSubstr("longer than the 4"));
}

}  // namespace
}  // namespace berth::json
