#include "daemon/remote_api.h"

#include <gtest/gtest.h>

namespace berth {
namespace {

using namespace std::chrono_literals;

TEST(EndingTest, IsAFifthOfItsTimeAndAWeekAtMost) {
  const std::chrono::system_clock::time_point start{};
  const auto ending = [&](std::chrono::hours life, std::chrono::hours left) { return is_ending(start, start + life, start + life - left); };
  EXPECT_FALSE(ending(24h, 5h));
  EXPECT_TRUE(ending(24h, 4h));
  EXPECT_FALSE(ending(24h * 90, 24h * 8));
  EXPECT_TRUE(ending(24h * 90, 24h * 6));
  EXPECT_TRUE(ending(24h * 3650, 24h * 6));
  EXPECT_FALSE(ending(24h * 3650, 24h * 8));
  EXPECT_TRUE(ending(24h, -1h)) << "it has ended";
}

TEST(SeldomTest, LetsOneThroughAndCountsTheOthers) {
  Seldom seldom(1s);
  const io::Steady::time_point start{};
  EXPECT_EQ(seldom.take("a", start), "a");
  EXPECT_FALSE(seldom.take("b", start + 10ms));
  EXPECT_FALSE(seldom.take("c", start + 999ms));
  EXPECT_EQ(seldom.take("d", start + 1s), "d (and 2 more since the last one)");
  EXPECT_EQ(seldom.take("e", start + 2s), "e");
}

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
