#include <gtest/gtest.h>

#include "core/json/json.h"

namespace berth::json {
namespace {

std::string canonical_of(std::string_view text) {
  const auto parsed = parse(text);
  if (!parsed) return parsed.error().message;
  const auto written = canonical(*parsed);
  return written ? *written : written.error().message;
}

TEST(Canonical, SortsMembersByBytesAndDropsWhiteSpace) {
  EXPECT_EQ(canonical_of(R"( { "b" : [ 1 , {} ] , "a" : { "é" : null, "z" : true, "Z" : -5 }, "" : [] } )"),
            R"({"":[],"a":{"Z":-5,"z":true,"é":null},"b":[1,{}]})");
}

TEST(Canonical, KeepsTheNewlinesOfAPemRaw) {
  EXPECT_EQ(canonical_of(R"({"public":"-----BEGIN PUBLIC KEY-----\nMFkw\n"})"),
            "{\"public\":\"-----BEGIN PUBLIC KEY-----\nMFkw\n\"}");
}

TEST(Canonical, EscapesOnlyQuoteAndBackslash) {
  EXPECT_EQ(canonical_of(R"("\"\\\/\t\u0001\u007f")"), "\"\\\"\\\\/\t\x01\x7f\"");
}

TEST(Canonical, KeepsWhatIsNotAsciiAsUtf8) {
  EXPECT_EQ(canonical_of(R"("\u00e9\ud83d\ude00 日")"), "\"é😀 日\"");
}

TEST(Canonical, WritesTheLargestIntegers) {
  EXPECT_EQ(canonical_of("[-9223372036854775808,9223372036854775807,-0]"), "[-9223372036854775808,9223372036854775807,0]");
}

TEST(Canonical, RefusesFloatsWhereverTheyAre) {
  for (const char* name : {"1.5", "[1.5]", "{\"a\":[{\"b\":1.5}]}"}) {
    const auto parsed = parse(name, {}, true);
    ASSERT_TRUE(parsed);
    const auto written = canonical(*parsed);
    ASSERT_FALSE(written) << name;
    EXPECT_EQ(written.error().code, Errc::protocol);
  }
}

TEST(Canonical, ReadsBackAsTheSameValue) {
  const value json = {{"list", {1, "two", nullptr}}, {"a\"b\\", "text"}};
  EXPECT_EQ(*parse(*canonical(json)), json);
}

}  // namespace
}  // namespace berth::json
