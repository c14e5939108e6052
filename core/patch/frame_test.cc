#include "core/patch/frame.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/test_noise.h"

namespace berth::patch {
namespace {

using testing::HasSubstr;

class Frames : public testing::Test {
 protected:
  std::string frame(std::string_view text, std::string_view from, Effort effort = Effort::fast) {
    auto made = encode_frame(text, from, effort);
    EXPECT_TRUE(made) << made.error().message;
    return made.value_or("");
  }
  void expect_refused(const std::string& bytes, std::string_view from, std::size_t size, const std::string& why) {
    std::string out(size, '\0');
    const auto done = decode_frame(bytes, from, out);
    ASSERT_FALSE(done) << why;
    EXPECT_EQ(done.error().code, Errc::trust);
    EXPECT_THAT(done.error().message, HasSubstr(why));
  }

  const std::string prefix = noise(3u << 20, 1);
  const std::string content = prefix.substr(1000, 2u << 20) + "and this is new" + prefix.substr(0, 1000);
};

TEST_F(Frames, HoldLittleMoreThanWhatIsNew) {
  for (const Effort effort : {Effort::fast, Effort::best}) {
    const std::string bytes = frame(content, prefix, effort);
    EXPECT_LT(bytes.size(), 1000U);
    EXPECT_EQ(bytes, frame(content, prefix, effort)) << "not the same twice";
    std::string out(content.size(), '\0');
    const auto done = decode_frame(bytes, prefix, out);
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_TRUE(out == content);
  }
}

TEST_F(Frames, AreRefusedWithAnotherPrefix) {
  expect_refused(frame(content, prefix), noise(3u << 20, 2), content.size(), "another build");
  expect_refused(frame(content, prefix), "", content.size(), "another build");
}

TEST_F(Frames, AreRefusedWhereTheyAreNotJustOneOfThatSize) {
  const std::string bytes = frame(content, prefix);
  expect_refused(bytes, prefix, content.size() - 1, "not the");
  expect_refused(bytes, prefix, content.size() + 1, "not the");
  expect_refused(bytes.substr(0, bytes.size() - 1), prefix, content.size(), "");
  expect_refused(bytes + bytes, prefix, content.size(), "before its bytes do");
  expect_refused(bytes + "x", prefix, content.size(), "before its bytes do");
  expect_refused("", prefix, content.size(), "cut off");
  expect_refused("no zstd at all", prefix, content.size(), "");
  expect_refused(std::string("\x50\x2a\x4d\x18\x04\0\0\0evil", 12), prefix, 4, "another kind");
  std::string damaged = bytes;
  damaged[damaged.size() - 2] ^= 1;
  expect_refused(damaged, prefix, content.size(), "cannot be decoded");
}

}  // namespace
}  // namespace berth::patch
