#include "daemon/clients.h"

#include <gtest/gtest.h>

namespace berth {
namespace {

TEST(ClientsOf, HaveTheRolesThatTheConfigurationSays) {
  config::Config config;
  config.clients = {{"a", config::ClientRole::viewer, {"web"}}, {"b", config::ClientRole::deployer, {}}, {"c", config::ClientRole::operator_, {}}, {"d", config::ClientRole::admin, {}}};
  const auto clients = clients_of(config);
  ASSERT_EQ(clients.size(), 4u);
  EXPECT_EQ(clients[0].role, api::Role::viewer);
  EXPECT_EQ(clients[0].apps, std::vector<std::string>{"web"});
  EXPECT_EQ(clients[1].role, api::Role::deployer);
  EXPECT_EQ(clients[2].role, api::Role::operator_);
  EXPECT_EQ(clients[3].role, api::Role::admin);
}

TEST(GroupsOf, AreThoseThatThereAreAndTheOneForEverythingIsFirst) {
  config::Config config;
  config.group = "daemon";
  config.groups = {{"bin", config::ClientRole::operator_, {"web"}}, {"no-such-group", config::ClientRole::admin, {}}, {"sys", config::ClientRole::viewer, {}}};
  const auto groups = groups_of(config);
  ASSERT_EQ(groups.size(), 3u);
  EXPECT_EQ(groups[0], (api::Group{1, api::Role::admin, {}}));
  EXPECT_EQ(groups[1], (api::Group{2, api::Role::operator_, {"web"}}));
  EXPECT_EQ(groups[2], (api::Group{3, api::Role::viewer, {}}));
  config.group = "";
  EXPECT_EQ(groups_of(config).size(), 2u);
}

}  // namespace
}  // namespace berth
