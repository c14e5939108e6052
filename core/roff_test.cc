#include "core/roff.h"

#include <gtest/gtest.h>

namespace berth::roff {
namespace {

TEST(Roff, EscapesWhatWouldBeAMacroOrAHyphenation) {
  EXPECT_EQ(text("berth --man"), "berth \\-\\-man");
  EXPECT_EQ(text(".env\n'tis\na.b"), "\\&.env\n\\&'tis\na.b");
  EXPECT_EQ(text("C:\\"), "C:\\e");
}

TEST(Roff, ATermIsBoldAndItsTextIsBelowIt) { EXPECT_EQ(term("-v", "says more"), ".TP\n\\fB\\-v\\fR\nsays more\n"); }

}  // namespace
}  // namespace berth::roff
