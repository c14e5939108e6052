#include "daemon/deploy/policy.h"

#include <fmt/core.h>

#include "daemon/deploy/plan_fixture.h"

namespace berth::deploy {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class PolicyTest : public PlanFixture {
 protected:
  PolicyTest() {
    manifest.spec.user = "root";
    process().sandbox.ambient_capabilities = {"CAP_NET_BIND_SERVICE", "CAP_NET_RAW"};
    manifest.secrets = {{"TOKEN", "file:/etc/shadow"}, {"OTHER", "env:OTHER"}};
  }
  /// Why not; empty where it may.
  std::string refusal() const {
    const auto checked = check_policy(policy, manifest);
    EXPECT_TRUE(checked || checked.error().code == Errc::trust);
    return checked ? "" : checked.error().message;
  }

  Policy policy;
};

TEST_F(PolicyTest, ThatSaysNothingAllowsEverything) { EXPECT_EQ(refusal(), ""); }

TEST_F(PolicyTest, LetsAnAppRunAsUsersThatItNamesAlone) {
  policy.users.emplace();
  EXPECT_THAT(refusal(), AllOf(HasSubstr("web@v1: it is to run as the user root"), HasSubstr("[policy] users of berthd.toml has no \"web:root\"")));
  policy.users = {{{"shop", "root"}, {"web", "daemon"}, {"*", "www-data"}}};
  EXPECT_NE(refusal(), "");
  for (const auto& [app, user] : {std::pair("web", "root"), {"*", "root"}, {"web", "*"}}) {
    policy.users = {{{app, user}}};
    EXPECT_EQ(refusal(), "") << app << ":" << user;
  }
  policy.users.emplace();
  manifest.spec.user = "";
  EXPECT_EQ(refusal(), "") << "a user of its own it may always have";
}

TEST_F(PolicyTest, LetsAnAppBeInGroupsThatItNamesAlone) {
  manifest.spec.processes.at("web").sandbox.supplementary_groups = {"video", "berth"};
  EXPECT_EQ(refusal(), "");
  policy.groups = {{{"*", "video"}, {"shop", "berth"}}};
  EXPECT_THAT(refusal(), AllOf(HasSubstr("web@v1: its process web is to be in the group berth"), HasSubstr("[policy] groups of berthd.toml has no \"web:berth\"")));
  policy.groups->emplace_back("web", "berth");
  EXPECT_EQ(refusal(), "");
}

TEST_F(PolicyTest, LetsAnAppHaveCapabilitiesThatItNamesAlone) {
  policy.capabilities = {{{"web", "CAP_NET_BIND_SERVICE"}, {"shop", "*"}}};
  EXPECT_THAT(refusal(), AllOf(HasSubstr("web@v1: its process web is to have CAP_NET_RAW"), HasSubstr("[policy] capabilities of berthd.toml has no \"web:CAP_NET_RAW\"")));
  policy.capabilities->emplace_back("*", "CAP_NET_RAW");
  EXPECT_EQ(refusal(), "");
}

TEST_F(PolicyTest, LetsSecretsLieInFoldersThatItNamesAlone) {
  const fs::path mine = folder.path() / "secrets/web", others = folder.path() / "secrets/web-admin";
  for (const fs::path& one : {mine, others}) {
    fs::create_directories(one);
    std::ofstream(one / "token") << "x";
  }
  policy.secret_folders = {{{"web", mine.string()}, {"shop", "/etc"}}};
  EXPECT_THAT(refusal(), AllOf(HasSubstr("web@v1: its secret TOKEN (file:/etc/shadow)"), HasSubstr("[policy] secret_folders"), HasSubstr(mine.string() + ")")));
  const auto token_is = [&](const fs::path& path) { manifest.secrets["TOKEN"] = "file:" + path.string(); };
  token_is(mine / "token");
  EXPECT_EQ(refusal(), "");
  for (const fs::path& path : {others / "token", mine / "../web-admin/token", mine / "../../../../../../../etc/shadow", mine.parent_path()}) {
    token_is(path);
    EXPECT_NE(refusal(), "") << path;
  }
  fs::create_symlink(others / "token", mine / "link");
  token_is(mine / "link");
  EXPECT_NE(refusal(), "") << "a link leads out of the folder";
  policy.secret_folders = {{{"*", "/"}}};
  EXPECT_EQ(refusal(), "");
}

TEST_F(PolicyTest, IsAskedByWhateverIsStarted) {
  node.policy.users.emplace();
  EXPECT_EQ(error_of(run_as(node, manifest, 61184)).code, Errc::trust);
  node.policy.users = {{{"web", "root"}}};
  EXPECT_TRUE(run_as(node, manifest, 61184));
}

}  // namespace
}  // namespace berth::deploy
