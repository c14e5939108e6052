#include "core/io/download.h"

#include <gtest/gtest.h>

namespace berth::io {
namespace {

TEST(ContentRange, IsRead) {
  const auto part = parse_content_range("bytes 5-9/10");
  ASSERT_TRUE(part);
  EXPECT_EQ(part->first, 5U);
  EXPECT_EQ(part->last, 9U);
  EXPECT_EQ(part->whole, 10U);
  EXPECT_FALSE(parse_content_range("bytes 5-9/*")->whole);
  EXPECT_FALSE(parse_content_range("bytes */10")->first);
}

TEST(ContentRange, IsRefusedWhereItContradictsItself) {
  for (const char* text : {"", "bytes", "bytes 5-9", "bytes 9-5/10", "bytes 5-10/10", "bytes */*", "bytes -5/10", "bytes 5-/10", "items 5-9/10",
                           "bytes 5-9/x", "bytes 18446744073709551616-18446744073709551617/*"})
    EXPECT_FALSE(parse_content_range(text)) << text;
}

class DownloadTest : public testing::Test {
 protected:
  /// The code of what goes wrong, or nothing.
  std::optional<Errc> run(int status, const Headers& headers, std::string_view body) {
    got.clear();
    Download download(from, most, sink);
    auto done = download.begin(status, headers);
    if (done && download.wants_body()) done = download.take(body.substr(0, 3));
    if (done && download.wants_body()) done = download.take(body.substr(std::min<std::size_t>(3, body.size())));
    if (done) done = download.end();
    return done ? std::nullopt : std::optional(done.error().code);
  }

  std::uint64_t from = 0, most = 10;
  std::string got;
  std::function<Result<void>(std::string_view)> sink = [this](std::string_view piece) {
    got += piece;
    return Result<void>();
  };
};

TEST_F(DownloadTest, TakesAWholeUpToItsLimit) {
  EXPECT_EQ(run(200, {}, "0123456789"), std::nullopt);
  EXPECT_EQ(got, "0123456789");
  EXPECT_EQ(run(200, {}, "0123456789x"), Errc::protocol);
  EXPECT_EQ(run(200, {{"content-length", "11"}}, ""), Errc::protocol);
  EXPECT_EQ(run(200, {{"content-encoding", "gzip"}}, ""), Errc::protocol);
}

TEST_F(DownloadTest, SkipsWhatIsHereWhereTheServerIgnoresTheRange) {
  from = 5;
  EXPECT_EQ(run(200, {{"content-length", "10"}}, "0123456789"), std::nullopt);
  EXPECT_EQ(got, "56789");
  EXPECT_EQ(run(200, {}, "01234"), std::nullopt);
  EXPECT_EQ(run(200, {}, "0123"), Errc::protocol);
  most = 4;
  EXPECT_EQ(run(200, {}, "0123456789"), Errc::protocol);
}

TEST_F(DownloadTest, TakesThePartThatItAskedForOnly) {
  from = 5;
  EXPECT_EQ(run(206, {{"content-range", "bytes 5-9/10"}}, "56789"), std::nullopt);
  EXPECT_EQ(got, "56789");
  EXPECT_EQ(run(206, {{"content-range", "bytes 0-4/10"}}, "01234"), Errc::protocol);
  EXPECT_EQ(run(206, {}, "56789"), Errc::protocol);
  EXPECT_EQ(run(206, {{"content-range", "bytes 5-9/10"}, {"content-length", "4"}}, "5678"), Errc::protocol);
  EXPECT_EQ(run(206, {{"content-range", "bytes 5-9/10"}}, "567890"), Errc::protocol);
  EXPECT_EQ(run(206, {{"content-range", "bytes 5-9/10"}}, "567"), Errc::unreachable);
  EXPECT_EQ(run(206, {{"content-range", "bytes 5-7/10"}}, "567"), Errc::unreachable);
  EXPECT_EQ(got, "567");
  EXPECT_EQ(run(206, {{"content-range", "bytes 5-100/101"}}, ""), Errc::protocol);
  from = 0;
  EXPECT_EQ(run(206, {{"content-range", "bytes 0-4/10"}}, "01234"), Errc::protocol);
}

TEST_F(DownloadTest, IsDoneWhereNothingIsLeft) {
  from = 10;
  EXPECT_EQ(run(416, {{"content-range", "bytes */10"}}, ""), std::nullopt);
  EXPECT_EQ(run(416, {{"content-range", "bytes */9"}}, ""), Errc::protocol);
  EXPECT_EQ(run(416, {{"content-range", "bytes */11"}}, ""), Errc::unreachable);
  EXPECT_EQ(run(416, {}, ""), Errc::unreachable);
}

TEST_F(DownloadTest, TellsWhatIsNotThereFromWhatIsOutOfReach) {
  EXPECT_EQ(run(404, {}, ""), Errc::not_found);
  EXPECT_EQ(run(403, {}, ""), Errc::not_found);
  EXPECT_EQ(run(500, {}, ""), Errc::unreachable);
  EXPECT_EQ(run(204, {}, ""), Errc::unreachable);
  EXPECT_EQ(run(302, {}, ""), Errc::protocol);
  EXPECT_EQ(run(302, {{"location", "/x"}}, ""), std::nullopt);
}

}  // namespace
}  // namespace berth::io
