#include "core/logs/compress_segment.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <zstd.h>

#include "core/files/files.h"
#include "core/logs/log_fixture.h"

namespace berth::logs {
namespace {

class CompressSegment : public LogFixture {
 protected:
  fs::path folder() const { return root / "web/web.1"; }
  Segment plain(std::uint64_t first) const { return {.path = folder() / segment_name(first), .first = first}; }
  /// As a keeper leaves a segment that it rotated.
  void rotate(std::uint64_t first) { ASSERT_EQ(::chmod(plain(first).path.c_str(), 0440), 0); }
  std::string all_text() {
    auto reader = open("web");
    std::string all;
    for (const std::string& text : texts(reader)) all += text + "\n";
    return all;
  }
};

TEST_F(CompressSegment, TakesThePlacesOfRotatedOnesOnly) {
  append("web/web.1", 1, cri(1, "a") + cri(2, "b"));
  append("web/web.1", 3, cri(3, "c"));
  append("web/web.1", 4, cri(4, "d"));
  append("web/web.1", 5, cri(5, "e"));
  rotate(1);
  rotate(4);
  const auto found = compressible_segments(folder());
  ASSERT_EQ(found.size(), 2u) << "all but the newest, and the one before it, by which its keeper goes on numbering";
  EXPECT_EQ(found[0].first, 1u);
  EXPECT_TRUE(compress_segment(found[0], {}).value());
  EXPECT_FALSE(compress_segment(found[1], {}).value()) << "its keeper may still write it";
  EXPECT_FALSE(fs::exists(plain(1).path));
  EXPECT_TRUE(fs::exists(plain(3).path));
  EXPECT_EQ(compressible_segments(folder()).size(), 1u);
  EXPECT_EQ(all_text(), "a\nb\nc\nd\ne\n");
  struct stat status {};
  ASSERT_EQ(::stat((plain(1).path.string() + ".zst").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0440u);
}

TEST_F(CompressSegment, IsReadWholeByManyFrames) {
  std::string expected, bytes;
  for (int i = 0; i < 40'000; ++i) {
    const std::string text = fmt::format("line {} of many that fill more than one frame", i);
    expected += text + "\n";
    bytes += cri(i, text);
  }
  append("web/web.1", 1, bytes);
  append("web/web.1", 40'001, "");
  rotate(1);
  ASSERT_GT(bytes.size(), 3u << 20);
  EXPECT_TRUE(compress_segment(plain(1), {}).value());
  EXPECT_EQ(all_text(), expected);
}

TEST_F(CompressSegment, OneThatAPowerCutEmptiedIsAFrameWithNothing) {
  append("web/web.1", 1, cri(1, "a"));
  append("web/web.1", 2, "");
  append("web/web.1", 3, cri(3, "c"));
  append("web/web.1", 4, cri(4, "d"));
  rotate(2);
  EXPECT_TRUE(compress_segment(plain(2), {}).value());
  const auto bytes = files::read(plain(2).path.string() + ".zst", 100).value();
  EXPECT_EQ(ZSTD_getFrameContentSize(bytes.data(), bytes.size()), 0u);
  EXPECT_EQ(all_text(), "a\nc\nd\n");
}

TEST_F(CompressSegment, TheTwoNewestStayAsTheyAre) {
  EXPECT_TRUE(compressible_segments(folder()).empty());
  append("web/web.1", 1, cri(1, "a"));
  EXPECT_TRUE(compressible_segments(folder()).empty());
  append("web/web.1", 2, cri(2, "b"));
  rotate(1);
  EXPECT_TRUE(compressible_segments(folder()).empty());
  append("web/web.1", 3, cri(3, "c"));
  rotate(2);
  const auto found = compressible_segments(folder());
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].first, 1u);
}

TEST_F(CompressSegment, FinishesWhatACrashLeft) {
  append("web/web.1", 1, cri(1, "a"));
  append("web/web.1", 2, cri(2, "b"));
  append("web/web.1", 3, cri(3, "c"));
  rotate(1);
  // Written half; and whole, with the plain one still there.
  std::ofstream(folder() / ("." + segment_name(1) + ".zst")) << "half of a fra";
  std::ofstream(folder() / (segment_name(1) + ".zst")) << "of an earlier attempt";
  EXPECT_EQ(all_text(), "a\nb\nc\n");
  const auto found = compressible_segments(folder());
  ASSERT_EQ(found.size(), 1u);
  EXPECT_TRUE(compress_segment(found[0], {}).value());
  EXPECT_EQ(all_text(), "a\nb\nc\n");
  EXPECT_FALSE(fs::exists(folder() / ("." + segment_name(1) + ".zst")));
}

TEST_F(CompressSegment, LeavesEverythingAsItWasWhenStopped) {
  append("web/web.1", 1, cri(1, "a"));
  append("web/web.1", 2, cri(2, "b"));
  rotate(1);
  std::stop_source stop;
  stop.request_stop();
  const auto done = compress_segment(plain(1), stop.get_token());
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Errc::cancelled);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder()), {}), 2);
  EXPECT_FALSE(compress_segment(plain(77), {}).value()) << "one that was removed meanwhile";
}

}  // namespace
}  // namespace berth::logs
