#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "daemon/keeper/log_segment.h"

namespace berth::keeper {

namespace fs = std::filesystem;

/// A log of files of 60 bytes, which somebody damages under its writer.
class DamagedLog : public testing::Test {
 protected:
  void SetUp() override {
    folder = fs::temp_directory_path() / fmt::format("berth-damaged-log-{}", ::getpid());
    fs::create_directory(folder);
    directory = folder.string();
    begin(segment);
    note_boot(text_in("/proc/sys/kernel/random/boot_id"));
  }
  void TearDown() override { fs::remove_all(folder); }

  static std::string text_in(const fs::path& path) {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  /// As the run of the machine left it that wrote the log last.
  void note_boot(const std::string& id) const { std::ofstream(folder / ".boot") << id; }

  void begin(LogSegment& writer) { writer.set(directory.c_str(), 60, kKept); }

  /// Appends `count` lines of 20 bytes, each for itself: three make a file.
  void put(LogSegment& writer, int count = 1) {
    for (; count > 0; --count) {
      const std::string line = fmt::format("{:019}\n", ++written);
      LogHole hole;
      if (writer.append(line.data(), line.size()) == line.size()) continue;
      ASSERT_TRUE(writer.take_hole(&hole));
      holes.push_back(hole);
      ASSERT_EQ(writer.append(line.data(), line.size()), line.size());
    }
  }
  fs::path file(std::uint64_t first) const { return folder / fmt::format("{:016}.log", first); }
  /// As berthd compresses it: the name is all that the keeper reads of it.
  void compress(std::uint64_t first) { fs::rename(file(first), file(first).string() + ".zst"); }
  void remove_plain() {
    for (const std::uint64_t first : plain()) fs::remove(file(first));
  }
  std::vector<std::uint64_t> plain() const {
    std::vector<std::uint64_t> found;
    for (const auto& entry : fs::directory_iterator(folder))
      if (entry.path().extension() == ".log") found.push_back(std::stoull(entry.path().filename().string()));
    std::ranges::sort(found);
    return found;
  }
  std::string text_of(std::uint64_t first) const { return text_in(file(first)); }
  bool is_rotated(std::uint64_t first) const { return fs::status(file(first)).permissions() == fs::perms(0440); }

  static constexpr std::uint64_t kKept = 1000;
  using Numbers = std::vector<std::uint64_t>;
  fs::path folder;
  std::string directory;
  LogSegment segment;
  int written = 0;
  std::vector<LogHole> holes;
};

}  // namespace berth::keeper
