#include "core/kill_one.h"
#include "daemon/keeper/keeper_fixture.h"

#include <gmock/gmock.h>
#include <sys/syscall.h>

namespace berth::keeper {
namespace {

class KeeperStopping : public KeeperFixture {};

TEST_F(KeeperStopping, UsesTheAppsOwnSignalAndThenGoesToo) {
  start_keeper();
  auto plan = shell("trap 'echo quit; exit 0' QUIT; echo up; while :; do sleep 0.01; done");
  plan.stop_signal = SIGQUIT;
  launch(plan);
  ASSERT_TRUE(wait_until([&] { return logged("up"); }, 10s));
  stop();
  const auto state = expect(Event::gone);
  EXPECT_EQ(state.last_exit.cause, Cause::stopped);
  EXPECT_EQ(state.last_exit.status, 0);
  EXPECT_FALSE(state.last_exit.killed);
  ASSERT_TRUE(wait_until([&] { return gone(); }, 10s));
  EXPECT_EQ(keeper_status, 0);
  EXPECT_FALSE(fs::exists(socket_path()));
  EXPECT_TRUE(logged("quit"));
}

TEST_F(KeeperStopping, KillsAnAppThatIgnoresItsSignalAfterTheGrace) {
  start_keeper();
  auto plan = shell("trap '' TERM; echo up; while :; do sleep 1; done");
  plan.grace_ms = 300;
  launch(plan);
  ASSERT_TRUE(wait_until([&] { return logged("up"); }, 10s));
  const auto asked = std::chrono::steady_clock::now();
  stop();
  const LastExit last = expect(Event::gone).last_exit;
  EXPECT_EQ(last.status, SIGKILL);
  EXPECT_GE(std::chrono::steady_clock::now() - asked, 300ms);
  EXPECT_EQ(last.cause, Cause::stopped);
  EXPECT_TRUE(last.killed);
  EXPECT_EQ(last.error, 300) << "what it had";
}

TEST_F(KeeperStopping, TellsOfARestartThatHadToKillAndForgetsItOverTheNextExit) {
  start_keeper();
  const std::string mark = (root / "mark").string();
  auto plan = shell("if [ -e " + mark + " ]; then trap 'exit 0' TERM; echo second; else trap '' TERM; : > " + mark + "; echo first; fi; while :; do sleep 0.01; done");
  plan.grace_ms = 200;
  launch(plan);
  ASSERT_TRUE(wait_until([&] { return logged("first"); }, 10s));
  restart(false, "by root");
  const LastExit first = expect(Event::exited).last_exit;
  EXPECT_EQ(first.cause, Cause::asked);
  EXPECT_TRUE(first.killed);
  expect(Event::started);
  ASSERT_TRUE(wait_until([&] { return logged("second"); }, 10s));
  stop();
  EXPECT_FALSE(expect(Event::gone).last_exit.killed);
}

TEST_F(KeeperStopping, TakesAShorterGraceOnRequest) {
  start_keeper();
  auto plan = shell("trap '' TERM; echo up; while :; do sleep 1; done");
  plan.grace_ms = 600'000;
  launch(plan);
  ASSERT_TRUE(wait_until([&] { return logged("up"); }, 10s));
  stop(50);
  EXPECT_EQ(expect(Event::gone).last_exit.status, SIGKILL);
}

TEST_F(KeeperStopping, DoesTheSameOnSigterm) {
  start_keeper();
  launch(shell("trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.01; done"));
  ASSERT_TRUE(wait_until([&] { return logged("up"); }, 10s));
  kill_one(keeper, SIGTERM);
  ASSERT_TRUE(wait_until([&] { return gone(); }, 10s));
  EXPECT_TRUE(logged("bye"));
}

TEST_F(KeeperStopping, LeavesNoOrphanEvenOfAnAppThatLetsItsChildrenGo) {
  start_keeper();
  const auto child = root / "child";
  auto plan = shell("setsid sh -c 'trap \"\" TERM; echo $$ >" + child.string() + "; while :; do sleep 1; done' & echo up; exec sleep 100");
  plan.grace_ms = 300;
  launch(plan);
  const int orphan = number_in(child);
  stop();
  expect(Event::gone);
  EXPECT_FALSE(lives(orphan));
}

TEST_F(KeeperStopping, AsksWhatAShellOfAShellRunsToo) {
  start_keeper();
  auto plan = shell("sh -c 'sh -c \"trap \\\"echo asked; exit 0\\\" TERM; echo up; while :; do sleep 0.01; done\"; true'; true");
  plan.grace_ms = 600'000;
  launch(plan);
  ASSERT_TRUE(wait_until([&] { return logged("up"); }, 10s));
  stop();
  expect(Event::gone);
  EXPECT_TRUE(logged("asked"));
}

TEST_F(KeeperStopping, OutrunsAnAppThatForksWhileItIsKilled) {
  start_keeper();
  auto plan = shell("f() { trap '' TERM; sleep 0.02; f & f2=1; }; f & echo up; exec sleep 100");
  plan.grace_ms = 100;
  launch(plan);
  ASSERT_TRUE(wait_until([&] { return logged("up"); }, 10s));
  stop();
  expect(Event::gone);
  ASSERT_TRUE(wait_until([&] { return gone(); }, 10s));
}

TEST_F(KeeperStopping, KillsTheWholeCgroupThatWasDelegatedToIt) {
  const fs::path cgroup = "/sys/fs/cgroup/unified/berth-keeper-test";
  std::error_code refused;
  if (!fs::create_directories(cgroup, refused) && refused) GTEST_SKIP() << "no cgroup2 that allows it";
  own_cgroup = cgroup;
  start_keeper();
  auto plan = shell("(trap '' TERM; setsid sh -c 'trap \"\" TERM; while :; do sleep 1; done') & trap '' TERM; echo up; while :; do sleep 1; done");
  plan.grace_ms = 100;
  launch(plan);
  const auto state = expect(Event::started);
  EXPECT_EQ(fs::path(state.cgroup), cgroup / "app");
  ASSERT_TRUE(wait_until([&] { return logged("up"); }, 10s));
  EXPECT_THAT(slurp(fmt::format("/proc/{}/cgroup", keeper)), testing::HasSubstr("0::/berth-keeper-test/keeper\n"));
  EXPECT_THAT(slurp(cgroup / "app/cgroup.procs"), testing::HasSubstr(std::to_string(state.app_pid)));
  stop();
  expect(Event::gone);
  EXPECT_EQ(slurp(cgroup / "app/cgroup.procs"), "");
  ASSERT_TRUE(wait_until([&] { return gone(); }, 10s));
  for (const auto& leaf : {cgroup / "app", cgroup / "keeper", cgroup}) fs::remove(leaf);
}

class KeeperHolding : public KeeperFixture {
 protected:
  /// An app with a socket that only the keeper holds from now on.
  State start_with_socket() {
    start_keeper();
    Fd socket = listener(&port);
    auto plan = shell("exec sleep 100");
    plan.sockets = {{"http", socket.get()}};
    launch(plan);
    return expect(Event::started);
  }
  std::uint16_t port = 0;
};

TEST_F(KeeperHolding, KeepsTheSocketsOfAStoppedAppUntilItIsToldToLeave) {
  const auto started = start_with_socket();
  tell(Type::hold);
  stop();
  const auto state = expect(Event::gone);
  EXPECT_EQ(state.phase, Phase::holding);
  EXPECT_FALSE(lives(started.app_pid));
  ASSERT_TRUE(connect()) << "as a berthd that was started again";
  EXPECT_EQ(expect(Event::hello).phase, Phase::holding);
  tell(Type::get_fds);
  const auto held = receive(10s);
  ASSERT_TRUE(held);
  EXPECT_EQ(held->fds.size(), 3u) << "the socket, stdout and stderr";
  EXPECT_TRUE(listened(port));
  EXPECT_FALSE(gone());
  tell(Type::leave);
  ASSERT_TRUE(wait_until([&] { return gone(); }, 10s));
  EXPECT_EQ(keeper_status, 0);
}

TEST_F(KeeperHolding, StartsNothingWhileItHolds) {
  start_with_socket();
  tell(Type::hold);
  stop();
  expect(Event::gone);
  restart(false, "asked");
  stop();
  EXPECT_EQ(expect(Event::gone).app_pid, 0);
  EXPECT_TRUE(listened(port));
}

TEST_F(KeeperHolding, GoesAtOnceWhenItWasNotAskedToHold) {
  start_with_socket();
  stop();
  EXPECT_EQ(expect(Event::gone).phase, Phase::ended);
  ASSERT_TRUE(wait_until([&] { return gone(); }, 10s));
  EXPECT_FALSE(listened(port));
}

TEST_F(KeeperHolding, GoesOnSigtermWhateverItHolds) {
  start_with_socket();
  tell(Type::hold);
  stop();
  expect(Event::gone);
  kill_one(keeper, SIGTERM);
  ASSERT_TRUE(wait_until([&] { return gone(); }, 10s));
}

TEST_F(KeeperStopping, WakesAStoppedProcessSoThatItCanEnd) {
  start_keeper();
  launch(shell("exec sleep 100"));
  const auto state = expect(Event::started);
  kill_one(state.app_pid, SIGSTOP);
  stop();
  EXPECT_EQ(expect(Event::gone, 3s).last_exit.status, SIGTERM);
}

TEST_F(KeeperStopping, EndsTheWaitForTheNextStart) {
  start_keeper();
  auto plan = shell("exit 1");
  plan.policy.first_ms = plan.policy.longest_ms = 600'000;
  launch(plan);
  expect(Event::waiting);
  stop();
  expect(Event::gone);
}

TEST_F(KeeperStopping, OfABoundAppBeginsWhenWhoLaunchedItGoes) {
  start_keeper();
  auto plan = shell("trap 'echo quit; exit 0' TERM; echo up; while :; do sleep 0.01; done");
  plan.bound = true;
  launch(plan);
  ASSERT_TRUE(wait_until([&] { return logged("up"); }, 10s));
  connection.reset();
  ASSERT_TRUE(wait_until([&] { return gone(); }, 10s));
  EXPECT_EQ(keeper_status, 0);
  EXPECT_TRUE(logged("quit")) << "by its own signal";
}

TEST_F(KeeperStopping, OfABoundAppDoesNotBeginWhereSomebodyElseConnects) {
  start_keeper();
  auto plan = shell("echo up; while :; do sleep 0.01; done");
  plan.bound = true;
  launch(plan);
  ASSERT_TRUE(wait_until([&] { return logged("up"); }, 10s));
  const Fd before = std::move(connection);
  ASSERT_TRUE(connect());
  expect(Event::hello);
  restart(false, "again");
  EXPECT_EQ(expect(Event::exited).last_exit.cause, Cause::asked) << "it goes on for the new one";
}

TEST_F(KeeperStopping, ABoundAppDoesNotOutliveItsKeeper) {
  start_keeper();
  auto plan = shell("echo up; exec sleep 600");
  plan.bound = true;
  launch(plan);
  const auto state = expect(Event::started);
  const Fd app(static_cast<int>(::syscall(SYS_pidfd_open, state.app_pid, 0)));
  ASSERT_TRUE(app);
  ASSERT_EQ(kill_one(keeper, SIGKILL), 0);
  pollfd polled{app.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&polled, 1, 10'000), 1) << "it runs on";
}

}  // namespace
}  // namespace berth::keeper
