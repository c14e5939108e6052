#include "run/tree_watch.h"

#include <fstream>

#include <gmock/gmock.h>
#include <poll.h>

#include "core/files/files.h"

namespace berth::run {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(TreeWatchRules, WhatABuildHasCountsAndWhatToolsPutBesideDoesNot) {
  const auto rules = publish::IgnoreRules::parse("*.log\n/tmp/\n");
  const struct {
    const char* path;
    bool is_folder, counts;
  } table[] = {
      {"main.py", false, true},          {"lib/a.rb", false, true},         {"berth.toml", false, true},  {".berthignore", false, true},
      {".env", false, true},             {"Procfile", false, true},         {"lib/.env", false, false},   {"app.log", false, false},
      {"tmp", true, false},              {"tmp/x", false, false},           {".git", true, false},        {".git/index", false, false},
      {"node_modules/a/b.js", false, false}, {"lib/__pycache__", true, false}, {"a.pyc", false, false},   {"main.py~", false, false},
      {"sedQDp4e1", false, false},          {"sedentary", false, true},           {"sed-rules", false, true},           {".main.py.swp", false, false},    {"#main.py#", false, false},       {"environments", true, true}, {"environments/dev", true, true},
      {"environments/dev/env.toml", false, true}, {"environments/qa", true, false}, {"environments/qa/env.toml", false, false},
      {"environments/developers", true, false},
  };
  for (const auto& row : table) EXPECT_EQ(counts_as_change(rules, "dev", row.path, row.is_folder), row.counts) << row.path;
  EXPECT_FALSE(counts_as_change(rules, "", "environments", true));
}

class TreeWatchTest : public testing::Test {
 protected:
  void write(const std::string& path) {
    fs::create_directories((folder.path() / path).parent_path());
    std::ofstream(folder.path() / path) << path;
  }
  void begin() {
    auto opened = TreeWatch::open(folder.path(), "dev");
    ASSERT_TRUE(opened) << opened.error().message;
    watch.emplace(std::move(*opened));
  }
  std::vector<std::string> changed() {
    const auto taken = watch->take();
    EXPECT_TRUE(taken);
    return taken ? *taken : std::vector<std::string>();
  }

  files::TemporaryDirectory folder;
  std::optional<TreeWatch> watch;
};

TEST_F(TreeWatchTest, TellsWhatIsWrittenMadeMovedAndRemoved) {
  write("main.py");
  write("lib/a.py");
  begin();
  EXPECT_THAT(changed(), IsEmpty());
  write("lib/a.py");
  write("main.py");
  write("main.py");
  EXPECT_THAT(changed(), ElementsAre("lib/a.py", "main.py"));
  write("main.py.tmp");
  fs::rename(folder.path() / "main.py.tmp", folder.path() / "main.py");  // as editors write
  EXPECT_THAT(changed(), ElementsAre("main.py"));
  fs::remove(folder.path() / "lib/a.py");
  fs::create_symlink("main.py", folder.path() / "link.py");
  EXPECT_THAT(changed(), ElementsAre("lib/a.py", "link.py"));
}

TEST_F(TreeWatchTest, AFileThatIsMadeExecutableOrIsNoMoreHasChanged) {
  write("bin/run");
  write("bin/tool");
  fs::permissions(folder.path() / "bin/tool", fs::perms::owner_exec, fs::perm_options::add);
  begin();
  fs::permissions(folder.path() / "bin/run", fs::perms::owner_exec, fs::perm_options::add);
  EXPECT_THAT(changed(), ElementsAre("bin/run"));
  fs::permissions(folder.path() / "bin/run", fs::perms::owner_exec, fs::perm_options::remove);
  EXPECT_THAT(changed(), ElementsAre("bin/run"));
  fs::permissions(folder.path() / "bin/tool", fs::perms::others_write, fs::perm_options::add);
  fs::last_write_time(folder.path() / "bin/tool", fs::file_time_type::clock::now());
  fs::permissions(folder.path() / "bin", fs::perms::others_write, fs::perm_options::add);
  EXPECT_THAT(changed(), IsEmpty()) << "no build has any of that";
}

TEST_F(TreeWatchTest, FoldersThatComeLaterAreWatchedWithWhatIsInThem) {
  begin();
  write("new/deep/a.py");
  EXPECT_THAT(changed(), ElementsAre("new/deep/a.py"));
  write("new/deep/b.py");
  EXPECT_THAT(changed(), ElementsAre("new/deep/b.py"));
  write("environments/dev/env.toml");
  EXPECT_THAT(changed(), ElementsAre("environments/dev/env.toml"));
}

TEST_F(TreeWatchTest, WhatIsIgnoredTellsNothing) {
  write(".berthignore");
  std::ofstream(folder.path() / ".berthignore") << "data/\n";
  write("data/x");
  write("environments/production/env.toml");
  begin();
  write("data/x");
  write("environments/production/env.toml");
  write("__pycache__/main.pyc");
  EXPECT_THAT(changed(), IsEmpty());
  write("data/x");
  pollfd polled{watch->descriptor(), POLLIN, 0};
  EXPECT_EQ(::poll(&polled, 1, 0), 0) << "nothing wakes up for it";
}

}  // namespace
}  // namespace berth::run
