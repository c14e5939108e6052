#include "core/files/files.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

namespace berth::files {
namespace {

class Files : public testing::Test {
 protected:
  fs::path at(const char* name) const { return folder.path() / name; }
  std::size_t entries() const { return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder.path()), {})); }

  TemporaryDirectory folder;
};

TEST_F(Files, ReplaceWritesTheWholeContentWithTheModeAndLeavesNothingElse) {
  ASSERT_TRUE(replace(at("a"), "old"));
  ASSERT_TRUE(replace(at("a"), "new content", 0600));
  EXPECT_EQ(*read(at("a"), 100), "new content");
  struct stat about {};
  ASSERT_EQ(::stat(at("a").c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 07777, 0600u);
  EXPECT_EQ(entries(), 1u);
}

TEST_F(Files, ReplaceThatFailsLeavesNothing) {
  ASSERT_TRUE(make_directories(at("folder/inside")));
  EXPECT_FALSE(replace(at("folder"), "x"));
  EXPECT_EQ(entries(), 1u);
}

TEST_F(Files, ReadRefusesMoreThanAllowed) {
  const std::string large(200'000, 'x');
  ASSERT_TRUE(replace(at("a"), large));
  EXPECT_EQ(*read(at("a"), large.size()), large);
  EXPECT_EQ(read(at("a"), large.size() - 1).error().code, Errc::protocol);
  EXPECT_EQ(read(at("b"), 1).error().code, Errc::not_found);
}

TEST_F(Files, OpenBelowStaysInsideAndFollowsNoSymlink) {
  ASSERT_TRUE(make_directories(at("base/inside")));
  ASSERT_TRUE(replace(at("base/inside/a"), "a"));
  ASSERT_TRUE(replace(at("secret"), "s"));
  fs::create_symlink("../secret", at("base/link"));
  fs::create_symlink("inside", at("base/folder-link"));
  const Fd base = std::move(*open(at("base"), O_PATH | O_DIRECTORY));
  EXPECT_TRUE(open_below(base.get(), "inside/a", O_RDONLY));
  EXPECT_TRUE(open_below(base.get(), "inside/new", O_WRONLY | O_CREAT));
  for (const char* name : {"../secret", "link", "folder-link/a", "inside/../../secret", "/etc/passwd"})
    EXPECT_FALSE(open_below(base.get(), name, O_RDONLY)) << name;
  EXPECT_EQ(open_below(base.get(), "none", O_RDONLY).error().code, Errc::not_found);
}

TEST_F(Files, MakeDirectoriesMakesParentsAndIsContentWithWhatIsThere) {
  ASSERT_TRUE(make_directories(at("x/y/z")));
  EXPECT_TRUE(make_directories(at("x/y/z")));
  EXPECT_TRUE(fs::is_directory(at("x/y/z")));
  ASSERT_TRUE(replace(at("file"), ""));
  EXPECT_FALSE(make_directories(at("file/under")));
}

TEST_F(Files, SwapSymlinkPointsElsewhere) {
  ASSERT_TRUE(swap_symlink(at("current"), "one"));
  ASSERT_TRUE(swap_symlink(at("current"), "two"));
  EXPECT_EQ(fs::read_symlink(at("current")), "two");
  EXPECT_EQ(entries(), 1u);
}

TEST_F(Files, RenameDurablyMovesBetweenFolders) {
  ASSERT_TRUE(make_directories(at("to")));
  ASSERT_TRUE(replace(at("a"), "a"));
  ASSERT_TRUE(rename_durably(at("a"), at("to/b")));
  EXPECT_EQ(*read(at("to/b"), 10), "a");
  EXPECT_EQ(rename_durably(at("a"), at("c")).error().code, Errc::not_found);
}

TEST_F(Files, ExchangeSwapsTwoFoldersInOneStep) {
  ASSERT_TRUE(make_directories(at("one")));
  ASSERT_TRUE(make_directories(at("below/other")));
  ASSERT_TRUE(replace(at("one/a"), "a"));
  ASSERT_TRUE(replace(at("below/other/b"), "b"));
  ASSERT_TRUE(exchange_durably(at("one"), at("below/other")));
  EXPECT_EQ(*read(at("one/b"), 10), "b");
  EXPECT_EQ(*read(at("below/other/a"), 10), "a");
  EXPECT_EQ(exchange_durably(at("one"), at("missing")).error().code, Errc::not_found);
}

TEST_F(Files, RemoveTreeTakesReadOnlyFoldersButNotWhatLinksPointTo) {
  ASSERT_TRUE(make_directories(at("tree/sealed")));
  ASSERT_TRUE(replace(at("tree/sealed/a"), "a", 0444));
  ASSERT_TRUE(replace(at("outside"), "keep"));
  fs::create_symlink(at("outside"), at("tree/link"));
  fs::create_directory_symlink(folder.path(), at("tree/up"));
  ASSERT_EQ(::chmod(at("tree/sealed").c_str(), 0555), 0);
  ASSERT_TRUE(remove_tree(at("tree")));
  EXPECT_EQ(entries(), 1u);
  EXPECT_TRUE(remove_tree(at("tree")));
}

TEST_F(Files, WhatAKilledProgramLeftOfReplacingIsRemovedAndNothingElse) {
  for (const char* name : {".current.43-1", ".loki.cursors.77-3", ".hidden", ".1-1", ".a.b", "x.43-1", ".x.43-", ".x.-1", ".x.4a-1"}) std::ofstream(at(name)) << name;
  remove_left_temporaries(folder.path());
  std::vector<std::string> left;
  for (const auto& entry : fs::directory_iterator(folder.path())) left.push_back(entry.path().filename());
  EXPECT_THAT(left, testing::UnorderedElementsAre(".hidden", ".1-1", ".a.b", "x.43-1", ".x.43-", ".x.-1", ".x.4a-1"));
  remove_left_temporaries(at("none"));
}

TEST_F(Files, FreeBytesAreTold) {
  EXPECT_GT(*free_bytes(folder.path()), 0u);
  EXPECT_EQ(free_bytes(at("none")).error().code, Errc::not_found);
}

}  // namespace
}  // namespace berth::files
