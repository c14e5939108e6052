#include "daemon/data/tree_copy.h"

#include <fstream>
#include <iterator>
#include <map>
#include <set>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "core/files/files.h"

namespace berth::data {
namespace {

using testing::HasSubstr;

class TreeCopyTest : public testing::Test {
 protected:
  TreeCopyTest() {
    fs::create_directories(from);
    fs::create_directories(to);
  }

  void put(const std::string& name, const std::string& content, mode_t mode = 0644) {
    fs::create_directories((from / name).parent_path());
    std::ofstream(from / name) << content;
    ASSERT_EQ(::chmod((from / name).c_str(), mode), 0);
  }
  static std::string content(const fs::path& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static struct stat status(const fs::path& path) {
    struct stat found{};
    EXPECT_EQ(::lstat(path.c_str(), &found), 0) << path;
    return found;
  }

  files::TemporaryDirectory folder;
  fs::path from = folder.path() / "data", to = folder.path() / "copy";
};

TEST_F(TreeCopyTest, KeepsContentModesOwnersTimesLinksAndAttributes) {
  put("a/b/deep", "deep");
  put("program", "#!", 04755);
  put("empty", "");
  put("shared", std::string(300'000, 's'));
  fs::create_hard_link(from / "shared", from / "a" / "shared-too");
  fs::create_symlink("../outside", from / "a" / "link");
  ASSERT_EQ(::mkfifo((from / "pipe").c_str(), 0640), 0);
  const timespec old[] = {{1000, 5}, {2000, 7}};
  ASSERT_EQ(::utimensat(AT_FDCWD, (from / "a/b/deep").c_str(), old, 0), 0);
  ASSERT_EQ(::utimensat(AT_FDCWD, (from / "a").c_str(), old, 0), 0);
  if (::geteuid() == 0) {
    ASSERT_EQ(::lchown((from / "a/b/deep").c_str(), 61184, 61185), 0);
  }
  const bool attributes = ::setxattr((from / "empty").c_str(), "user.berth", "kept", 4, 0) == 0;
  ASSERT_EQ(::chmod(from.c_str(), 0710), 0);

  const auto copied = copy_tree(from, to, {});
  ASSERT_TRUE(copied) << copied.error().message;
  EXPECT_EQ(content(to / "a/b/deep"), "deep");
  EXPECT_EQ(content(to / "a/shared-too"), std::string(300'000, 's'));
  EXPECT_EQ(status(to / "shared").st_ino, status(to / "a/shared-too").st_ino);
  EXPECT_NE(status(to / "shared").st_ino, status(from / "shared").st_ino);
  EXPECT_EQ(fs::read_symlink(to / "a/link"), "../outside");
  EXPECT_EQ(status(to / "program").st_mode & 07777, 04755u);
  EXPECT_EQ(status(to / "pipe").st_mode, static_cast<mode_t>(S_IFIFO | 0640));
  EXPECT_EQ(status(to / "a").st_mtim.tv_sec, 2000);
  EXPECT_EQ(status(to).st_mode & 07777, 0710u);
  for (const char* name : {"a/b/deep", "program", "a/link", "pipe", "a"}) {
    const auto one = status(from / name), other = status(to / name);
    EXPECT_EQ(std::pair(one.st_uid, one.st_gid), std::pair(other.st_uid, other.st_gid)) << name;
    EXPECT_EQ(one.st_mtim.tv_nsec, other.st_mtim.tv_nsec) << name;
  }
  if (attributes) {
    char value[8] = {};
    EXPECT_EQ(::getxattr((to / "empty").c_str(), "user.berth", value, sizeof value), 4);
    EXPECT_STREQ(value, "kept");
  }
  EXPECT_GE(copied->bytes, 300'000u);
  EXPECT_LT(copied->bytes, 600'000u) << "the file of two names counts once";
}

TEST_F(TreeCopyTest, LeavesHolesOut) {
  const Fd file(::open((from / "sparse").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  ASSERT_EQ(::pwrite(file.get(), "end", 3, 5'000'000), 3);
  ASSERT_EQ(::pwrite(file.get(), "middle", 6, 2'000'000), 6);
  ASSERT_EQ(::ftruncate(file.get(), 9'000'000), 0);
  ASSERT_EQ(::fsync(file.get()), 0);
  const auto copied = copy_tree(from, to, {.max_bytes = 1'000'000});
  ASSERT_TRUE(copied) << copied.error().message;
  EXPECT_EQ(status(to / "sparse").st_size, 9'000'000);
  EXPECT_LT(status(to / "sparse").st_blocks * 512, 1'000'000);
  EXPECT_EQ(content(to / "sparse"), content(from / "sparse"));
}

TEST_F(TreeCopyTest, NeverFollowsALinkOutOfTheTree) {
  fs::create_directories(folder.path() / "outside");
  std::ofstream(folder.path() / "outside" / "secret") << "secret";
  fs::create_directory_symlink(folder.path() / "outside", from / "folder");
  ASSERT_TRUE(copy_tree(from, to, {}));
  EXPECT_TRUE(fs::is_symlink(to / "folder"));
  fs::create_directory_symlink(folder.path() / "outside", folder.path() / "data-link");
  EXPECT_FALSE(copy_tree(folder.path() / "data-link", to, {})) << "the folder itself must be one";
}

TEST_F(TreeCopyTest, StopsAtItsLimits) {
  put("a", std::string(700'000, 'a'));
  put("b", std::string(700'000, 'b'));
  const auto shared = copy_tree(from, to, {});
  ASSERT_TRUE(shared);
  if (shared->shared) GTEST_SKIP() << "this file system shares blocks: nothing counts";
  fs::remove_all(to);
  fs::create_directories(to);
  const auto over = copy_tree(from, to, {.max_bytes = 1'000'000});
  ASSERT_FALSE(over);
  EXPECT_EQ(over.error().code, Errc::no_space);
  EXPECT_THAT(over.error().message, HasSubstr("1000000 bytes"));
}

TEST_F(TreeCopyTest, EndsWhenItIsAskedTo) {
  put("a", "a");
  std::stop_source stop;
  stop.request_stop();
  const auto stopped = copy_tree(from, to, {.stop = stop.get_token()});
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, Errc::cancelled);
}

TEST_F(TreeCopyTest, RefusesFoldersThatAreTooDeepToHoldOpen) {
  fs::path deep = from;
  for (int i = 0; i < 200; ++i) deep /= "d";
  fs::create_directories(deep);
  const auto copied = copy_tree(from, to, {});
  ASSERT_FALSE(copied);
  EXPECT_THAT(copied.error().message, HasSubstr("more than 128 folders in each other"));
}

TEST_F(TreeCopyTest, CountsTheBytesOfATree) {
  put("a", std::string(10'000, 'a'));
  put("b/c", std::string(20'000, 'c'));
  fs::create_hard_link(from / "a", from / "b" / "a");
  const auto bytes = tree_bytes(from);
  ASSERT_TRUE(bytes);
  EXPECT_EQ(*bytes, 30'000u);
}

}  // namespace
}  // namespace berth::data
