#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <nftables/libnftables.h>
#include <unistd.h>

#include "daemon/route/nftables.h"
#include "daemon/route/outside.h"
#include "daemon/route/router_fixture.h"

namespace berth::route {
namespace {

class PortRouting : public RouterFixture {
 protected:
  struct Instance {
    Backend backend;
    std::unique_ptr<Server> server;
  };

  Instance start(const std::string& release, std::uint16_t private_port, int number = 1) const {
    const Fd listener = listen_at(all_addresses(), private_port);
    EXPECT_TRUE(listener) << private_port;
    Instance started{.backend = {.id = id(release, number), .private_port = private_port}};
    started.server = std::make_unique<Server>(listener.get(), release);
    return started;
  }
  void stop(Instance& instance) {
    drain(port, instance.backend, instance.server->pid());
    instance.server->stop();
  }

  const Public port = by(spec::Routing::port);
};

TEST_F(PortRouting, SwitchesUnderLoadWithoutAFailedConnection) {
  ASSERT_OK(claim(port));
  Instance serving = start("v0", 20000);
  ASSERT_OK(serve(port, {serving.backend}));
  Load load(port.port);
  constexpr int kSwitches = 60;
  for (int n = 1; n <= kSwitches; ++n) {
    const std::string release = "v" + std::to_string(n);
    Instance next = start(release, static_cast<std::uint16_t>(20000 + n % 7));
    const auto probe = router->probe_endpoint(port, next.backend);
    ASSERT_EQ(ask(probe.address, probe.port), release);
    ASSERT_OK(serve(port, {next.backend}));
    ASSERT_EQ(ask("127.0.0.1", port.port), release);
    ASSERT_EQ(ask(another_loopback(), port.port), release);
    stop(serving);
    serving = std::move(next);
    load.await(50);
  }
  load.end();
  EXPECT_EQ(load.failures, std::vector<std::string>());
  EXPECT_EQ(load.answers.size(), kSwitches + 1u);
}

TEST_F(PortRouting, SharesConnectionsAmongThoseThatServe) {
  ASSERT_OK(claim(port));
  Instance one = start("one", 20001, 1), two = start("two", 20002, 2), three = start("three", 20003, 3);
  ASSERT_OK(serve(port, {one.backend, two.backend, three.backend}));
  Load load(port.port);
  load.await(600);
  load.end();
  EXPECT_EQ(load.failures, std::vector<std::string>());
  for (const auto& name : {"one", "two", "three"}) EXPECT_GT(load.answers[name], load.total() / 6) << name;
}

TEST_F(PortRouting, RefusesWhileNothingServes) {
  ASSERT_OK(claim(port));
  EXPECT_EQ(ask("127.0.0.1", port.port), "!connect: Connection refused");
  Instance one = start("one", 20001);
  ASSERT_OK(serve(port, {one.backend}));
  EXPECT_EQ(ask("127.0.0.1", port.port), "one");
  ASSERT_OK(serve(port, {}));
  EXPECT_EQ(ask("127.0.0.1", port.port), "!connect: Connection refused");
  ASSERT_OK(serve(port, {one.backend}));
  ASSERT_OK(give_up(port));
  EXPECT_EQ(ask("127.0.0.1", port.port), "!connect: Connection refused");
  EXPECT_EQ(Nftables().print().value(), "") << "nothing stays";
}

TEST_F(PortRouting, GoesOnOverRestartsOfBerthdAndDropsWhatNobodyClaims) {
  const Public other = by(spec::Routing::port, 8081), gone = by(spec::Routing::port, 8082);
  Instance one = start("one", 20001), two = start("two", 20002), three = start("three", 20003), four = start("four", 20004);
  for (const auto& [claimed, instance] : {std::pair(port, &one), std::pair(other, &two), std::pair(gone, &three)}) {
    ASSERT_OK(claim(claimed));
    ASSERT_OK(serve(claimed, {instance->backend}));
  }
  Load load(port.port), other_load(other.port);
  for (int round = 0; round < 10; ++round) {
    restart();
    load.await(20);
    ASSERT_OK(claim(port));
    ASSERT_OK(claim(other));
    ASSERT_OK(serve(port, {one.backend}));
    EXPECT_EQ(ask("127.0.0.1", gone.port), round == 0 ? "three" : "!connect: Connection refused");
    ASSERT_OK(settle());
    other_load.await(20);
  }
  EXPECT_EQ(ask("127.0.0.1", gone.port), "!connect: Connection refused");
  EXPECT_EQ(Nftables().read()->closed, (std::set<std::uint16_t>{20001, 20002})) << "the route that is yet to be served keeps its rules";
  ASSERT_OK(serve(other, {four.backend}));
  stop(two);
  load.end();
  other_load.end();
  EXPECT_EQ(load.failures, std::vector<std::string>());
  EXPECT_EQ(other_load.failures, std::vector<std::string>());
  EXPECT_EQ(other_load.answers.count("two"), 1u);
}

TEST_F(PortRouting, GoesOnThoughAnotherProgramTookThePortWhileBerthdWasAway) {
  ASSERT_OK(claim(port));
  Instance one = start("one", 20001);
  ASSERT_OK(serve(port, {one.backend}));
  router.reset();
  Fd squatter = listen_at(all_addresses(), port.port);
  ASSERT_TRUE(squatter);
  restart();
  EXPECT_FALSE(claim(port));
  ASSERT_OK(settle());
  EXPECT_EQ(ask("127.0.0.1", port.port), "one") << "the app runs, and is served as it was";
  squatter.reset();
  ASSERT_OK(claim(port));
  ASSERT_OK(give_up(port));
  EXPECT_EQ(ask("127.0.0.1", port.port), "!connect: Connection refused");
}

TEST_F(PortRouting, ComesBackAfterAFlush) {
  ASSERT_OK(claim(port));
  Instance one = start("one", 20001);
  ASSERT_OK(serve(port, {one.backend}));
  boost::asio::cancellation_signal cancel;
  std::vector<std::string> told;
  io::Event repaired(loop.executor());
  std::function<void(Router::TableNews)> on_repair = [&](Router::TableNews news) {
    EXPECT_FALSE(news.lost) << news.what;
    told.push_back(std::move(news.what));
    repaired.notify();
  };
  bool ended = false;
  const auto note_end = [&ended](std::exception_ptr) { ended = true; };
  boost::asio::co_spawn(loop.executor(), router->watch(on_repair), boost::asio::bind_cancellation_slot(cancel.slot(), note_end));
  const std::function<void(const std::string&)> damage = [&](const std::string& command) {
    const std::size_t before = told.size();
    loop.post([&] { shell(command); });
    const auto wait = [](io::Event* event) -> boost::asio::awaitable<bool> { co_return co_await event->wait(std::chrono::seconds(10)); };
    EXPECT_TRUE(io::on_loop(loop, wait(&repaired))) << command;
    EXPECT_EQ(told.size(), before + 1);
    EXPECT_EQ(ask("127.0.0.1", port.port), "one") << command;
  };
  io::on_loop(loop, io::sleep_for(io::milliseconds(20)));
  damage("nft flush ruleset");
  damage("nft flush chain inet berth public");
  damage("nft delete table inet berth");
  damage("nft add rule inet berth public tcp dport 1 drop");
  EXPECT_NE(told.front().find("inet berth"), std::string::npos);

  // Our own changes, and those of other tables, are no damage.
  Instance two = start("two", 20002);
  ASSERT_OK(serve(port, {two.backend}));
  shell("nft 'add table inet other; flush table inet other; delete table inet other'");
  io::on_loop(loop, io::sleep_for(io::milliseconds(200)));
  EXPECT_EQ(told.size(), 4u);
  EXPECT_EQ(ask("127.0.0.1", port.port), "two");
  loop.post([&] { cancel.emit(boost::asio::cancellation_type::terminal); });
  for (int i = 0; i < 1000 && !ended; ++i) io::on_loop(loop, io::sleep_for(io::milliseconds(20)));
  EXPECT_TRUE(ended);
}

/// A table that one program alone may change, and that goes with it.
class Possessor {
 public:
  Possessor() : context_(::nft_ctx_new(NFT_CTX_DEFAULT)) {
    ::nft_ctx_buffer_error(context_);
    EXPECT_EQ(::nft_run_cmd_from_buffer(context_, "delete table inet berth; add table inet berth { flags owner; }"), 0) << ::nft_ctx_get_error_buffer(context_);
  }
  ~Possessor() { ::nft_ctx_free(context_); }

