#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "daemon/route/socket_fixture.h"

namespace berth::route {
namespace {

TEST_F(SocketRouting, SwitchesUnderLoadWithoutAFailedConnection) {
  ASSERT_OK(claim(port));
  Instance serving = start("v0");
  ASSERT_OK(serve(port, {serving.backend}));
  Load load(port.port);
  constexpr int kSwitches = 60;
  for (int n = 1; n <= kSwitches; ++n) {
    const std::string release = "v" + std::to_string(n);
    Instance next = start(release);
    ASSERT_EQ(probe(next), release);
    ASSERT_OK(serve(port, {next.backend}));
    ASSERT_EQ(ask("127.0.0.1", port.port), release) << "the kernel serves it when serve returns";
    stop(serving);
    serving = std::move(next);
    load.await(50);
  }
  load.end();
  EXPECT_EQ(load.failures, std::vector<std::string>());
  EXPECT_EQ(load.answers.size(), kSwitches + 1u) << "each release served";
  EXPECT_GT(load.total(), kSwitches * 50);
  EXPECT_EQ(dropped, 0u) << "nobody's first packet was";
}

TEST_F(SocketRouting, KeepsClientsFromAnInstanceThatDoesNotServe) {
  ASSERT_OK(claim(port));
  Instance old = start("old");
  ASSERT_OK(serve(port, {old.backend}));
  Load load(port.port);
  Instance fresh = start("fresh"), other = start("other", 2);
  for (int i = 0; i < 50; ++i) {
    ASSERT_EQ(probe(fresh), "fresh");
    ASSERT_EQ(probe(other), "other");
    ASSERT_EQ(probe(old), "old");
  }
  load.await(500);
  load.end();
  EXPECT_EQ(load.failures, std::vector<std::string>());
  EXPECT_EQ(load.answers.size(), 1u) << "only the one that serves";
}

TEST_F(SocketRouting, SharesConnectionsAmongThoseThatServe) {
  ASSERT_OK(claim(port));
  Instance one = start("one", 1), two = start("two", 2), three = start("three", 3);
  ASSERT_OK(serve(port, {one.backend, two.backend, three.backend}));
  Load load(port.port);
  load.await(600);
  load.end();
  EXPECT_EQ(load.failures, std::vector<std::string>());
  for (const auto& name : {"one", "two", "three"}) EXPECT_GT(load.answers[name], load.total() / 6) << name;
}

TEST_F(SocketRouting, FollowsTheKernelWhenSocketsLeaveTheGroup) {
  ASSERT_OK(claim(port));
  std::vector<Instance> old, fresh;
  for (int n = 1; n <= 4; ++n) old.push_back(start("old", n));
  std::vector<Backend> backends;
  for (const auto& instance : old) backends.push_back(instance.backend);
  ASSERT_OK(serve(port, backends));
  Load load(port.port);
  backends.clear();
  for (int n = 1; n <= 4; ++n) fresh.push_back(start("new" + std::to_string(n), n));
  for (const auto& instance : fresh) backends.push_back(instance.backend);
  ASSERT_OK(serve(port, backends));
  load.await(100);
  for (const int leaving : {0, 2, 1, 3}) {
    stop(old[leaving]);
    for (int n = 0; n < 4; ++n) ASSERT_EQ(probe(fresh[n]), "new" + std::to_string(n + 1)) << "after " << leaving << " left";
    load.await(100);
  }
  load.end();
  EXPECT_EQ(load.failures, std::vector<std::string>());
  EXPECT_EQ(load.answers.size(), 5u);
}

TEST_F(SocketRouting, LetsNobodyInWhileNothingServesAndEveryoneAfterwards) {
  ASSERT_OK(claim(port));
  Instance first = start("first"), second = start("second", 2);
  EXPECT_TRUE(ask("127.0.0.1", port.port, "", 300).starts_with("!connect"));
  EXPECT_TRUE(ask(another_loopback(), port.port, "", 300).starts_with("!connect"));
  EXPECT_EQ(probe(first), "first");
  ASSERT_OK(serve(port, {first.backend}));
  EXPECT_EQ(ask("127.0.0.1", port.port), "first");
  ASSERT_OK(serve(port, {}));
  EXPECT_TRUE(ask("127.0.0.1", port.port, "", 300).starts_with("!connect"));
  ASSERT_OK(give_up(port));
  EXPECT_EQ(ask("127.0.0.1", port.port), "!connect: Connection refused");
}

TEST_F(SocketRouting, GoesOnOverRestartsOfBerthd) {
  ASSERT_OK(claim(port));
  std::vector<Instance> instances;
  for (int n = 1; n <= 3; ++n) instances.push_back(start("r" + std::to_string(n), n));
  ASSERT_OK(serve(port, {instances[0].backend, instances[1].backend}));
  Load load(port.port);
  load.await(50);
  for (int round = 0; round < 20; ++round) {
    restart();
    load.await(20);
    if (round % 2 == 0) ASSERT_OK(claim(port));
    for (const auto& instance : instances) ASSERT_OK(router->take_back(port, instance.backend.id, Fd(::dup(instance.kept.get()))));
    if (round % 2 != 0) ASSERT_OK(claim(port));
    load.await(20);
    std::vector<Backend> backends;
    for (const auto& instance : instances) backends.push_back(instance.backend);
    backends.erase(backends.begin() + round % 3);
    ASSERT_OK(serve(port, backends));
    ASSERT_OK(settle());
    for (int n = 0; n < 3; ++n) ASSERT_EQ(probe(instances[n]), "r" + std::to_string(n + 1)) << "in round " << round;
    load.await(20);
    // One leaves, and another comes in its place: the group's order is another one each time.
    Instance& leaving = instances[round % 3];
    stop(leaving);
    leaving = start("r" + std::to_string(round % 3 + 1), round % 3 + 1);
    ASSERT_EQ(probe(leaving), "r" + std::to_string(round % 3 + 1));
  }
  load.end();
  EXPECT_EQ(load.failures, std::vector<std::string>());
}

TEST_F(SocketRouting, StartsAnInstanceAfterARestartBeforeAnythingIsServedAgain) {
  ASSERT_OK(claim(port));
  Instance draining = start("draining"), serving = start("serving", 2);
  ASSERT_OK(serve(port, {serving.backend}));
  Load load(port.port);
  restart();
  ASSERT_OK(router->take_back(port, draining.backend.id, Fd(::dup(draining.kept.get()))));
  ASSERT_OK(router->take_back(port, serving.backend.id, Fd(::dup(serving.kept.get()))));
  ASSERT_OK(claim(port));
  Instance fresh = start("fresh", 3);
  EXPECT_EQ(probe(fresh), "fresh");
  EXPECT_EQ(probe(draining), "draining");
  load.await(200);
  load.end();
  EXPECT_EQ(load.failures, std::vector<std::string>());
  EXPECT_EQ(load.answers.size(), 1u) << "what served goes on to";
}

TEST_F(SocketRouting, FindsTheOrderThoughAnAppEndedItsSocketItself) {
  ASSERT_OK(claim(port));
  Instance one = start("one", 1), two = start("two", 2), three = start("three", 3);
  ASSERT_OK(serve(port, {two.backend, three.backend}));
  ::shutdown(one.kept.get(), SHUT_RDWR);
  ASSERT_OK(serve(port, {three.backend}));
  for (int i = 0; i < 20; ++i) ASSERT_EQ(ask("127.0.0.1", port.port), "three");
  EXPECT_EQ(probe(two), "two");
  const auto refused = serve(port, {one.backend});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::not_found);
  EXPECT_NE(refused.error().message.find("web/web.1@one"), std::string::npos) << refused.error().message;
  EXPECT_EQ(router->serving(port), std::vector<Backend>{three.backend}) << "a refused serve changes nothing";
}

TEST_F(SocketRouting, IsNotMisledByAStrangerInTheGroup) {
  ASSERT_OK(claim(port));
  Instance one = start("one", 1);
  const Fd stranger = listen_at(all_addresses(), port.port, true);
  ASSERT_TRUE(stranger) << "another program of root";
  Instance two = start("two", 2);
  ASSERT_OK(serve(port, {two.backend}));
  for (int leaving = 0; leaving < 2; ++leaving) {
    Load load(port.port);
    load.await(100);
    load.end();
    EXPECT_EQ(load.failures, std::vector<std::string>());
    EXPECT_EQ(load.answers.size(), 1u);
    EXPECT_EQ(probe(two), "two");
    if (leaving == 0) stop(one);
  }
}

TEST_F(SocketRouting, CountsConnectionsInTheQueueAndInTheProcess) {
  ASSERT_OK(claim(port));
  const InstanceId quiet = id("quiet");
  const auto listener = router->listener(port, quiet);
  ASSERT_OK(listener);
  ASSERT_OK(serve(port, {{.id = quiet}}));
  const pid_t self = ::getpid();
  EXPECT_EQ(connections(port, {.id = quiet}, {self}), 0);
  const auto client = [&] {
    Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in to{.sin_family = AF_INET, .sin_port = htons(port.port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    EXPECT_EQ(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
    return socket;
  };
  Fd first = client();
  const Fd second = client();
  EXPECT_EQ(connections(port, {.id = quiet}, {self}), 2) << "both in the queue";
  EXPECT_EQ(connections(port, {.id = quiet}, {}), 2) << "whoever its processes are";
  Fd accepted(::accept(*listener, nullptr, nullptr));
  EXPECT_EQ(connections(port, {.id = quiet}, {self}), 2);
  EXPECT_EQ(connections(port, {.id = quiet}, {}), 1);
  EXPECT_EQ(connections(port, {.id = id("another")}, {}), 0);
  ::shutdown(first.get(), SHUT_WR);
  EXPECT_EQ(connections(port, {.id = quiet}, {self}), 2) << "half closed: it may still be answered";
  accepted.reset();
  first.reset();
  EXPECT_EQ(connections(port, {.id = quiet}, {self}), 1);
}

TEST_F(SocketRouting, TakesBackOnlyWhatListensOnThePort) {
  const Fd elsewhere = listen_at(all_addresses(), 9999, true);
  const auto wrong = router->take_back(port, id("v1"), Fd(::dup(elsewhere.get())));
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, Errc::not_found);
  EXPECT_NE(wrong.error().message.find("of port 9999, not of 8080"), std::string::npos) << wrong.error().message;
  EXPECT_FALSE(router->take_back(port, id("v1"), Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC))));
}

}  // namespace
}  // namespace berth::route
