#include <gmock/gmock.h>

#include "core/logs/log_fixture.h"

namespace berth::logs {
namespace {

using testing::ElementsAre;
using LogReaderTest = LogFixture;

TEST_F(LogReaderTest, MergesInstancesAndSegmentsByTime) {
  append("web/web.1", 1, cri(1, "a") + cri(4, "d"));
  compress("web/web.1", 1);
  append("web/web.1", 3, cri(5, "e"));
  append("web/web.2", 1, cri(2, "b"));
  append("web/worker.1", 1, cri(3, "c") + cri(6, "f"));
  auto reader = open("web");
  EXPECT_THAT(texts(reader), ElementsAre("a", "b", "c", "d", "e", "f"));
}

TEST_F(LogReaderTest, TellsInstanceStreamAndSequence) {
  append("web/web.2", 41, cri(1, "x") + cri(2, "y", "stderr"));
  auto reader = open("web/web");
  ASSERT_TRUE(reader.next().value());
  const auto record = reader.next().value();
  ASSERT_TRUE(record);
  EXPECT_EQ(to_string(reader.instance(record->source)), "web/web.2");
  EXPECT_EQ(record->stream, Stream::err);
  EXPECT_EQ(record->sequence, 42u);
}

TEST_F(LogReaderTest, JoinsALineThatARotationCut) {
  append("web/web.1", 1, cri(1, "one ", "stdout", "P"));
  append("web/web.1", 2, cri(2, "line") + cri(3, "no newline", "stdout", "P"));
  auto reader = open("web");
  EXPECT_THAT(texts(reader), ElementsAre("one line", "no newline"));
}

TEST_F(LogReaderTest, PassesTornLinesOverAndCountsThem) {
  append("web/web.1", 1, cri(1, "a") + std::string(100, '\0') + "\n" + cri(2, "b") + "2026-11-24T09:0");
  auto reader = open("web");
  EXPECT_THAT(texts(reader), ElementsAre("a", "b"));
  EXPECT_EQ(reader.damaged(), 1u);
}

TEST_F(LogReaderTest, GoesOnAfterADamagedCompressedSegment) {
  append("web/web.1", 1, cri(1, "lost"));
  compress("web/web.1", 1);
  std::ofstream(root / "web/web.1" / (segment_name(1) + ".zst"), std::ios::binary) << "not zstd at all";
  append("web/web.1", 2, cri(2, "kept"));
  auto reader = open("web");
  EXPECT_THAT(texts(reader), ElementsAre("kept"));
  EXPECT_EQ(reader.damaged(), 1u);
}

TEST_F(LogReaderTest, FiltersByTimeTextAndStream) {
  for (int i = 1; i <= 9; ++i) append("web/web.1", static_cast<std::uint64_t>(i), cri(i * 600, i % 2 == 0 ? "even" : "odd", i == 4 ? "stderr" : "stdout"));
  const auto at = [](int seconds) { return *parse_rfc3339(cri(seconds, "").substr(0, 30)); };
  auto between = open("web", {.since = at(1200), .until = at(3000)});
  EXPECT_THAT(texts(between), ElementsAre("even", "odd", "even"));
  auto even = open("web", {.pattern = Pattern::fixed("even")});
  EXPECT_EQ(texts(even).size(), 4u);
  auto errors = open("web", {.stream = Stream::err});
  EXPECT_EQ(texts(errors).size(), 1u);
}

TEST_F(LogReaderTest, GivesTheLastLinesOfAllInstancesTogether) {
  append("web/web.1", 1, cri(1, "a") + cri(2, "b"));
  append("web/web.1", 3, cri(5, "e"));
  append("web/web.2", 1, cri(3, "c") + cri(4, "d"));
  for (std::uint64_t last : {0u, 1u, 3u, 5u, 9u}) {
    auto reader = open("web", {}, last);
    std::vector<std::string> all{"a", "b", "c", "d", "e"};
    if (last < 5) all.erase(all.begin(), all.end() - static_cast<long>(last));
    EXPECT_EQ(texts(reader), all) << last;
  }
}

TEST_F(LogReaderTest, GivesTheLastMatchingLinesOutOfALargeSegment) {
  std::string bytes;
  for (int i = 0; i < 60'000; ++i) bytes += cri(i, i % 1000 == 0 ? fmt::format("mark {}", i) : fmt::format("line {}", i));
  append("web/web.1", 1, bytes);
  auto plain = open("web", {}, 2);
  EXPECT_THAT(texts(plain), ElementsAre("line 59998", "line 59999"));
  auto marks = open("web", {.pattern = Pattern::fixed("mark")}, 3);
  EXPECT_THAT(texts(marks), ElementsAre("mark 57000", "mark 58000", "mark 59000"));
}

TEST_F(LogReaderTest, GivesTheLastLinesOfALogThatGrowsMeanwhile) {
  append("web/web.1", 1, cri(1, "a") + cri(2, "b"));
  append("web/web.1", 3, cri(3, "c") + cri(4, "d") + cri(5, "unfinished ", "stdout", "P"));
  append("web/web.2", 1, cri(1, "other"));
  fs::create_directories(root / "web/web.3");
  for (const std::uint64_t last : {0u, 1u, 2u, 4u, 9u}) {
    SCOPED_TRACE(last);
    auto reader = open("web", {}, last);
    auto searched = open("web", {.pattern = Pattern::fixed("e")}, last);
    auto followed = open("web", {}, last, true);
    const auto folder = root / "web/web.1";
    const std::string whole = [&] { std::ifstream file(folder / segment_name(3)); return std::string(std::istreambuf_iterator<char>(file), {}); }();
    append("web/web.1", 3, cri(6, "and its end") + cri(7, "later e"));
    append("web/web.1", 8, cri(8, "later still e"));
    append("web/web.2", 1, cri(9, "later e"));
    append("web/web.3", 1, cri(10, "first e"));
    std::vector<std::string> all{"a", "other", "b", "c", "d", "unfinished "};
    if (last < all.size()) all.erase(all.begin(), all.end() - static_cast<long>(last));
    EXPECT_EQ(texts(reader), all);
    std::vector<std::string> matching{"other", "unfinished "};
    if (last < 2) matching.erase(matching.begin(), matching.end() - static_cast<long>(last));
    EXPECT_EQ(texts(searched), matching);
    EXPECT_EQ(texts(followed).back(), "first e");
    fs::remove(folder / segment_name(8));
    fs::remove(root / "web/web.3" / segment_name(1));
    std::ofstream(folder / segment_name(3)) << whole;
    std::ofstream(root / "web/web.2" / segment_name(1)) << cri(1, "other");
  }
}

TEST_F(LogReaderTest, GivesTheLastLinesOfASegmentThatIsCompressedMeanwhile) {
  std::string bytes;
  for (int i = 0; i < 20'000; ++i) bytes += cri(i, fmt::format("line {}", i));
  append("web/web.1", 1, bytes);
  auto plain = open("web", {}, 2);
  auto mark = open("web", {.pattern = Pattern::fixed("9999")}, 1);
  append("web/web.1", 20'001, cri(20'000, "later 9999"));
  compress("web/web.1", 1);
  EXPECT_THAT(texts(plain), ElementsAre("line 19998", "line 19999"));
  EXPECT_THAT(texts(mark), ElementsAre("line 19999"));
}

TEST_F(LogReaderTest, GoesOnBehindALineThatARunNeverEnded) {
  append("web/web.1", 1, cri(1, "torn", "stdout", "P:v1:1:10") + cri(2, "a", "stdout", "F:v1:1:11") + cri(3, "b", "stdout", "F:v1:1:11"));
  auto all = open("web");
  EXPECT_THAT(texts(all), ElementsAre("torn", "a", "b"));
  auto last = open("web", {}, 2);
  EXPECT_THAT(texts(last), ElementsAre("a", "b"));
  auto found = open("web", {.pattern = Pattern::fixed("a")});
  EXPECT_THAT(texts(found), ElementsAre("a"));
}

TEST_F(LogReaderTest, ReadsALineOfAGigabyteInBoundedPieces) {
  // What a keeper writes of an app that never ends its line: parts of 16 KiB. 8 MiB stand for the gigabyte.
  const std::string part(16u << 10, 'x');
  for (int i = 0; i < 512; ++i) append("web/web.1", 1, cri(1, part, "stdout", "P"));
  auto reader = open("web");
  std::size_t bytes = 0;
  for (const auto& text : texts(reader)) {
    EXPECT_LE(text.size(), LineJoiner::kMostRecord + part.size());
    bytes += text.size();
  }
  EXPECT_EQ(bytes, 512 * part.size());
}

TEST_F(LogReaderTest, CutsALogLineThatNoKeeperWrites) {
  append("web/web.1", 1, cri(1, std::string(3u << 20, 'x')) + cri(2, "next"));
  auto reader = open("web");
  const auto all = texts(reader);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_LE(all[0].size(), SegmentReader::kMostLine);
  EXPECT_EQ(all[1], "next");
}

}  // namespace
}  // namespace berth::logs
