#include "core/publish/work_tree.h"

#include <cstdlib>

#include <fmt/core.h>

#include "core/publish/publish_fixture.h"

namespace berth::publish {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

/// The fixture's folder, committed.
class WorkTree : public PublishTest {
 protected:
  WorkTree() {
    if (std::system("git --version > /dev/null 2>&1") != 0) return;
    has_git = true;
    git("init -q -b main");
    git("add site");
    git("-c user.name=a -c user.email=a@example.org -c commit.gpgsign=false commit -q -m first");
  }
  void SetUp() override {
    if (!has_git) GTEST_SKIP() << "needs git";
  }

  void git(const std::string& words) {
    EXPECT_EQ(std::system(fmt::format("cd '{}' && HOME=/nonexistent git {} > /dev/null", folder.path().string(), words).c_str()), 0) << words;
  }
  bool is_changed() {
    const auto changed = has_changes(*checked_out(at("site")));
    EXPECT_TRUE(changed) << changed.error().message;
    return changed && *changed;
  }

  bool has_git = false;
};

TEST_F(WorkTree, HasChangesFromTheFirstEditedFileToTheCommitOfIt) {
  EXPECT_FALSE(is_changed());
  put("site/untracked", "");
  EXPECT_FALSE(is_changed()) << "as git describe --dirty";
  put("site/page", "new");
  git("add site/page");
  EXPECT_TRUE(is_changed()) << "though it is staged";
  git("-c user.name=a -c user.email=a@example.org -c commit.gpgsign=false commit -q -m second");
  EXPECT_FALSE(is_changed());
  put("site/page", "old");  // as long as before
  EXPECT_TRUE(is_changed());
  put("site/page", "new");
  EXPECT_FALSE(is_changed()) << "other times of the same content are no change";
  fs::remove(at("site/page"));
  EXPECT_TRUE(is_changed());
}

TEST_F(WorkTree, RunsNoProgramThatItsConfigurationNames) {
  const std::string mark = at("ran").string();
  for (const char* key : {"core.fsmonitor", "core.sshCommand", "core.pager", "filter.any.clean", "filter.any.process", "diff.external"})
    git(fmt::format("config {} 'touch {}; false'", key, mark));
  put("site/.gitattributes", "* filter=any\n");
  put("site/berth.toml", spec() + "\n");
  EXPECT_TRUE(is_changed());
  EXPECT_FALSE(fs::exists(mark));
}

TEST_F(WorkTree, IsToldWithTheBuild) {
  const std::string commit = checked_out(at("site"))->commit;
  auto made = build();
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->build.commit, commit);
  EXPECT_THAT(made->notes, IsEmpty());
  put("site/berth.toml", spec() + "# more\n");
  made = build();
  EXPECT_EQ(made->build.commit, commit + "-dirty");
  EXPECT_THAT(made->notes, Contains(HasSubstr("has changes that are not in commit " + commit.substr(0, 12))));
  EXPECT_EQ(build("site", {.commit = "r17"})->build.commit, "r17") << "who says it knows it";
}

TEST_F(WorkTree, ThatGitCannotReadIsNoReasonNotToBuild) {
  fs::remove_all(at(".git/objects"));
  const auto made = build();
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->build.commit, checked_out(at("site"))->commit);
  EXPECT_THAT(made->notes, Contains(HasSubstr("cannot be told (git cannot read its repository)")));
}

}  // namespace
}  // namespace berth::publish