 private:
  nft_ctx* context_;
};

TEST_F(PortRouting, TellsOnceOfATableThatItCannotPutBackAndTriesOn) {
  ASSERT_OK(claim(port));
  Instance one = start("one", 20001);
  ASSERT_OK(serve(port, {one.backend}));
  boost::asio::cancellation_signal cancel;
  std::vector<Router::TableNews> told;
  io::Event news_came(loop.executor());
  std::function<void(Router::TableNews)> on_news = [&](Router::TableNews news) {
    told.push_back(std::move(news));
    news_came.notify();
  };
  const auto wait = [](io::Event* event) -> boost::asio::awaitable<bool> { co_return co_await event->wait(std::chrono::seconds(10)); };
  bool ended = false;
  const auto note_end = [&ended](std::exception_ptr) { ended = true; };
  boost::asio::co_spawn(loop.executor(), router->watch(on_news), boost::asio::bind_cancellation_slot(cancel.slot(), note_end));
  io::on_loop(loop, io::sleep_for(io::milliseconds(20)));
  auto possessor = std::make_unique<Possessor>();
  ASSERT_TRUE(io::on_loop(loop, wait(&news_came)));
  EXPECT_TRUE(told.back().lost) << told.back().what;
  EXPECT_NE(router->trouble().find("could not be put back"), std::string::npos) << router->trouble();
  io::on_loop(loop, io::sleep_for(io::milliseconds(700)));
  EXPECT_EQ(told.size(), 1u) << "it is told once, however often it is tried";
  possessor.reset();
  ASSERT_TRUE(io::on_loop(loop, wait(&news_came)));
  EXPECT_FALSE(told.back().lost);
  EXPECT_EQ(router->trouble(), "");
  EXPECT_EQ(ask("127.0.0.1", port.port), "one");
  loop.post([&] { cancel.emit(boost::asio::cancellation_type::terminal); });
  for (int i = 0; i < 1000 && !ended; ++i) io::on_loop(loop, io::sleep_for(io::milliseconds(20)));
  EXPECT_TRUE(ended);
}

TEST_F(PortRouting, IsRefusedWhileAnotherBerthdHasTheTable) {
  const Public theirs = {.app = "shop", .process = "web", .port = 8090, .kind = spec::Routing::port};
  const files::TemporaryDirectory elsewhere;
  Router other(loop.executor(), pool, elsewhere.path());
  ASSERT_OK(claim(port));
  Instance one = start("one", 20001);
  ASSERT_OK(serve(port, {one.backend}));
  const auto refused = io::on_loop(loop, other.claim(theirs));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::conflict);
  EXPECT_NE(refused.error().message.find("port 8090 of shop/web: another berthd (pid " + std::to_string(::getpid()) + ")"), std::string::npos) << refused.error().message;
  ASSERT_OK(io::on_loop(loop, other.settle()));
  EXPECT_EQ(ask("127.0.0.1", port.port), "one") << "what is not its own stays";

