#include "cli/output/text.h"

#include <gtest/gtest.h>

#include "cli/output/progress.h"
#include "cli/output/table.h"

namespace berth::cli {
namespace {

using namespace std::chrono_literals;

TEST(Printable, ShowsWhatCouldSteerATerminal) {
  const std::pair<std::string, std::string> table[] = {
      {"plain text\twith a tab", "plain text\twith a tab"},
      {"größe ✓ 日本", "größe ✓ 日本"},
      {"\x1b[31mred\x1b]0;title\x07", "\\x1b[31mred\\x1b]0;title\\x07"},
      {"a\rb\nc", "a\\x0db\\x0ac"},
      {"\xc2\x9b" "31m", "\\u009b31m"},
      {"\xe2\x80\xae" "txt", "\\u202etxt"},
      {"\xff\xc3", "\\xff\\xc3"},
      {"\xed\xa0\x80", "\\xed\\xa0\\x80"},
      {std::string("nul\0", 4), "nul\\x00"},
  };
  for (const auto& [raw, safe] : table) EXPECT_EQ(printable(raw), safe);
}

TEST(Shorten, CountsColumnsAndNotBytes) {
  EXPECT_EQ(shorten("größe", 5), "größe");
  EXPECT_EQ(shorten("größen", 5), "größ…");
  EXPECT_EQ(shorten("abc", 1), "…");
}

TEST(Figures, AreReadAtAGlance) {
  EXPECT_EQ(bytes_text(0), "0 B");
  EXPECT_EQ(bytes_text(999), "999 B");
  EXPECT_EQ(bytes_text(1500), "1.5 kB");
  EXPECT_EQ(bytes_text(999'999), "1.0 MB");
  EXPECT_EQ(bytes_text(12'345'678), "12.3 MB");
  EXPECT_EQ(age_text(3s), "3s");
  EXPECT_EQ(age_text(179s), "2m");
  EXPECT_EQ(age_text(47h), "47h");
  EXPECT_EQ(age_text(5 * 24h), "5d");
  EXPECT_EQ(age_text(-3s), "0s");
  EXPECT_EQ(took_text(850ms), "850ms");
  EXPECT_EQ(took_text(4240ms), "4.2s");
  EXPECT_EQ(took_text(192s), "3m 12s");
}

TEST(Bar, FillsWithWhatIsDone) {
  EXPECT_EQ(bar(0, 100, 12), "[..........]");
  EXPECT_EQ(bar(50, 100, 12), "[#####.....]");
  EXPECT_EQ(bar(500, 100, 12), "[##########]");
  EXPECT_EQ(bar(1, 0, 12), "[..........]");
  EXPECT_EQ(bar(1, 2, 2), "");
}

TEST(Table, AlignsColumnsAndLeavesEmptyOnesOut) {
  Table table({"APP", "EMPTY", "STATE"});
  table.row({"web", "", "größer"});
  table.row({"a-longer-name", "", "ok"});
  EXPECT_EQ(table.render(false, 0), "APP            STATE\nweb            größer\na-longer-name  ok\n");
}

TEST(Table, ShortensItsLastColumnToTheTerminal) {
  Table table({"APP", "NOTE"});
  table.row({"web", std::string(100, 'x')});
  const std::string text = table.render(false, 40);
  EXPECT_NE(text.find("web  " + std::string(34, 'x') + "…\n"), std::string::npos) << text;
}

TEST(Table, ColoursOnlyWhereAsked_AndNeverPassesOnAnApps) {
  Table table({"APP", "NOTE"});
  table.row({{"web", Tint::good}, "\x1b[2J"});
  EXPECT_EQ(table.render(false, 0).find('\x1b'), std::string::npos);
  EXPECT_NE(table.render(true, 0).find("\x1b[32mweb\x1b[0m"), std::string::npos);
  EXPECT_EQ(table.render(true, 0).find("\x1b[2J"), std::string::npos);
}

TEST(Table, WithoutRowsIsNothing) {
  EXPECT_EQ(Table({"A"}).render(false, 0), "");
}

TEST(Text, SaysHowLongACallTookToATenthOfAMillisecond) {
  EXPECT_EQ(fine_time_text(std::chrono::microseconds(870)), "0.9ms");
  EXPECT_EQ(fine_time_text(std::chrono::microseconds(12'340)), "12.3ms");
  EXPECT_EQ(fine_time_text(std::chrono::microseconds(123'400)), "123ms");
  EXPECT_EQ(fine_time_text(std::chrono::microseconds(4'200'000)), "4.2s");
}

}  // namespace
}  // namespace berth::cli
