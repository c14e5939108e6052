#include "core/patch/script.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace berth::patch {
namespace {

using testing::HasSubstr;

constexpr std::string_view kOld = "the old build";

Result<std::string> make(const std::string& script, std::uint64_t size, std::string_view old = kOld) {
  std::string made;
  BERTH_CHECK(apply(script, old, size, [&](std::string_view piece) -> Result<void> {
    made += piece;
    return {};
  }));
  return made;
}

Script sample() {
  Script script;
  script.append("a new one, not ");
  script.steps.push_back({.added = 7, .literal = 0, .seek = 0});
  script.differences.assign(7, '\0');
  script.append("!");
  return script;
}

void expect_refused(const Script& script, const std::string& why) {
  const auto made = make(to_bytes(script), script.made());
  ASSERT_FALSE(made) << why;
  EXPECT_EQ(made.error().code, Errc::trust);
  EXPECT_THAT(made.error().message, HasSubstr(why));
}

TEST(Script, MakesTheNewOfTheOld) {
  const auto made = make(to_bytes(sample()), sample().made());
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(*made, "a new one, not the old!");
}

TEST(Script, AddsDifferencesAndMovesBothWays) {
  Script script;
  script.steps = {{.seek = 8}, {.added = 2, .seek = -10}, {.added = 3}};
  script.differences = std::string("\x01\0\xff\0\0", 5);
  EXPECT_EQ(make(to_bytes(script), 5).value_or(""), "cushe");
}

TEST(Script, TakesOneThatMakesNothing) { EXPECT_EQ(make(to_bytes({}), 0).value_or("?"), ""); }

TEST(Script, IsRefusedWhereItMakesAnotherSize) {
  const auto made = make(to_bytes(sample()), 24);
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().message, HasSubstr("makes 23 bytes, not the 24"));
}

TEST(Script, IsRefusedWhereItReachesOutOfTheOld) {
  expect_refused({.steps = {{.added = 14}}, .differences = std::string(14, '\0')}, "behind the end");
  expect_refused({.steps = {{.seek = 14}}}, "leads out");
  expect_refused({.steps = {{.seek = -1}}}, "leads out");
  expect_refused({.steps = {{.seek = INT64_MIN}}}, "leads out");
  expect_refused({.steps = {{.seek = INT64_MAX}}}, "leads out");
  expect_refused({.steps = {{.seek = 13}, {.added = 1}}, .differences = "x"}, "behind the end");
}

TEST(Script, IsRefusedWhereStepsAndBytesDoNotAgree) {
  expect_refused({.steps = {{.added = 2}}, .differences = "x"}, "more bytes than there are");
  expect_refused({.steps = {{.literal = 2}}, .literals = "x"}, "more bytes than there are");
  expect_refused({.steps = {{.literal = 1}}, .literals = "xy"}, "no step uses");
  expect_refused({.steps = {}, .differences = "x"}, "no step uses");
  expect_refused({.steps = std::vector<Step>(kMostSteps + 1)}, "too many steps");
}

TEST(Script, IsRefusedAtEveryLengthButItsOwn) {
  const std::string bytes = to_bytes(sample());
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    const auto made = make(bytes.substr(0, length), sample().made());
    ASSERT_FALSE(made) << length;
    EXPECT_EQ(made.error().code, Errc::trust);
  }
  EXPECT_FALSE(make(bytes + "x", sample().made()));
  std::string huge = bytes;
  huge.replace(8, 8, 8, '\xff');
  EXPECT_FALSE(make(huge, sample().made()));
  std::string number = to_bytes({.steps = {{.seek = 0}}});
  number.replace(8, 1, 1, '\x0b');
  number.erase(number.size() - 3);
  EXPECT_FALSE(make(number + std::string(10, '\xff') + '\1', 0)) << "a number of more than 64 bits";
}

TEST(Script, PassesOnWhatItsSinkFailsWith) {
  const auto full = apply(to_bytes(sample()), kOld, sample().made(), [](std::string_view) -> Result<void> { return fail(Errc::no_space, "full"); });
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, Errc::no_space);
}

}  // namespace
}  // namespace berth::patch
