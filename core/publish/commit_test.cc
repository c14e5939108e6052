#include "core/publish/commit.h"

#include "core/publish/publish_fixture.h"

namespace berth::publish {
namespace {

const std::string kCommit = "0123456789abcdef0123456789abcdef01234567";
const std::string kOther = "fedcba9876543210fedcba9876543210fedcba98";

class Commit : public PublishTest {};

TEST_F(Commit, IsThatOfTheBranchThatIsCheckedOut) {
  put("work/.git/HEAD", "ref: refs/heads/main\n");
  put("work/.git/refs/heads/main", kCommit + "\n");
  put("work/site/page", "");
  EXPECT_EQ(checked_out(at("work/site"))->commit, kCommit);
}

TEST_F(Commit, IsFoundAmongPackedBranchesAndWithoutABranch) {
  put("packed/.git/HEAD", "ref: refs/heads/main\n");
  put("packed/.git/packed-refs", "# pack-refs with: peeled\n" + kOther + " refs/heads/other\n" + kCommit + " refs/heads/main\n");
  EXPECT_EQ(checked_out(at("packed"))->commit, kCommit);
  put("detached/.git/HEAD", kOther + "\n");
  EXPECT_EQ(checked_out(at("detached"))->commit, kOther);
}

TEST_F(Commit, IsFoundFromALinkedWorkTree) {
  put("main/.git/HEAD", kOther);
  put("main/.git/refs/heads/feature", kCommit);
  put("main/.git/worktrees/linked/HEAD", "ref: refs/heads/feature\n");
  put("main/.git/worktrees/linked/commondir", "../..\n");
  put("linked/.git", "gitdir: " + at("main/.git/worktrees/linked").string() + "\n");
  EXPECT_EQ(checked_out(at("linked"))->commit, kCommit);
}

TEST_F(Commit, IsEmptyWhereNothingIsToBeTrusted) {
  EXPECT_FALSE(checked_out(at("site")));
  put("odd/.git/HEAD", "ref: ../../../etc/passwd\n");
  EXPECT_EQ(checked_out(at("odd"))->commit, "");
  put("loop/.git/HEAD", "ref: HEAD\n");
  EXPECT_EQ(checked_out(at("loop"))->commit, "");
  put("new/.git/HEAD", "ref: refs/heads/main\n");
  EXPECT_EQ(checked_out(at("new"))->commit, "");
}

TEST_F(Commit, IsToldInTwelveDigitsAndDirtyAllTheSame) {
  EXPECT_EQ(dirty(kCommit), kCommit + "-dirty");
  EXPECT_TRUE(is_dirty(dirty(kCommit)));
  EXPECT_FALSE(is_dirty(kCommit));
  EXPECT_EQ(short_commit(kCommit), "0123456789ab");
  EXPECT_EQ(short_commit(dirty(kCommit)), "0123456789ab-dirty");
}

}  // namespace
}  // namespace berth::publish
