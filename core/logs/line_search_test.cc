#include "core/logs/line_search.h"

#include <gmock/gmock.h>
#include <fmt/core.h>

#include <random>

namespace berth::logs {
namespace {

std::string plain(std::string_view text, std::string_view tag = "F:v42:17:4711") { return fmt::format("2026-11-24T09:00:01.123456789Z stdout {} {}\n", tag, text); }

TEST(TextFinder, FindsWhatTheLibraryFinds) {
  std::mt19937 random(42);
  std::string bytes(5000, ' ');
  for (char& c : bytes) c = static_cast<char>("abcAB01 :\xc3"[random() % 10]);
  for (int i = 0; i < 4000; ++i) {
    const std::size_t size = 1 + random() % 40;
    std::string text = bytes.substr(random() % (bytes.size() - size), size);
    if (i % 3 == 0) text.back() = 'Z';
    const std::size_t from = random() % bytes.size(), length = random() % (bytes.size() - from);
    const std::string_view part(bytes.data(), from + length);
    ASSERT_EQ(TextFinder(text).find(part, from), part.find(text, from)) << "'" << text << "' in " << length << " bytes from " << from;
  }
  EXPECT_EQ(TextFinder("x").find(""), std::string_view::npos);
  EXPECT_EQ(TextFinder("x").find("x", 1), std::string_view::npos);
}

TEST(LineSearch, GivesLinesWithTheTextAndHowManyAreBeforeThem) {
  const std::string lines = plain("nothing") + plain("a needle here") + plain(std::string(1000, 'x')) + plain("needle") + plain("none");
  std::vector<SearchedLine> found;
  EXPECT_EQ(LineSearch("needle").search(lines, found), 5u);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].before, 1u);
  EXPECT_EQ(found[1].before, 3u);
  EXPECT_TRUE(std::string_view(lines).substr(found[1].offset).starts_with(plain("needle")));
}

TEST(LineSearch, RulesOutNoLineThatMayBePartOfALongerOneOrIsOfAnotherForm) {
  const std::string others[] = {plain("half", "P:v42:17:4711"), plain("half", "P"), "2026-11-24T09:00:00Z stdout F short stamp\n", "torn\n", "\n",
                                "2026-11-24T09:00:01.1234567890Z stdout F longer stamp\n"};
  for (const std::string& other : others) {
    std::vector<SearchedLine> found;
    EXPECT_EQ(LineSearch("needle").search(plain("one") + other + plain("two"), found), 3u);
    ASSERT_EQ(found.size(), 1u) << other;
    EXPECT_EQ(found[0].before, 1u);
    EXPECT_EQ(found[0].offset, plain("one").size());
  }
  std::vector<SearchedLine> found;
  EXPECT_EQ(LineSearch("needle").search(plain("", "F"), found), 1u);
  EXPECT_TRUE(found.empty());
}

}  // namespace
}  // namespace berth::logs
