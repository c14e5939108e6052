#include "daemon/data/snapshot.h"

#include <fstream>
#include <iterator>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "core/files/files.h"

// What btrfs and xfs do is in tests/e2e/test_data_snapshot.py, which makes file systems.

namespace berth::data {
namespace {

using testing::HasSubstr;

class SnapshotTest : public testing::Test {
 protected:
  SnapshotTest() {
    fs::create_directories(data);
    std::ofstream(data / "file") << std::string(100'000, 'x');
  }
  bool shares() const { return *method_for(data) != Method::copy; }

  files::TemporaryDirectory folder;
  fs::path data = folder.path() / "data", copy = folder.path() / "snapshot.1";
};

TEST_F(SnapshotTest, IsACopyOfItsOwn) {
  ASSERT_EQ(::chmod(data.c_str(), 0750), 0);
  const auto taken = take_snapshot(data, copy, {});
  ASSERT_TRUE(taken) << taken.error().message;
  EXPECT_EQ(taken->method, *method_for(data));
  EXPECT_EQ(taken->bytes, 100'000u);
  std::ofstream(data / "file") << "changed";
  std::ifstream file(copy / "file");
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), std::string(100'000, 'x'));
  struct stat status{};
  ASSERT_EQ(::stat(copy.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0750u);
}

TEST_F(SnapshotTest, TryingWhatTheFileSystemCanLeavesNothing) {
  ASSERT_TRUE(method_for(data));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()), 1);
}

TEST_F(SnapshotTest, OverItsBytesIsRefusedWithWhatToDoAndLeavesNothing) {
  if (shares()) GTEST_SKIP() << "this file system shares blocks: nothing is copied";
  const CopyLimits limits{.max_bytes = 50'000};
  const auto asked = may_snapshot(data, limits);
  const auto taken = take_snapshot(data, copy, limits);
  ASSERT_FALSE(asked);
  ASSERT_FALSE(taken);
  for (const Error& error : {asked.error(), taken.error()}) {
    EXPECT_EQ(error.code, Errc::no_space);
    EXPECT_THAT(error.message, HasSubstr("would copy 100000 bytes, and `snapshot.max_bytes` in [data] of berth.toml allows 50000 bytes: raise it"));
  }
  EXPECT_FALSE(fs::exists(copy));
}

TEST_F(SnapshotTest, LeavesTheReserveAlone) {
  const auto free = files::free_bytes(data);
  ASSERT_TRUE(free);
  const auto refused = take_snapshot(data, copy, {.reserve_bytes = *free + 1'000'000'000});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::no_space);
  EXPECT_THAT(refused.error().message, HasSubstr("too little disk space for a snapshot of " + data.string()));
  EXPECT_FALSE(fs::exists(copy));
}

TEST_F(SnapshotTest, AFolderIsMadeOnceAndRemovedWithAllThatIsInIt) {
  ASSERT_TRUE(make_folder(copy, 0700));
  ASSERT_TRUE(make_folder(copy, 0700));
  std::ofstream(copy / "file") << "x";
  EXPECT_FALSE(make_folder(data / "file", 0700)) << "a file has the name";
  ASSERT_TRUE(remove_folder(copy));
  EXPECT_FALSE(fs::exists(copy));
  EXPECT_TRUE(remove_folder(copy)) << "there is none any more";
}

}  // namespace
}  // namespace berth::data
