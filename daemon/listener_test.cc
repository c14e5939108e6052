#include "daemon/listener.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "core/io/tls_authority.h"

namespace berth {
namespace {

using testing::HasSubstr;

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

TEST(ListenerTest, OnePortOfOneAddressIsForOne) {
  const struct {
    config::Listen one, another;
    bool exclude;
  } cases[] = {{{"127.0.0.1", 1}, {"127.0.0.1", 1}, true},  {{"127.0.0.1", 1}, {"127.0.0.1", 2}, false}, {{"127.0.0.1", 1}, {"127.0.0.2", 1}, false}, {{"0.0.0.0", 1}, {"127.0.0.2", 1}, true},
               {{"::", 1}, {"127.0.0.2", 1}, true},         {{"::1", 1}, {"0.0.0.0", 1}, false},         {{"::1", 1}, {"::", 1}, true}};
  for (const auto& at : cases) {
    EXPECT_EQ(exclude_each_other(at.one, at.another), at.exclude) << at.one.address << " " << at.another.address;
    EXPECT_EQ(exclude_each_other(at.another, at.one), at.exclude) << at.one.address << " " << at.another.address;
  }
}

TEST(ListenerTest, SaysThatItIsTheOtherListenerOfThisBerthdWhoHasTheAddress) {
  const io::Authority authority;
  io::Loop loop;
  io::HttpServer metrics(loop.executor(), {});
  ASSERT_TRUE(metrics.listen_tcp("127.0.0.1", 0));
  config::Config config;
  config.metrics = {"127.0.0.1", metrics.tcp_port()};
  config.remote = {.listen = *config.metrics, .files = {.certificate_file = authority.path("local.pem"), .key_file = authority.path("local.key"), .client_ca_file = authority.path("ca.pem")}};
  const auto problem = [&] {
    Listener remote(loop, remote_listener(config), {});
    remote.start();
    return remote.status()->problem;
  };
  EXPECT_EQ(problem(), fmt::format("[metrics] of this berthd listens there, at 127.0.0.1:{}: give one of them another port", metrics.tcp_port()));
  config.metrics = {"127.0.0.1", 1};
  EXPECT_THAT(problem(), HasSubstr(fmt::format("(pid {}) listens there", ::getpid())));
}

TEST(SeldomTest, LetsOneThroughAndCountsTheOthers) {
  io::Seldom seldom(1s);
  const io::Steady::time_point start{};
  EXPECT_EQ(seldom.take("a", start), "a");
  EXPECT_FALSE(seldom.take("b", start + 10ms));
  EXPECT_FALSE(seldom.take("c", start + 999ms));
  EXPECT_EQ(seldom.take("d", start + 1s), "d (and 2 more since the last one)");
  EXPECT_EQ(seldom.take("e", start + 2s), "e");
}

}  // namespace
}  // namespace berth
