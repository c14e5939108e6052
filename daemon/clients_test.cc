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

}  // namespace
}  // namespace berth