  router.reset();
  const auto away = io::on_loop(loop, other.claim(theirs));
  ASSERT_FALSE(away);
  EXPECT_NE(away.error().message.find("does not run now but whose apps go on at port 8080"), std::string::npos) << away.error().message;
  restart();
  ASSERT_OK(claim(port));
  ASSERT_OK(serve(port, {one.backend}));
  ASSERT_OK(settle());
  EXPECT_EQ(ask("127.0.0.1", port.port), "one");

  ASSERT_OK(give_up(port));
  ASSERT_OK(io::on_loop(loop, other.claim(theirs)));
  const auto late = claim(port);
  ASSERT_FALSE(late) << "now it is the other's";
}

TEST_F(PortRouting, TakesATableThatNobodyMarkedAndOneWhoseAppsAreGone) {
  ASSERT_TRUE(Nftables().write({.routes = {{port.port, {20001}}}, .closed = {20001}}));
  Instance one = start("one", 20001);
  ASSERT_OK(claim(port));
  EXPECT_EQ(ask("127.0.0.1", port.port), "one") << "it is of a berthd before marks";
  ASSERT_OK(serve(port, {one.backend}));
  EXPECT_NE(Nftables().read()->mark, "");
  router.reset();
  one.server->stop();
  const files::TemporaryDirectory elsewhere;
  Router other(loop.executor(), pool, elsewhere.path());
  const Public theirs = {.app = "shop", .process = "web", .port = 8090, .kind = spec::Routing::port};
  ASSERT_OK(io::on_loop(loop, other.claim(theirs)));
  Instance two = start("two", 20002);
  ASSERT_OK(io::on_loop(loop, other.serve(theirs, {two.backend})));
  EXPECT_EQ(ask("127.0.0.1", 8090), "two");
  EXPECT_EQ(Nftables().read()->routes.size(), 1u);
}

TEST_F(PortRouting, CountsConnectionsByThePrivatePort) {
  ASSERT_OK(claim(port));
  const Fd listener = listen_at(all_addresses(), 20001);
  const Backend backend{.id = id("v1"), .private_port = 20001};
  ASSERT_OK(serve(port, {backend}));
  EXPECT_EQ(connections(port, backend, {}), 0);
  std::vector<std::thread> clients;
  for (const std::string& address : {std::string("127.0.0.1"), another_loopback()}) {
    clients.emplace_back([address] { EXPECT_EQ(ask(address, 8080), "!closed without an answer"); });
  }
  while (connections(port, backend, {}) < 2) std::this_thread::yield();
  Fd first(::accept(listener.get(), nullptr, nullptr));
  EXPECT_EQ(connections(port, backend, {}), 2) << "one accepted, one in the queue";
  Fd second(::accept(listener.get(), nullptr, nullptr));
  first.reset();
  second.reset();
  for (auto& client : clients) client.join();
  EXPECT_EQ(connections(port, backend, {}), 0);
}

TEST_F(PortRouting, WhatNeverServesStaysClosedToTheOutsideOverARestart) {
  const Outside outside;
  ASSERT_OK(claim(port));
  Instance one = start("one", 20001), admin = start("admin", 20002, 2);
  ASSERT_OK(serve(port, {one.backend}));
  ASSERT_OK(io::on_loop(loop, router->shield(port, admin.backend)));
  EXPECT_TRUE(outside.asks("10.77.0.1", 20002, 300).starts_with("!connect"));
  restart();
  ASSERT_OK(claim(port));
  ASSERT_OK(io::on_loop(loop, router->shield(port, admin.backend)));
  ASSERT_OK(serve(port, {one.backend}));
  ASSERT_OK(io::on_loop(loop, router->settle()));
  EXPECT_TRUE(outside.asks("10.77.0.1", 20002, 300).starts_with("!connect")) << "after the restart, too";
  EXPECT_EQ(outside.asks("10.77.0.1", port.port), "one");
}

TEST_F(PortRouting, ServesTheOutsideByThePublicPortOnly) {
  const Outside outside;
  ASSERT_OK(claim(port));
  Instance one = start("one", 20001), two = start("two", 20002, 2);
  EXPECT_EQ(outside.asks("10.77.0.1", 20001), "one") << "the way is open";
  ASSERT_OK(io::on_loop(loop, router->shield(port, two.backend)));
  EXPECT_TRUE(outside.asks("10.77.0.1", 20002, 300).starts_with("!connect")) << "shielded before it serves";
  ASSERT_OK(serve(port, {one.backend}));
  for (const auto* address : {"10.77.0.1", "fd77::1"}) {
    EXPECT_EQ(outside.asks(address, port.port), "one") << address;
    EXPECT_TRUE(outside.asks(address, 20001, 300).starts_with("!connect")) << address;
    EXPECT_TRUE(outside.asks(address, 20002, 300).starts_with("!connect")) << address;
    EXPECT_EQ(ask(address, port.port), "one") << "from this machine by its own address " << address;
  }
  EXPECT_EQ(ask("127.0.0.1", 20001), "one") << "probes";
  ASSERT_OK(serve(port, {two.backend}));
  EXPECT_TRUE(outside.asks("10.77.0.1", 20001, 300).starts_with("!connect")) << "the one before stays closed while it drains";
  EXPECT_EQ(outside.asks("10.77.0.1", port.port), "two");
}

TEST_F(PortRouting, TakesNoTrafficToOtherMachines) {
  const Outside outside;
  ASSERT_OK(claim(port));
  Instance one = start("one", 20001);
  ASSERT_OK(serve(port, {one.backend}));
  EXPECT_EQ(ask("10.77.0.2", port.port), "!connect: Connection refused") << "by the other machine, which has nothing there";
}

}  // namespace
}  // namespace berth::route
