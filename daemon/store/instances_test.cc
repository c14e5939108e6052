#include <netinet/in.h>
#include <set>
#include <sys/socket.h>

#include "daemon/store/private_port.h"
#include "daemon/store/store_fixture.h"

namespace berth::store {
namespace {

using InstancesTest = StoreTest;

InstanceRow instance(int number, const std::string& release = "v1") { return {.app = "web", .process = "web", .number = number, .release = release}; }

TEST_F(InstancesTest, EveryInstanceHasAPrivatePortOfItsOwnThatStays) {
  open();
  must(store->ensure_app("web"));
  must(store->ensure_app("api"));
  std::set<std::uint16_t> ports;
  for (int i = 1; i <= 5; ++i) {
    ports.insert(must(store->add_instance(instance(i), true)).port);
    ports.insert(must(store->add_instance({.app = "api", .process = "web", .number = i, .release = "v1"}, true)).port);
  }
  EXPECT_EQ(ports.size(), 10u);
  EXPECT_GE(*ports.begin(), 20000);
  EXPECT_LE(*ports.rbegin(), 29999);
  const std::uint16_t port = must(store->add_instance(instance(3), true)).port;
  reopen();
  EXPECT_EQ(must(store->add_instance(instance(3), true)).port, port);
  EXPECT_EQ(must(store->instances("web")).size(), 5u);
}

TEST_F(InstancesTest, OneThatWasStoppedOnItsOwnStaysSoOverAStartUntilItIsRemoved) {
  open();
  must(store->ensure_app("web"));
  must(store->add_instance(instance(1), false));
  must(store->add_instance(instance(2), false));
  ASSERT_TRUE(store->set_paused({instance(2), instance(7)}, Stop{.at = "2026-11-24T09:00:00Z", .by = "root (uid 0)", .why = "noisy"}, event("operator.stop", "web")));
  EXPECT_EQ(must(store->events(1, 10, "web")).back().kind, "operator.stop");
  reopen();
  const auto paused = [this] {
    std::string numbers;
    for (const InstanceRow& row : must(store->instances("web"))) numbers += row.paused ? std::to_string(row.number) : "";
    return numbers;
  };
  EXPECT_EQ(paused(), "2");
  const auto stop_of = [this](int number) { return stopped_text(must(store->instances("web"))[static_cast<std::size_t>(number - 1)].stop); };
  EXPECT_EQ(stop_of(2), "stopped (by root (uid 0) since 2026-11-24T09:00:00Z: noisy)");
  EXPECT_EQ(stop_of(1), "stopped");
  EXPECT_EQ(must(store->add_instance(instance(2), true)).stop.why, "noisy");
  EXPECT_TRUE(must(store->add_instance(instance(2), false)).paused) << "it is known";
  EXPECT_TRUE(must(store->add_instance(instance(2), true)).paused) << "with a port, too";
  ASSERT_TRUE(store->set_paused({instance(2)}, std::nullopt, std::nullopt));
  EXPECT_EQ(paused(), "");
  EXPECT_EQ(stop_of(2), "stopped") << "nobody did";
  ASSERT_TRUE(store->set_paused({instance(1)}, Stop{}, std::nullopt));
  ASSERT_TRUE(store->remove_instance(instance(1)));
  EXPECT_FALSE(must(store->add_instance(instance(1), false)).paused);
}

TEST_F(InstancesTest, TellTheNewestDeploymentOfTheirRelease) {
  open();
  must(store->ensure_app("web"));
  EXPECT_EQ(must(store->add_instance(instance(1, "v0"), false)).deployment, 0) << "none is known";
  const auto first = deploy("web", "v1").id;
  EXPECT_EQ(must(store->add_instance(instance(1), false)).deployment, first);
  const auto second = deploy("web", "v2").id;
  EXPECT_EQ(must(store->add_instance(instance(1, "v2"), false)).deployment, second);
  const auto again = deploy("web", "v1").id;
  EXPECT_EQ(must(store->add_instance(instance(1), true)).deployment, again) << "it is known";
  reopen();
  std::map<std::string, std::int64_t> told;
  for (const InstanceRow& row : must(store->instances("web"))) told[row.release] = row.deployment;
  EXPECT_EQ(told, (std::map<std::string, std::int64_t>{{"v0", 0}, {"v1", again}, {"v2", second}}));
}

TEST_F(InstancesTest, NamedPortsAreItsOwnAndStayAndGoWithIt) {
  open();
  must(store->ensure_app("web"));
  const InstanceRow one = must(store->add_instance(instance(1), true, {"admin", "grpc"})), two = must(store->add_instance(instance(2), false, {"admin"}));
  const std::set<std::uint16_t> all{one.port, one.named_ports.at("admin"), one.named_ports.at("grpc"), two.named_ports.at("admin")};
  EXPECT_EQ(all.size(), 4u);
  EXPECT_EQ(two.port, 0);
  reopen();
  EXPECT_EQ(must(store->add_instance(instance(1), true, {"admin"})).named_ports, one.named_ports);
  const InstanceRow more = must(store->add_instance(instance(2), true, {"admin", "late"}));
  EXPECT_EQ(more.named_ports.at("admin"), two.named_ports.at("admin"));
  EXPECT_FALSE(all.contains(more.named_ports.at("late")));
  EXPECT_FALSE(all.contains(more.port));
  EXPECT_EQ(must(store->instances("web")).at(1).named_ports, more.named_ports);
  ASSERT_TRUE(store->remove_instance(one));
  EXPECT_TRUE(must(store->add_instance(instance(1), false)).named_ports.empty());
}

TEST_F(InstancesTest, APortThatWasGivenBackRests) {
  open();
  must(store->ensure_app("web"));
  const InstanceRow first = must(store->add_instance(instance(1), true));
  ASSERT_TRUE(store->remove_instance(first));
  EXPECT_NE(must(store->add_instance(instance(1, "v2"), true)).port, first.port);
  EXPECT_EQ(must(store->instances("web")).size(), 1u);
}

TEST_F(InstancesTest, APortInUseOnTheMachineIsPassedOver) {
  const Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  std::uint16_t port = 25000;
  do {
    address.sin_port = htons(++port);
  } while (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0);
  ASSERT_EQ(::listen(socket.get(), 1), 0);
  EXPECT_FALSE(is_port_free(port));
  EXPECT_NE(must(pick_private_port({}, port - 1)), port);
}

TEST(PrivatePort, GoesRoundAtTheEndAndSaysWhenNoneIsLeft) {
  EXPECT_GE(must(pick_private_port({}, kHighestPrivatePort)), kLowestPrivatePort);
  EXPECT_LT(must(pick_private_port({}, kHighestPrivatePort)), kHighestPrivatePort);
  std::set<std::uint16_t> all;
  for (int port = kLowestPrivatePort; port <= kHighestPrivatePort; ++port) all.insert(static_cast<std::uint16_t>(port));
  const auto none = pick_private_port(all, 0);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Errc::conflict);
}

TEST_F(InstancesTest, AnInstanceOfAnUnknownAppIsRefused) {
  open();
  const auto refused = store->add_instance(instance(1), true);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::not_found);
}

TEST_F(InstancesTest, RemembersAScale) {
  open();
  must(store->ensure_app("web"));
  EXPECT_FALSE(must(store->scale("web", "web")));
  ASSERT_TRUE(store->set_scale("web", "web", 4, 2, event("operator.scale", "web")));
  reopen();
  EXPECT_EQ(must(store->scale("web", "web")), std::pair(4, 2));
}

}  // namespace
}  // namespace berth::store
