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
  EXPECT_EQ(checked_out_commit(at("work/site")), kCommit);
}

TEST_F(Commit, IsFoundAmongPackedBranchesAndWithoutABranch) {
  put("packed/.git/HEAD", "ref: refs/heads/main\n");
  put("packed/.git/packed-refs", "# pack-refs with: peeled\n" + kOther + " refs/heads/other\n" + kCommit + " refs/heads/main\n");
  EXPECT_EQ(checked_out_commit(at("packed")), kCommit);
  put("detached/.git/HEAD", kOther + "\n");
  EXPECT_EQ(checked_out_commit(at("detached")), kOther);
}

TEST_F(Commit, IsFoundFromALinkedWorkTree) {
  put("main/.git/HEAD", kOther);
  put("main/.git/refs/heads/feature", kCommit);
  put("main/.git/worktrees/linked/HEAD", "ref: refs/heads/feature\n");
  put("main/.git/worktrees/linked/commondir", "../..\n");
  put("linked/.git", "gitdir: " + at("main/.git/worktrees/linked").string() + "\n");
  EXPECT_EQ(checked_out_commit(at("linked")), kCommit);
}

TEST_F(Commit, IsEmptyWhereNothingIsToBeTrusted) {
  EXPECT_EQ(checked_out_commit(at("site")), "");
  put("odd/.git/HEAD", "ref: ../../../etc/passwd\n");
  EXPECT_EQ(checked_out_commit(at("odd")), "");
  put("loop/.git/HEAD", "ref: HEAD\n");
  EXPECT_EQ(checked_out_commit(at("loop")), "");
  put("new/.git/HEAD", "ref: refs/heads/main\n");
  EXPECT_EQ(checked_out_commit(at("new")), "");
}

}  // namespace
}  // namespace berth::publish
