#include "daemon/keeper/log_writer.h"

#include <filesystem>
#include <fstream>
#include <random>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace berth::keeper {
namespace {

namespace fs = std::filesystem;

/// How many bytes of what an app wrote are in the log.
std::size_t written(const fs::path& folder) {
  std::size_t bytes = 0;
  for (const auto& file : fs::directory_iterator(folder)) {
    if (file.path().extension() != ".log") continue;
    std::ifstream lines(file.path());
    for (std::string line; std::getline(lines, line);) bytes += line.size() - 40 + (line[38] == 'F' ? 1 : 0);
  }
  return bytes;
}

/// What it has read, and a kill would take: what it reads next, and what it has of unfinished lines.
TEST(LogWriter, HasNoMoreInHandThanItSays) {
  const fs::path folder = fs::temp_directory_path() / fmt::format("berth-log-writer-{}", ::getpid());
  fs::create_directory(folder);
  const std::string directory = folder.string();
  static LogWriter writer;
  writer.segment().set(directory.c_str(), 64u << 20, 64u << 20);
  std::minstd_rand random(7);
  std::size_t read = 0, most = 0;
  for (int i = 0; i < 300; ++i) {
    const std::size_t room = writer.room();
    most = std::max(most, read - written(folder) + room);
    EXPECT_GE(room, LogWriter::kLeastRoom);
    const std::size_t size = i % 3 == 0 ? room : 1 + random() % room;
    for (std::size_t at = 0; at < size; ++at) writer.input()[at] = random() % 20'000 == 0 ? '\n' : 'x';
    writer.add(i % 2 == 0 ? Stream::out : Stream::err, writer.input(), size);
    read += size;
  }
  EXPECT_EQ(most, LogWriter::kInput);
  writer.finish();
  EXPECT_GE(written(folder), read);
  fs::remove_all(folder);
}

}  // namespace
}  // namespace berth::keeper
