#include "daemon/keeper/log_segment_fixture.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "core/logs/log_layout.h"
#include "daemon/keeper/clock.h"

namespace berth::keeper {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

static_assert(kUnknownStep == logs::kUnknownStep, "readers know by it that the keeper did not know");
static_assert(kBootStep == logs::kBootStep && kBootStep % kUnknownStep == 0, "older readers take it for one of those");

/// Appends `count` lines, some at once; counts what was not written.
void append_lines(const std::string& directory, std::string_view name, int count, std::uint64_t segment_bytes, int& lost) {
  LogSegment segment;
  segment.set(directory.c_str(), segment_bytes, std::uint64_t{1} << 30);
  for (int i = 0; i < count;) {
    std::string lines;
    for (int most = i % 3 + 1; most > 0 && i < count; --most) lines += fmt::format("{} {}\n", name, i++);
    if (segment.append(lines.data(), lines.size()) < lines.size()) ++lost;
  }
}

// Files of a few lines: of those who rotate, look for the newest and lock it, each comes first sometimes.
TEST(LogSegment, OfSeveralWritersHasEveryLineOnceAndNamesThatAreTrue) {
  const fs::path folder = fs::temp_directory_path() / fmt::format("berth-log-segment-{}", ::getpid());
  fs::create_directory(folder);
  constexpr int kWriters = 4, kLines = 500;
  std::array<int, kWriters> lost{};
  std::vector<std::thread> writers;
  for (int i = 0; i < kWriters; ++i)
    writers.emplace_back([&, i] { append_lines(folder.string(), fmt::format("w{}", i), kLines, 60, lost[static_cast<std::size_t>(i)]); });
  for (auto& writer : writers) writer.join();

  for (const int count : lost) EXPECT_EQ(count, 0);

  fs::remove(folder / ".boot");
  std::vector<fs::path> files(fs::directory_iterator{folder}, fs::directory_iterator{});
  std::ranges::sort(files);
  std::array<int, kWriters> next{};
  int place = 1;
  for (const auto& path : files) {
    ASSERT_EQ(path.filename().string(), fmt::format("{:016}.log", place));
    std::ifstream file(path);
    for (std::string line; std::getline(file, line); ++place) {
      const auto writer = static_cast<std::size_t>(line[1] - '0');
      ASSERT_EQ(line, fmt::format("w{} {}", writer, next[writer]++));
    }
  }
  EXPECT_EQ(place, kWriters * kLines + 1);
  fs::remove_all(folder);
}

TEST_F(DamagedLog, GoesOnBehindTheLastNumberWhenAllPlainFilesAreRemoved) {
  put(segment, 8);  // 1, 4, 7
  compress(1);
  remove_plain();
  put(segment);
  EXPECT_EQ(plain(), Numbers{9});
  ASSERT_EQ(holes.size(), 1u);
  EXPECT_EQ(holes[0].next, 9u);
  EXPECT_FALSE(holes[0].unknown);
  put(segment, 3);
  EXPECT_EQ(plain(), (Numbers{9, 12}));
  EXPECT_EQ(holes.size(), 1u) << "told once";
}

TEST_F(DamagedLog, GoesOnBehindTheLastNumberWhenTheNewestFileIsRemoved) {
  put(segment, 5);
  fs::remove(file(4));
  put(segment);
  EXPECT_EQ(plain(), (Numbers{1, 6}));
  EXPECT_EQ(holes.size(), 1u);
}

TEST_F(DamagedLog, GoesOnBehindTheLastNumberWhenItsFolderIsRemoved) {
  put(segment, 5);
  fs::remove_all(folder);
  put(segment);
  EXPECT_EQ(plain(), Numbers{6});
  EXPECT_EQ(text_in(folder / ".boot"), text_in("/proc/sys/kernel/random/boot_id"));
}

TEST_F(DamagedLog, GoesOnInAnotherFileWhenItsOwnIsCutOff) {
  put(segment, 2);
  for (const std::uint64_t left : {0u, 20u, 35u}) {
    SCOPED_TRACE(left);
    const auto first = plain().back();
    put(segment, 1);
    fs::resize_file(file(first), left);
    put(segment);
    EXPECT_EQ(plain().back(), static_cast<std::uint64_t>(written));
    EXPECT_EQ(text_of(plain().back()), fmt::format("{:019}\n", written));
    EXPECT_EQ(fs::file_size(file(first)), left) << "nothing is written to what is left";
    EXPECT_TRUE(is_rotated(first));
    put(segment);
  }
  EXPECT_EQ(holes.size(), 3u);
}

TEST_F(DamagedLog, OfSeveralWritersIsGoneOnWithBehindAllThatAnyOfThemMayHaveWritten) {
  segment.set(directory.c_str(), 1000, 1 << 20);
  LogSegment other;
  other.set(directory.c_str(), 1000, 1 << 20);
  for (LogSegment* writer : {&segment, &other, &segment, &other, &segment}) put(*writer);
  fs::resize_file(file(1), 0);
  put(other);  // it has not seen the fifth line
  put(segment, 2);
  EXPECT_EQ(plain(), (Numbers{1, kUnknownStep}));
  EXPECT_EQ(text_of(kUnknownStep).size(), 60u);
  ASSERT_EQ(holes.size(), 1u);
  EXPECT_TRUE(holes[0].unknown);
}

TEST_F(DamagedLog, OfAWriterThatKnowsMoreThanTheOtherGoesOnBehindWhatItKnows) {
  segment.set(directory.c_str(), 1000, 1 << 20);
  put(segment, 5);
  fs::resize_file(file(1), 20);
  LogSegment other;
  other.set(directory.c_str(), 1000, 1 << 20);
  put(other);  // which sees a file of one line
  put(segment);
  EXPECT_EQ(plain(), (Numbers{1, 6}));
  put(other);
  EXPECT_EQ(text_of(6).size(), 40u);
}

TEST_F(DamagedLog, OfAnotherWriterThatHasRotatedAndRemovedItsFileMissesNothing) {
  put(segment, 1);
  LogSegment other;
  begin(other);
  put(other, 12);
  fs::remove(file(1));
  fs::remove(file(4));
  put(segment);
  EXPECT_TRUE(holes.empty());
  EXPECT_EQ(plain(), (Numbers{7, 10, 13}));
}

TEST_F(DamagedLog, IsGoneOnWithBehindAllThatMayHaveBeenThereByWhoSeesCompressedFilesAlone) {
  put(segment, 8);
  compress(1);
  remove_plain();
  LogSegment next;
  begin(next);
  put(next, 4);
  ASSERT_EQ(holes.size(), 1u);
  EXPECT_TRUE(holes[0].unknown);
  EXPECT_EQ(holes[0].next, kUnknownStep);
  EXPECT_EQ(plain(), (Numbers{kUnknownStep, kUnknownStep + 3}));
}

TEST_F(DamagedLog, IsNotGoneOnWithInAFileThatIsOlderThanACompressedOne) {
  put(segment, 1);
  std::ofstream(file(3 * kUnknownStep - 1).string() + ".zst") << "z";
  LogSegment next;
  begin(next);
  put(next);
  EXPECT_EQ(plain(), (Numbers{1, 4 * kUnknownStep}));
  put(next, 60);
  EXPECT_FALSE(fs::exists(file(1))) << "which is removed in its turn";
}

TEST_F(DamagedLog, IsGoneOnWithBehindAllThatMayHaveBeenThereWhereTheNewestFileIsARotatedOne) {
  put(segment, 5);
  fs::remove(file(4));
  LogSegment next;
  begin(next);
  put(next);
  EXPECT_EQ(plain(), (Numbers{1, kUnknownStep}));
  ASSERT_EQ(holes.size(), 1u);
  EXPECT_TRUE(holes[0].unknown);
}

TEST_F(DamagedLog, IsGoneOnWithByTheProgramThatTheWriterBecomes) {
  put(segment, 2);
  const std::uint64_t next_number = segment.next_number();
  EXPECT_EQ(next_number, 3u);
  fs::resize_file(file(1), 20);
  LogSegment next;
  begin(next);
  next.go_on_with(next_number);
  put(next);
  EXPECT_EQ(plain(), (Numbers{1, 3}));
  EXPECT_EQ(holes.size(), 1u);
}

TEST_F(DamagedLog, CountsWhatOthersLeftThere) {
  std::ofstream(file(1)) << "a\nb\ntorn";
  put(segment);
  fs::remove(file(1));
  put(segment);
  EXPECT_EQ(plain(), Numbers{5});
}

/// Files whose lines have times, as those of apps have.
class LogOfAnAge : public DamagedLog {
 protected:
  static std::string line(std::chrono::seconds ago, const std::string& text) {
    char stamp[30];
    write_timestamp(stamp, {.tv_sec = ::time(nullptr) - ago.count(), .tv_nsec = 0});
    return std::string(stamp, sizeof stamp) + " stdout F " + text + "\n";
  }
  static void add(LogSegment& writer, const std::string& text) { ASSERT_EQ(writer.append(text.data(), text.size()), text.size()); }
  void begin_at(LogSegment& writer, std::chrono::milliseconds age) const { writer.set(directory.c_str(), 1 << 20, 1 << 30, age.count()); }
};

TEST_F(LogOfAnAge, GoesOnInANewFileByTheFirstLineThatComesAfterIt) {
  std::ofstream(file(1)) << line(3601s, "one") << line(10s, "two");
  begin_at(segment, 1h);
  add(segment, line(0s, "three"));
  EXPECT_EQ(plain(), (Numbers{1, 3}));
  EXPECT_TRUE(is_rotated(1));
  add(segment, line(0s, "four"));
  EXPECT_EQ(plain(), (Numbers{1, 3})) << "its file is new";
}

TEST_F(LogOfAnAge, StaysInItsFileUntilThen) {
  std::ofstream(file(1)) << line(3500s, "one");
  begin_at(segment, 1h);
  add(segment, line(0s, "two"));
  LogSegment ageless;
  ageless.set(directory.c_str(), 1 << 20, 1 << 30);
  fs::remove(file(1));
  std::ofstream(file(1)) << line(24h * 400, "one");
  add(ageless, line(0s, "two"));
  EXPECT_EQ(plain(), Numbers{1});
}

TEST_F(LogOfAnAge, IsRotatedOnceByTwoWriters) {
  std::ofstream(file(1)) << line(90min, "one");
  LogSegment other;
  for (LogSegment* writer : {&segment, &other}) begin_at(*writer, 2h);
  const std::string text = line(0s, "more");
  for (LogSegment* writer : {&segment, &other}) add(*writer, text);
  EXPECT_EQ(plain(), Numbers{1});
  for (LogSegment* writer : {&segment, &other}) begin_at(*writer, 1h);
  for (LogSegment* writer : {&segment, &other}) add(*writer, text);
  EXPECT_EQ(plain(), (Numbers{1, 4}));
  EXPECT_EQ(text_of(4), text + text);
}

TEST_F(LogOfAnAge, BegunUnderAClockThatWasAheadIsOld) {
  std::ofstream(file(1)) << line(-24h * 400, "one");
  begin_at(segment, 1h);
  add(segment, line(0s, "two"));
  EXPECT_EQ(plain(), (Numbers{1, 2}));
  EXPECT_TRUE(is_rotated(1));
  add(segment, line(0s, "three"));
  EXPECT_EQ(plain(), (Numbers{1, 2})) << "its file is of the right time";
}

TEST_F(LogOfAnAge, WithoutTimesHasNone) {
  std::ofstream(file(1)) << "no time at all stands here\n";
  begin_at(segment, 1h);
  add(segment, line(0s, "two"));
  EXPECT_EQ(plain(), Numbers{1});
}

}  // namespace
}  // namespace berth::keeper
