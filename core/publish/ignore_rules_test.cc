#include "core/publish/ignore_rules.h"

#include <gtest/gtest.h>

namespace berth::publish {
namespace {

TEST(IgnoreRules, LeaveConfigurationSecretsAndHistoryOutUnasked) {
  const IgnoreRules rules;
  for (const char* path : {"berth.toml", ".berthignore", "environments", ".env", "server/.env", ".git", "vendor/lib/.git", ".hg"})
    EXPECT_TRUE(rules.leaves_out(path, false)) << path;
  for (const char* path : {"server/berth.toml", "src/environments", "env", ".env.example", "bin/server", ".gitignore"})
    EXPECT_FALSE(rules.leaves_out(path, false)) << path;
}

TEST(IgnoreRules, ReadAsGitReadsItsOwn) {
  struct Case {
    const char* rules;
    const char* path;
    bool is_folder;
    bool out;
  };
  const Case table[] = {
      {"*.o", "main.o", false, true},
      {"*.o", "src/deep/main.o", false, true},
      {"*.o", "main.out", false, false},
      {"/build", "build", true, true},
      {"/build", "src/build", true, false},
      {"logs/", "logs", true, true},
      {"logs/", "logs", false, false},
      {"logs/", "a/logs", true, true},
      {"doc/*.md", "doc/a.md", false, true},
      {"doc/*.md", "x/doc/a.md", false, false},
      {"doc/*.md", "doc/deep/a.md", false, false},
      {"doc/**/a.md", "doc/a.md", false, true},
      {"doc/**/a.md", "doc/x/y/a.md", false, true},
      {"**/cache", "cache", true, true},
      {"**/cache", "a/b/cache", true, true},
      {"doc/**", "doc", true, false},
      {"doc/**", "doc/x/y", false, true},
      {"*.log\n!keep.log", "keep.log", false, false},
      {"*.log\n!keep.log", "other.log", false, true},
      {"!keep.log\n*.log", "keep.log", false, true},
      {"# *.o\n\n  \n", "main.o", false, false},
      {"*.o  \r\n", "main.o", false, true},
      {"a?c", "abc", false, true},
      {"!.env", ".env", false, true},
      // A backslash takes the meaning from what follows it.
      {"\\#notes", "#notes", false, true},
      {"\\#notes", "\\#notes", false, false},
      {"\\!important", "!important", false, true},
      {"*\n!\\!important", "!important", false, false},
      {"foo\\ ", "foo ", false, true},
      {"foo\\ ", "foo", false, false},
      {"foo\\  ", "foo ", false, true},
      {"foo\\\\ ", "foo\\", false, true},
      {"foo ", "foo", false, true},
      {"foo\\", "foo\\", false, false},
      {"foo\\", "foo", false, false},
      {"a\\*", "a*", false, true},
      {"a\\*", "ab", false, false},
      {"a\\?c", "a?c", false, true},
      {"a\\?c", "abc", false, false},
      {"a\\[b]", "a[b]", false, true},
      {"a\\[b]", "ab", false, false},
      {"a\\\\b", "a\\b", false, true},
      {"\\a\\b", "ab", false, true},
      {"\\**", "*x", false, true},
      {"\\**", "x", false, false},
      {"x/\\**", "x/y", false, false},
      {"x/\\**", "x/*y", false, true},
      {"x\\/y", "x/y", false, true},
      // Within brackets, too.
      {"[\\]]", "]", false, true},
      {"[\\]]", "\\", false, false},
      {"[a\\-c]", "-", false, true},
      {"[a\\-c]", "b", false, false},
      {"[\\a-c]", "b", false, true},
      {"[!a]", "b", false, true},
      {"[^a]", "a", false, false},
      {"[]-]", "]", false, true},
      {"[]-]", "-", false, true},
      {"[c-a]", "b", false, false},
      {"v[[:digit:]]", "v7", false, true},
      {"v[[:digit:]]", "vx", false, false},
      {"v[[:digits:]]", "v7", false, false},
      {"a[b", "a[b", false, false},
      {"a[b", "ab", false, false},
  };
  for (const Case& one : table)
    EXPECT_EQ(IgnoreRules::parse(one.rules).leaves_out(one.path, one.is_folder), one.out) << one.rules << " on " << one.path;
}

TEST(IgnoreRules, TakeLittleTimeForAPatternMadeToTakeLong) {
  std::string pattern, path;
  for (int i = 0; i < 100; ++i) {
    pattern += "**/a/";
    path += "a/";
  }
  EXPECT_FALSE(IgnoreRules::parse(pattern + "b").leaves_out(path + "a", false));
}

}  // namespace
}  // namespace berth::publish
