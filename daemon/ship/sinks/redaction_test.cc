#include "daemon/ship/sinks/redaction.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/secrets/known_secrets.h"

namespace berth::ship {
namespace {

using testing::HasSubstr;

std::string redacted(const std::vector<std::string>& patterns, std::string text) {
  const auto redactor = PatternRedactor::make(patterns);
  EXPECT_TRUE(redactor) << redactor.error().message;
  if (redactor) redactor->redact(text);
  return text;
}

TEST(PatternRedactor, TakesOutWhatMatchesOrItsFirstGroup) {
  EXPECT_EQ(redacted({"[0-9]{16}"}, "card 4111111111111111, card 4222222222222222."), "card [redacted], card [redacted].");
  EXPECT_EQ(redacted({"password=([^ ]+)"}, "password=hunter2 user=x password=again"), "password=[redacted] user=x password=[redacted]");
  EXPECT_EQ(redacted({"(secret)?key"}, "a key"), "a [redacted]");  // the group took no part
  EXPECT_EQ(redacted({"a", "b+"}, "abba"), "[redacted][redacted][redacted]");
  EXPECT_EQ(redacted({"^x.*$"}, "one\nxtwo\nthree"), "one\n[redacted]\nthree");
  EXPECT_EQ(redacted({"b"}, std::string("a\0b", 3)), std::string("a\0[redacted]", 12));
  EXPECT_EQ(redacted({"nothing"}, "else"), "else");
}

TEST(PatternRedactor, FindsValuesOfJsonAsThePageOfSinksHasIt) {
  const std::string pattern = R"p("password": *"(([^"\\]|\\.)*)")p";
  EXPECT_EQ(redacted({pattern}, R"({"user": "x", "password": "a \"b\" c", "n": 1})"), R"({"user": "x", "password": "[redacted]", "n": 1})");
  EXPECT_EQ(redacted({pattern}, R"({"password":""})").find("password"), 2u);
}

TEST(PatternRedactor, FindsAMatchWhereverItStandsInALongText) {
  const std::string token(64, 'T');
  for (const std::size_t at : {0, (64 << 10) - 80, (64 << 10) - 64, (64 << 10) - 1, (64 << 10) + 1, (128 << 10) - 4096 - 32, 200'000}) {
    std::string text(250'000, '.');
    text.replace(at, token.size(), token);
    std::string expected(250'000, '.');
    expected.replace(at, token.size(), secrets::kRedacted);
    EXPECT_EQ(redacted({"T+"}, text), expected) << at;
  }
  EXPECT_EQ(redacted({"T+"}, std::string(300'000, 'T')).find('T'), std::string::npos);
}

TEST(PatternRedactor, RefusesWhatHasNoBoundOrNoSense) {
  const std::pair<std::string, std::string> cases[] = {{"a(b", "is wrong"}, {"(a)\\1", "refers back"}, {"x*", "matches the empty text"}, {"", "matches the empty text"}};
  for (const auto& [pattern, why] : cases) {
    const auto made = PatternRedactor::make({pattern});
    ASSERT_FALSE(made) << pattern;
    EXPECT_EQ(made.error().code, Errc::usage);
    EXPECT_THAT(made.error().message, HasSubstr(why));
  }
  EXPECT_TRUE(PatternRedactor::make({"\\\\1"}));  // a backslash, and a digit
}

}  // namespace
}  // namespace berth::ship
