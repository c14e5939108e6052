#include "cli/output/alternate_screen.h"

#include <gtest/gtest.h>

namespace berth::cli {
namespace {

TEST(AlternateScreen, ShowsWhatThereIsRoomForAndCountsTheRest) {
  EXPECT_EQ(fitted("", {.rows = 3, .columns = 9}), "");
  EXPECT_EQ(fitted("one\n\ntwo\n", {.rows = 3, .columns = 9}), "one\n\ntwo");
  EXPECT_EQ(fitted("1\n2\n3\n4\n5\n", {.rows = 3, .columns = 9}), "1\n2\n… 3 more");
  EXPECT_EQ(fitted("1\n2", {.rows = 1, .columns = 9}), "… 2 more");
}

TEST(AlternateScreen, PutsLongLinesIntoSeveralRowsWithTheirColours) {
  EXPECT_EQ(fitted("abcdef\ng", {.rows = 9, .columns = 3}), "abc\ndef\ng");
  EXPECT_EQ(fitted("one two three", {.rows = 9, .columns = 9}), "one two\nthree");
  EXPECT_EQ(fitted("one two three", {.rows = 9, .columns = 7}), "one two\nthree");
  EXPECT_EQ(fitted("a bcdefghi", {.rows = 9, .columns = 6}), "a bcde\nfghi") << "no row is less than half full for a long word";
  EXPECT_EQ(fitted("\x1b[31mone two\x1b[0m three", {.rows = 9, .columns = 7}), "\x1b[31mone two\x1b[0m\nthree");
  EXPECT_EQ(fitted("\x1b[31mone two thr\x1b[0m", {.rows = 9, .columns = 9}), "\x1b[31mone two\x1b[0m\n\x1b[31mthr\x1b[0m");
  EXPECT_EQ(fitted("äöüß", {.rows = 9, .columns = 3}), "äöü\nß");
  EXPECT_EQ(fitted("a\x1b[31mbcde\x1b[0mf", {.rows = 9, .columns = 3}), "a\x1b[31mbc\x1b[0m\n\x1b[31mde\x1b[0mf");
  EXPECT_EQ(fitted("\x1b[31mabc\x1b[0m", {.rows = 9, .columns = 3}), "\x1b[31mabc\x1b[0m") << "a colour takes no room";
}

}  // namespace
}  // namespace berth::cli
