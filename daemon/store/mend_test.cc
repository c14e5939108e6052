#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <fmt/core.h>

#include "core/files/files.h"
#include "daemon/store/mend.h"

namespace berth::store {
namespace {

namespace fs = std::filesystem;

/// Each path of a tree with its type, mode, number of attributes and content.
std::map<std::string, std::string> told(const fs::path& tree) {
  std::map<std::string, std::string> all;
  for (const auto& at : fs::recursive_directory_iterator(tree)) {
    struct stat is {};
    EXPECT_EQ(::lstat(at.path().c_str(), &is), 0);
    const std::string content = at.is_symlink() ? fs::read_symlink(at.path()).string() : at.is_regular_file() ? files::read(at.path(), 1u << 20).value() : std::string();
    all[fs::relative(at.path(), tree)] = fmt::format("{:o} {} {}", is.st_mode, ::llistxattr(at.path().c_str(), nullptr, 0), content);
  }
  return all;
}

class Mend : public testing::Test {
 protected:
  void SetUp() override {
    make(whole);
    make(broken);
    wanted = told(whole);
  }
  void TearDown() override { fs::permissions(broken, fs::perms::owner_all, fs::perm_options::add); }

  static void make(const fs::path& tree) {
    fs::create_directories(tree / "html/pictures");
    fs::create_directories(tree / "empty");
    EXPECT_TRUE(files::replace(tree / "html/index.html", "hello", 0444));
    EXPECT_TRUE(files::replace(tree / "html/pictures/one", std::string(600'000, 'x'), 0444));
    EXPECT_TRUE(files::replace(tree / "run", "#!/bin/sh", 0555));
    fs::create_symlink("html/index.html", tree / "index");
  }

  files::TemporaryDirectory folder;
  const fs::path whole = folder.path() / "whole", broken = folder.path() / "broken";
  std::map<std::string, std::string> wanted;
};

TEST_F(Mend, EveryKindOfDrift) {
  ASSERT_TRUE(files::replace(folder.path() / "outside", "theirs", 0600));
  const std::map<std::string, std::function<void()>> table{
      {"another content", [&] { ASSERT_TRUE(files::replace(broken / "html/index.html", "hallo", 0444)); }},
      {"the last byte", [&] { ASSERT_TRUE(files::replace(broken / "html/pictures/one", std::string(599'999, 'x') + 'y', 0444)); }},
      {"another size", [&] { ASSERT_TRUE(files::replace(broken / "run", "", 0555)); }},
      {"another mode", [&] { fs::permissions(broken / "run", fs::perms::owner_all); }},
      {"another mode of a folder", [&] { fs::permissions(broken / "html", fs::perms::all); }},
      {"an attribute", [&] { ASSERT_EQ(::lsetxattr((broken / "run").c_str(), "user.x", "1", 1, 0), 0); }},
      {"an attribute of a folder", [&] { ASSERT_EQ(::lsetxattr((broken / "empty").c_str(), "user.x", "1", 1, 0), 0); }},
      {"a file is gone", [&] { fs::remove(broken / "html/index.html"); }},
      {"a folder is gone", [&] { fs::remove_all(broken / "html"); }},
      {"a file more", [&] { ASSERT_TRUE(files::replace(broken / "html/pictures/more", "x", 0644)); }},
      {"a folder more", [&] { fs::create_directories(broken / "more/and/more"); }},
      {"a folder in the place of a file", [&] { fs::remove(broken / "run"), fs::create_directories(broken / "run/x"); }},
      {"a file in the place of a folder", [&] { fs::remove_all(broken / "html"); ASSERT_TRUE(files::replace(broken / "html", "x", 0644)); }},
      {"a link that leads elsewhere", [&] { fs::remove(broken / "index"), fs::create_symlink("run", broken / "index"); }},
      {"a link in the place of a folder", [&] { fs::remove_all(broken / "html"), fs::create_symlink(folder.path(), broken / "html"); }},
      {"a link in the place of a file", [&] { fs::remove(broken / "run"), fs::create_symlink(folder.path() / "outside", broken / "run"); }},
      {"a pipe in the place of a file", [&] { fs::remove(broken / "run"); ASSERT_EQ(::mkfifo((broken / "run").c_str(), 0644), 0); }},
      {"everything is gone", [&] { for (const auto& at : fs::directory_iterator(broken)) fs::remove_all(at.path()); }},
      {"nothing", [] {}},
  };
  for (const auto& [what, spoil] : table) {
    spoil();
    const auto mended = mend_tree(whole, broken);
    ASSERT_TRUE(mended) << what << ": " << mended.error().message;
    EXPECT_EQ(told(broken), wanted) << what;
    EXPECT_EQ(files::read(folder.path() / "outside", 100).value(), "theirs") << what;
    ASSERT_TRUE(files::remove_tree(whole));
    make(whole);
  }
}

TEST_F(Mend, WhoWorksInAFolderStaysThere) {
  const Fd html(::open((broken / "html").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  struct stat before {}, after {};
  ASSERT_EQ(::stat((broken / "html/pictures/one").c_str(), &before), 0);
  fs::remove(broken / "html/index.html");
  ASSERT_TRUE(mend_tree(whole, broken));
  EXPECT_EQ(::faccessat(html.get(), "index.html", R_OK, 0), 0);
  ASSERT_EQ(::stat((broken / "html/pictures/one").c_str(), &after), 0);
  EXPECT_EQ(before.st_ino, after.st_ino) << "what is well stays the file that it is";
}

TEST_F(Mend, WhatCannotBeMendedIsAnError) {
  EXPECT_FALSE(mend_tree(folder.path() / "none", broken));
  EXPECT_EQ(told(broken), wanted);
}

}  // namespace
}  // namespace berth::store
