#include "core/trust/folder_remote.h"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "core/files/files.h"

namespace berth::trust {
namespace {

class FolderRemoteTest : public testing::Test {
 protected:
  FolderRemoteTest() {
    EXPECT_TRUE(files::make_directories(folder.path() / "repo/metadata"));
    EXPECT_TRUE(files::replace(folder.path() / "repo/metadata/1.root.json", "root"));
    EXPECT_TRUE(files::replace(folder.path() / "secret", "secret"));
  }

  files::TemporaryDirectory folder;
  FolderRemote remote{folder.path() / "repo"};
};

TEST_F(FolderRemoteTest, GivesFilesBelowTheFolder) {
  EXPECT_EQ(remote.get("metadata/1.root.json", 4).value(), "root");
  EXPECT_EQ(remote.get("metadata/2.root.json", 4).error().code, Errc::not_found);
  EXPECT_EQ(remote.get("metadata/1.root.json", 3).error().code, Errc::protocol);
  EXPECT_EQ(remote.get("metadata", 100).error().code, Errc::protocol);
}

TEST_F(FolderRemoteTest, LetsNoPathOrSymlinkLeaveIt) {
  std::filesystem::create_symlink("../secret", folder.path() / "repo/link");
  for (const char* path : {"../secret", "link", "metadata/../../secret"}) EXPECT_FALSE(remote.get(path, 100)) << path;
  EXPECT_FALSE(remote.get((folder.path() / "secret").string(), 100));
}

TEST_F(FolderRemoteTest, DoesNotWaitForANamedPipe) {
  ASSERT_EQ(::mkfifo((folder.path() / "repo/pipe").c_str(), 0600), 0);
  EXPECT_EQ(remote.get("pipe", 100).error().code, Errc::protocol);
}

TEST_F(FolderRemoteTest, SaysThatTheFolderIsAwayRatherThanTheFile) {
  EXPECT_EQ(FolderRemote(folder.path() / "unmounted").get("2.root.json", 100).error().code, Errc::unreachable);
}

TEST(FolderRemoteAt, TakesPathsAndFileUrls) {
  EXPECT_EQ(FolderRemote::at("/srv/repo")->folder(), "/srv/repo");
  EXPECT_EQ(FolderRemote::at("./repo")->folder(), "./repo");
  EXPECT_EQ(FolderRemote::at("file:///srv/repo")->folder(), "/srv/repo");
  EXPECT_EQ(FolderRemote::at("file://localhost/srv/repo")->folder(), "/srv/repo");
  EXPECT_EQ(FolderRemote::at("file://host/srv/repo").error().code, Errc::usage);
  EXPECT_EQ(FolderRemote::at("https://host/repo").error().code, Errc::usage);
}

}  // namespace
}  // namespace berth::trust
