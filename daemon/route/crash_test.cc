#include <csignal>
#include <random>

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/route/socket_fixture.h"

namespace berth::route {
namespace {

/// What a berthd does with three instances that run, again and again, until it is killed. `kept`: what their keepers hold.
boost::asio::awaitable<void> switch_on_and_on(Router* router, Public port, std::vector<InstanceId> ids, std::vector<int> kept, unsigned seed) {
  std::minstd_rand random(seed);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (!router->take_back(port, ids[i], Fd(::dup(kept[i])))) ::_exit(2);
  }
  const auto claimed = co_await router->claim(port);
  if (!claimed) ::_exit(3);
  for (;;) {
    const std::size_t serving = random() % 2;
    std::vector<Backend> backends = {{.id = ids[serving]}};
    const auto served = co_await router->serve(port, backends);
    if (!served) ::_exit(4);
    InstanceId passing = ids[0];
    passing.release = "passing";
    if (!router->listener(port, passing)) ::_exit(5);
    if (random() % 4 == 0 && !router->close_listener(port, ids[2])) ::_exit(6);
    if (!router->close_listener(port, passing)) ::_exit(7);
  }
}

TEST_F(SocketRouting, SurvivesABerthdThatIsKilledAtAnyMoment) {
  ASSERT_OK(claim(port));
  std::vector<Instance> instances;
  for (int n = 1; n <= 3; ++n) instances.push_back(start("r" + std::to_string(n), n));
  ASSERT_OK(serve(port, {instances[0].backend}));
  Load load(port.port);
  std::minstd_rand random(20261124);
  for (int round = 0; round < 40; ++round) {
    router.reset();
    const pid_t berthd = ::fork();
    if (berthd == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      io::Loop its_loop;
      io::Pool its_pool(1);
      Router its_router(its_loop.executor(), its_pool, folder.path());
      std::vector<InstanceId> ids;
      std::vector<int> kept;
      for (const auto& instance : instances) {
        ids.push_back(instance.backend.id);
        kept.push_back(instance.kept.get());
      }
      its_loop.spawn("switch", switch_on_and_on(&its_router, port, ids, kept, static_cast<unsigned>(round)));
      its_loop.run();
      ::_exit(8);
    }
    std::this_thread::sleep_for(std::chrono::microseconds(5000 + random() % 60000));  // the moment of its death, not a wait
    ::kill(berthd, SIGKILL);
    int status = 0;
    ::waitpid(berthd, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status)) << "it failed by itself: " << WEXITSTATUS(status);

    restart();
    ASSERT_OK(claim(port));
    for (auto& instance : instances) {
      if (router->take_back(port, instance.backend.id, Fd(::dup(instance.kept.get())))) continue;
      ASSERT_EQ(&instance, &instances[2]) << "only that one was ever closed";
      instance.server->stop();
      instance.kept.reset();
    }
    const auto& serving = instances[round % 2];
    ASSERT_OK(serve(port, {serving.backend}));
    ASSERT_OK(settle());
    ASSERT_EQ(ask("127.0.0.1", port.port), serving.backend.id.release);
    if (!instances[2].kept) instances[2] = start("r3", 3);
    for (const auto& instance : instances) ASSERT_EQ(probe(instance), instance.backend.id.release) << "in round " << round;
    load.await(20);
  }
  load.end();
  EXPECT_EQ(load.failures, std::vector<std::string>());
  EXPECT_EQ(load.answers.count("r3"), 0u) << "it never served";
}

}  // namespace
}  // namespace berth::route
