#include "daemon/deploy/plan_fixture.h"

namespace berth::deploy {
namespace {

using testing::HasSubstr;

using RunAsTest = PlanFixture;

TEST_F(RunAsTest, AnAppRunsAsItsOwnUserUnlessItsSpecNamesOne) {
  const auto own = run_as(node, manifest, 61184);
  ASSERT_TRUE(own);
  EXPECT_EQ(own->uid, 61184u);
  EXPECT_EQ(own->gid, 61184u);
  EXPECT_TRUE(own->groups.empty());

  manifest.spec.user = "root";
  const auto root = run_as(node, manifest, 61184);
  ASSERT_TRUE(root);
  EXPECT_EQ(root->uid, 0u);
  EXPECT_EQ(root->gid, 0u);

  manifest.spec.user = "daemon";
  const auto named = run_as(node, manifest, 61184);
  ASSERT_TRUE(named);
  EXPECT_EQ(named->uid, 1u);
  EXPECT_EQ(named->gid, 1u);
  EXPECT_THAT(named->groups, testing::Contains(1u)) << "those of initgroups";
}

TEST_F(RunAsTest, AUserThatTheNodeDoesNotHaveIsRefusedByName) {
  manifest.spec.user = "nobody-of-that-name";
  const auto refused = error_of(run_as(node, manifest, 61184));
  EXPECT_EQ(refused.code, Errc::usage);
  EXPECT_THAT(refused.message, HasSubstr("web@v1: this node has no user 'nobody-of-that-name'"));
}

TEST_F(RunAsTest, GroupsAreAddedToThoseOfItsUserEachOnce) {
  const RunAs who{.uid = 1, .gid = 1, .groups = {1, 60'001}};
  const auto groups = groups_of(who, {"adm", "daemon", "adm"});
  ASSERT_TRUE(groups) << groups.error().message;
  EXPECT_THAT(*groups, testing::ElementsAre(1u, 60'001u, 4u));
  const auto refused = error_of(groups_of(who, {"adm", "no-group-of-that-name"}));
  EXPECT_EQ(refused.code, Errc::usage);
  EXPECT_THAT(refused.message, HasSubstr("this node has no group 'no-group-of-that-name', which SupplementaryGroups of its sandbox names"));
}

TEST_F(RunAsTest, AnAppWithoutAUserYetNeverFallsBackToRoot) { EXPECT_EQ(error_of(run_as(node, manifest, -1)).code, Errc::internal); }

}  // namespace
}  // namespace berth::deploy
