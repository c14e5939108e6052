#include "core/utf8.h"

#include <gtest/gtest.h>

namespace berth {
namespace {

TEST(Utf8, ReplacesWhatIsNone) {
  struct Row {
    std::string text, valid;
  };
  for (const auto& [text, valid] : {
           Row{"grün ✓ 🚢\x1b\t", "grün ✓ 🚢\x1b\t"},
           Row{"a\xff", "a\xEF\xBF\xBD"},
           Row{"\xC0\xAF", "\xEF\xBF\xBD\xEF\xBF\xBD"},                      // overlong
           Row{"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},      // a surrogate
           Row{"x\xE2\x9C", "x\xEF\xBF\xBD\xEF\xBF\xBD"},                    // cut
           Row{"\xF4\x90\x80\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"}})  // past the last one
    EXPECT_EQ(as_utf8(text), valid);
}

TEST(Utf8, ReadsACodePointWithItsLength) {
  EXPECT_EQ(first_code_point("✓x").value, U'✓');
  EXPECT_EQ(first_code_point("✓x").length, 3u);
  EXPECT_EQ(first_code_point("\x80").length, 0u);
}

}  // namespace
}  // namespace berth
