#include "daemon/deploy/log_count.h"

#include <filesystem>
#include <fstream>

#include <fmt/core.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace berth::deploy {
namespace {

namespace fs = std::filesystem;

class LogCountTest : public testing::Test {
 protected:
  LogCountTest() { fs::create_directories(folder()); }
  ~LogCountTest() override { fs::remove_all(root); }

  fs::path folder(const std::string& instance = "web.1") const { return root / "web" / instance; }

  /// A line that was written `second` seconds after the hour.
  void write(int second, const std::string& text, const std::string& instance = "web.1") {
    fs::create_directories(folder(instance));
    std::ofstream(folder(instance) / "0000000000000000.log", std::ios::app) << fmt::format("2026-11-24T09:00:{:02}.000000000Z stdout F {}\n", second, text);
  }
  logs::Time at(int second) const { return *logs::parse_rfc3339(fmt::format("2026-11-24T09:00:{:02}Z", second)); }

  fs::path root = fs::temp_directory_path() / fmt::format("log-count-{}", getpid());
};

TEST_F(LogCountTest, CountsWhatMatchesAndCameSince) {
  write(1, "ERROR before");
  write(5, "ERROR one");
  write(6, "all is well");
  write(7, "FATAL two", "web.2");
  LogCount count(root, "web", "ERROR|FATAL", at(3));
  EXPECT_EQ(*count.more(), 2);
  EXPECT_EQ(*count.more(), 0);
  write(8, "ERROR three");
  write(9, "an error");
  write(9, "ERROR four", "web.3");
  EXPECT_EQ(*count.more(), 2) << "in the log of an instance that is new, too";
}

TEST_F(LogCountTest, CountsUpToAMomentOnly) {
  for (int second = 1; second < 10; ++second) write(second, "ERROR");
  LogCount count(root, "web", "^ERROR$", at(3), at(7));
  EXPECT_EQ(*count.more(), 4);
}

TEST_F(LogCountTest, AnAppWithoutALogHasNoLines) {
  LogCount count(root, "other", "x", at(0));
  EXPECT_EQ(*count.more(), 0);
}

TEST_F(LogCountTest, LooksAtTheBeginningOfALongLine) {
  write(1, std::string(15'000, 'x') + "ERROR");
  write(2, std::string(17'000, 'x') + "ERROR");
  LogCount count(root, "web", "ERROR", at(0));
  EXPECT_EQ(*count.more(), 1);
}

}  // namespace
}  // namespace berth::deploy
