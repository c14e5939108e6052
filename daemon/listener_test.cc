#include "daemon/listener.h"

#include <thread>
#include <vector>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "core/io/listen.h"
#include "core/io/raw_peer.h"
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
    host::ServiceManager manager;
    Listener remote(loop, manager, remote_listener(config), {});
    remote.start();
    return remote.status()->problem;
  };
  EXPECT_EQ(problem(), fmt::format("[metrics] of this berthd listens there, at 127.0.0.1:{}: give one of them another port", metrics.tcp_port()));
  config.metrics = {"127.0.0.1", 1};
  EXPECT_THAT(problem(), HasSubstr(fmt::format("(pid {}) listens there", ::getpid())));
}

/// What berthd called it when it had it kept.
host::PassedSocket kept(const char* name, Fd socket) { return {.name = std::string("berthd-kept-") + name, .socket = std::move(socket)}; }

awaitable<io::ServerReply> greet() {
  io::ServerReply reply;
  reply.body = "hello";
  co_return reply;
}

TEST(ListenerTest, GoesOnWithTheSocketOfTheBerthdBeforeAndWithWhoWaitsThere) {
  auto before = io::listen_at_address("127.0.0.1", 0);
  const std::uint16_t port = io::local_address(before->get()).port();
  const Fd client = io::connect_raw(port);
  io::send_raw(client.get(), "GET / HTTP/1.1\r\nHost: me\r\nConnection: close\r\n\r\n");
  io::Loop loop;
  std::vector<host::PassedSocket> passed;
  passed.push_back(kept("metrics", std::move(*before)));
  host::ServiceManager manager(std::move(passed));
  config::Config config;
  config.metrics = {"127.0.0.1", port};
  auto metrics = std::make_unique<Listener>(loop, manager, metrics_listener(config), [](io::ServerRequest) { return greet(); });
  metrics->take_kept();
  metrics->start();
  EXPECT_EQ(metrics->status()->problem, "");
  std::thread thread([&] { loop.run(); });
  EXPECT_THAT(io::read_raw(client.get()), testing::EndsWith("hello"));
  loop.post([&] { metrics.reset(), loop.stop(); });
  thread.join();
}

TEST(ListenerTest, LeavesTheSocketOfTheBerthdBeforeWhereTheConfigurationNamesAnotherAddress) {
  auto of_metrics = io::listen_at_address("127.0.0.1", 0), of_api = io::listen_at_address("::1", 0);
  const std::uint16_t first = io::local_address(of_metrics->get()).port(), second = io::local_address(of_api->get()).port();
  const io::Authority authority;
  io::Loop loop;
  std::vector<host::PassedSocket> passed;
  passed.push_back(kept("metrics", std::move(*of_metrics)));
  passed.push_back(kept("api", std::move(*of_api)));
  host::ServiceManager manager(std::move(passed));
  config::Config config;  // each is where the other one was
  config.metrics = {"::1", second};
  config.remote = {.listen = {"127.0.0.1", first}, .files = {.certificate_file = authority.path("local.pem"), .key_file = authority.path("local.key"), .client_ca_file = authority.path("ca.pem")}};
  Listener metrics(loop, manager, metrics_listener(config), {}), remote(loop, manager, remote_listener(config), {});
  metrics.take_kept();
  remote.take_kept();
  metrics.start();
  remote.start();
  EXPECT_EQ(metrics.status()->problem, "");
  EXPECT_EQ(remote.status()->problem, "");
}

TEST(ListenerTest, RefusesWhoConnectsWhileItsCertificateIsMissing) {
  auto before = io::listen_at_address("127.0.0.1", 0);
  const std::uint16_t port = io::local_address(before->get()).port();
  io::Loop loop;
  std::vector<host::PassedSocket> passed;
  passed.push_back(kept("metrics", std::move(*before)));
  host::ServiceManager manager(std::move(passed));
  config::Config config;
  config.metrics = {"127.0.0.1", port};
  config.metrics_tls = {.certificate_file = "/nonexistent/metrics.pem", .key_file = "/nonexistent/metrics.key"};
  Listener metrics(loop, manager, metrics_listener(config), {});
  metrics.take_kept();
  metrics.start();
  EXPECT_THAT(metrics.status()->problem, HasSubstr("/nonexistent/metrics.pem"));
  EXPECT_FALSE(io::connect_raw(port));
}

TEST(ListenerTest, SaysWhenItsListOfRevokedCertificatesEnds) {
  const io::Authority authority;
  authority.list_revoked("crl.pem", {"client"}, 36'000);
  io::Loop loop;
  config::Config config;
  config.remote = {.listen = {"127.0.0.1", 0}, .files = {.certificate_file = authority.path("local.pem"), .key_file = authority.path("local.key"), .client_ca_file = authority.path("ca.pem")}};
  const auto status = [&] {
    host::ServiceManager manager;
    Listener remote(loop, manager, remote_listener(config), {});
    remote.start();
    return *remote.status();
  };
  EXPECT_FALSE(status().crl_ends) << "it goes by none";
  config.remote->files.client_crl_file = authority.path("crl.pem");
  const auto with_list = status();
  ASSERT_TRUE(with_list.crl_ends);
  const auto left = *with_list.crl_ends - std::chrono::system_clock::now();
  EXPECT_LE(left, 36'000s);
  EXPECT_GE(left, 35'000s);
  EXPECT_FALSE(with_list.crl_is_ending);
  authority.list_revoked("crl.pem", {}, 36'000, "other-ca");
  EXPECT_FALSE(status().crl_ends) << "it cannot be gone by at any time";
  EXPECT_THAT(status().problem, HasSubstr("every client is refused"));
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
