#include "daemon/ship/log_scan.h"

#include <gmock/gmock.h>

#include "daemon/ship/ship_fixture.h"

namespace berth::ship {
namespace {

class LogScan : public ShipFixture {
 protected:
  void SetUp() override {
    ShipFixture::SetUp();
    scanner = std::make_unique<LogScanner>(logs_root);
  }
  std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> look() {
    std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> found;
    for (const LogState& one : scanner->look()) found[to_string(one.log.id)] = {one.newest, one.size};
    return found;
  }
  std::unique_ptr<LogScanner> scanner;
};

TEST_F(LogScan, SeesLogsGrowRotateComeAndGo) {
  EXPECT_TRUE(look().empty()) << "there is no folder yet";
  write("web/web.1", 1, "12345");
  std::filesystem::create_directories(logs_root / "web/web.2");
  EXPECT_EQ(look().size(), 1u) << "an empty folder has nothing to tell";
  EXPECT_EQ(look()["web/web.1"], std::pair(std::uint64_t(1), std::uint64_t(5)));
  write("web/web.1", 1, "6");
  EXPECT_EQ(look()["web/web.1"].second, 6u);
  write("web/web.1", 9, "1");
  EXPECT_EQ(look()["web/web.1"], std::pair(std::uint64_t(9), std::uint64_t(1)));
  write("web/web.2", 1, "");
  EXPECT_EQ(look().size(), 2u);
  std::filesystem::remove(logs_root / "web/web.1" / segment_name(9));
  EXPECT_EQ(look()["web/web.1"].first, 1u);
  std::filesystem::remove_all(logs_root / "web");
  EXPECT_TRUE(look().empty());
}

TEST_F(LogScan, ReadsAFolderThatHasNotChangedOnce) {
  write("web/web.1", 1, "12345");
  const auto folder = logs_root / "web/web.1";
  std::filesystem::last_write_time(folder, std::filesystem::file_time_type::clock::now() - std::chrono::hours(1));
  look();
  const auto before = std::filesystem::last_write_time(folder);
  std::ofstream(folder / segment_name(7)) << "x";
  std::filesystem::last_write_time(folder, before);
  EXPECT_EQ(look()["web/web.1"].first, 1u) << "by its time nothing has changed";
  std::filesystem::last_write_time(folder, before + std::chrono::seconds(1));
  EXPECT_EQ(look()["web/web.1"].first, 7u);
}

}  // namespace
}  // namespace berth::ship
