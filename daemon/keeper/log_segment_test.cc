#include "daemon/keeper/log_segment.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace berth::keeper {
namespace {

namespace fs = std::filesystem;

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

}  // namespace
}  // namespace berth::keeper
