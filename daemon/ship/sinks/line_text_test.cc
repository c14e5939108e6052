#include "daemon/ship/sinks/line_text.h"

#include <gtest/gtest.h>

#include "core/json/json.h"
#include "core/utf8.h"

namespace berth::ship {
namespace {

using namespace std::string_literals;

TEST(LineText, TakesTerminalsSequencesOut) {
  const std::pair<std::string, std::string> cases[] = {
      {"plain", "plain"},
      {"\x1b[31mred\x1b[0m", "red"},
      {"\x1b[1;38;5;196mbright\x1b[m text", "bright text"},
      {"\x1b]0;a title\x07" "after", "after"},
      {"\x1b]8;;https://example.org\x1b\\link\x1b]8;;\x1b\\", "link"},
      {"\x1b(Bascii\x1b=", "ascii"},
      {"\x1b[2K\x1b[1Gprogress", "progress"},
      {"cut \x1b[31", "cut \x1b[31"},            // unfinished: it may be text
      {"\x1b]0;no end", "\x1b]0;no end"},
      {"\x1b", "\x1b"},
      {"a\x1b\x01z", "a\x1b\x01z"},
  };
  for (const auto& [text, plain] : cases) EXPECT_EQ(without_ansi(text), plain) << text;
}

TEST(LineText, EscapesEachByteThatIsNotUtf8AndNothingElse) {
  const std::pair<std::string, std::string> cases[] = {
      {"", ""},
      {"plain text of some length, longer than a word", "plain text of some length, longer than a word"},
      {"gr\xc3\xbc\xc3\x9f dich \xf0\x9f\x98\x80", "gr\xc3\xbc\xc3\x9f dich \xf0\x9f\x98\x80"},
      {"\xff", "\\xFF"},
      {"a\xc3(b", "a\\xC3(b"},
      {"12345678\x80tail", "12345678\\x80tail"},
      {"\xed\xa0\x80", "\\xED\\xA0\\x80"},      // a surrogate
      {"\xc0\xafx", "\\xC0\\xAFx"},            // overlong
      {"end\xe2\x82", "end\\xE2\\x82"},        // cut off
      {"nul\0byte"s, "nul\0byte"s},
  };
  for (const auto& [text, escaped] : cases) EXPECT_EQ(escape_bytes(text), escaped);
}

TEST(LineText, CutsBetweenCharacters) {
  EXPECT_EQ(cut_text("abc", 5), "abc");
  EXPECT_EQ(cut_text("abc", 2), "ab");
  EXPECT_EQ(cut_text("a\xf0\x9f\x98\x80", 4), "a");
  EXPECT_EQ(cut_text("\xc3\xbc", 1), "");
}

TEST(LineText, WritesStringsThatAnyReaderOfJsonTakes) {
  std::string every;
  for (int c = 0; c < 128; ++c) every += static_cast<char>(c);
  every += "\xc3\xbc\xe2\x80\xa8\xf0\x9f\x98\x80";
  for (const std::string& text : {""s, "plain"s, "\"quoted\" \\ \n\r\t"s, every}) {
    std::string json;
    append_json(json, text);
    const auto read = json::parse(json);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(std::string(read->as_string()), text);
  }
}

}  // namespace
}  // namespace berth::ship
