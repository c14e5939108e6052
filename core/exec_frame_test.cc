#include "core/exec_frame.h"

#include <csignal>

#include <gmock/gmock.h>

namespace berth::exec_frame {
namespace {

using testing::HasSubstr;

TEST(ExecFrame, IsTakenOffWhenItIsWhole) {
  const std::string whole = text(Kind::out, "hello") + text(Kind::in);
  std::string buffer;
  for (std::size_t i = 0; i < 9; ++i) {
    buffer += whole[i];
    const auto early = take(buffer);
    ASSERT_TRUE(early);
    EXPECT_FALSE(*early) << i;
  }
  buffer = whole;
  const auto first = take(buffer), second = take(buffer), none = take(buffer);
  ASSERT_TRUE(first && *first && second && *second && none);
  EXPECT_EQ((*first)->kind, Kind::out);
  EXPECT_EQ((*first)->bytes, "hello");
  EXPECT_EQ((*second)->kind, Kind::in);
  EXPECT_EQ((*second)->bytes, "");
  EXPECT_FALSE(*none);
  EXPECT_EQ(text(Kind::err, "x"), std::string("\x02\0\0\0\x01x", 6)) << "as formats.md has it";
}

TEST(ExecFrame, ThatIsTooLongOrOfNoKindIsRefusedBeforeItIsThere) {
  std::string long_one("\x00\x00\x01\x00\x01", 5), strange("\x0a\x00\x00\x00\x00", 5);
  EXPECT_THAT(take(long_one).error().message, HasSubstr("65537 bytes is longer than 65536"));
  EXPECT_THAT(take(strange).error().message, HasSubstr("no kind 10"));
  std::string longest = text(Kind::in, std::string(kMostBytes, 'x'));
  EXPECT_EQ((**take(longest)).bytes.size(), kMostBytes);
}

TEST(ExecFrame, SaysSizesRoomSignalsAndTheEnd) {
  const auto back = [](std::string bytes) { return **take(bytes); };
  EXPECT_EQ(*size_of(back(resize_text(40, 120))), (std::pair<std::uint16_t, std::uint16_t>(40, 120)));
  EXPECT_EQ(*room_of(back(room_text(262144))), 262144u);
  const auto end = end_of(back(end_text({.exit = 137, .message = "of memory"})));
  EXPECT_EQ(end->exit, 137);
  EXPECT_EQ(end->message, "of memory");
  EXPECT_EQ(end_of(back(end_text({.exit = -1})))->exit, -1);
  EXPECT_EQ(*signal_of({Kind::signal, "TERM"}), SIGTERM);
  EXPECT_EQ(*signal_of({Kind::signal, "INT"}), SIGINT);
  for (const char* none : {"", "SIGTERM", "term", "15"}) EXPECT_FALSE(signal_of({Kind::signal, none})) << none;
  EXPECT_FALSE(size_of({Kind::resize, "abc"}));
  EXPECT_FALSE(room_of({Kind::room, ""}));
  EXPECT_FALSE(end_of({Kind::end, "abc"}));
}

}  // namespace
}  // namespace berth::exec_frame
