#include "core/kill_one.h"
#include "daemon/keeper/keeper_fixture.h"

#include <set>

namespace berth::keeper {
namespace {

class KeeperLifecycle : public KeeperFixture {};

TEST_F(KeeperLifecycle, TellsWhomItKeepsToWhoeverConnects) {
  start_keeper();
  launch(shell("exec sleep 100"));
  const auto started = expect(Event::started);
  ASSERT_TRUE(connect());
  const auto hello = expect(Event::hello);
  EXPECT_STREQ(hello.id, "web/web.1@v1");
  EXPECT_EQ(hello.phase, Phase::running);
  EXPECT_EQ(hello.keeper_pid, keeper);
  EXPECT_EQ(hello.app_pid, started.app_pid);
  EXPECT_EQ(hello.launch_digest, make_launch(shell("exec sleep 100"))->digest);
}

TEST_F(KeeperLifecycle, StartsAnAppThatRanForASecondAgainAtOnce) {
  start_keeper();
  launch(shell("exec sleep 100"));
  const auto first = expect(Event::started);
  std::this_thread::sleep_for(1050ms);  // it is the time that it ran which counts
  kill_one(first.app_pid, SIGKILL);
  const auto exited = expect(Event::exited);
  EXPECT_EQ(exited.last_exit.cause, Cause::signal);
  EXPECT_EQ(exited.last_exit.status, SIGKILL);
  const auto again = expect(Event::started);
  EXPECT_EQ(std::ranges::count(passed_over, Event::waiting), 0);
  EXPECT_NE(again.app_pid, first.app_pid);
  EXPECT_EQ(again.starts, 2u);
  EXPECT_EQ(again.exits[static_cast<int>(Cause::signal)], 1u);
}

TEST_F(KeeperLifecycle, WaitsLongerAfterEachEarlyExitAndTellsACrashLoop) {
  start_keeper();
  auto plan = shell("exit 3");
  plan.policy = {.early_ms = 1000, .first_ms = 20, .longest_ms = 100};
  launch(plan);
  for (const std::int64_t wait : {20, 40, 80, 100, 100}) {
    const auto state = expect(Event::waiting);
    EXPECT_GE(state.wait_ms, std::max<std::int64_t>(wait * 4 / 5, 20));
    EXPECT_LE(state.wait_ms, std::min<std::int64_t>(wait * 6 / 5, 100));
    EXPECT_EQ(WEXITSTATUS(state.last_exit.status), 3);
    EXPECT_EQ(state.crash_loop, state.exits[static_cast<int>(Cause::exit)] >= 5);
  }
}

TEST_F(KeeperLifecycle, WaitsForAnotherTimeEachTime) {
  start_keeper();
  auto plan = shell("exit 3");
  plan.policy = {.early_ms = 1000, .first_ms = 1, .longest_ms = 200};
  launch(plan);
  std::set<std::int64_t> waits;
  for (int exits = 1; exits <= 14; exits++) {
    const auto state = expect(Event::waiting);
    if (exits > 9) waits.insert(state.wait_ms);  // of 160 to 200
  }
  EXPECT_GT(waits.size(), 1u);
}

TEST_F(KeeperLifecycle, ObeysOnFailure) {
  start_keeper();
  auto plan = shell("[ -e " + (root / "ran").string() + " ] && exit 0; touch " + (root / "ran").string() + "; exit 1");
  plan.restart = RestartWhen::on_failure;
  launch(plan);
  EXPECT_EQ(WEXITSTATUS(expect(Event::waiting).last_exit.status), 1);
  const auto ended = expect(Event::ended);
  EXPECT_EQ(ended.last_exit.status, 0);
  EXPECT_EQ(ended.starts, 2u);
}

TEST_F(KeeperLifecycle, TriesWhatFailsAsOftenAsItMay) {
  start_keeper();
  auto plan = shell("exit 7");
  plan.restart = RestartWhen::on_failure;
  plan.policy = {.early_ms = 1000, .first_ms = 5, .longest_ms = 10};
  plan.retries = 2;
  launch(plan);
  auto ended = expect(Event::ended);
  EXPECT_EQ(ended.starts, 3u);
  EXPECT_EQ(WEXITSTATUS(ended.last_exit.status), 7);
}

TEST_F(KeeperLifecycle, WithoutRetriesThatIsOnce) {
  start_keeper();
  auto plan = shell("exit 7");
  plan.restart = RestartWhen::on_failure;
  plan.retries = 0;
  launch(plan);
  EXPECT_EQ(expect(Event::ended).starts, 1u);
}

TEST_F(KeeperLifecycle, ObeysNeverAndStillStartsItOnRequest) {
  start_keeper();
  auto plan = shell("exit 1");
  plan.restart = RestartWhen::never;
  launch(plan);
  EXPECT_EQ(expect(Event::ended).starts, 1u);
  restart(false, "by hand");
  EXPECT_EQ(expect(Event::ended).starts, 2u);
}

TEST_F(KeeperLifecycle, TellsALivenessRestartFromACrash) {
  start_keeper();
  launch(shell("exec sleep 100"));
  expect(Event::started);
  restart(true, "503 from /healthz");
  const auto exited = expect(Event::exited);
  EXPECT_EQ(exited.last_exit.cause, Cause::liveness);
  EXPECT_STREQ(exited.last_exit.reason, "503 from /healthz");
  const auto again = expect(Event::started);
  EXPECT_EQ(again.exits[static_cast<int>(Cause::liveness)], 1u);
  EXPECT_EQ(again.exits[static_cast<int>(Cause::signal)], 0u);
}

TEST_F(KeeperLifecycle, LeavesWordOfTheAppForWhenItIsKilledItself) {
  start_keeper();
  launch(shell("exec sleep 100"));
  const auto state = expect(Event::started);
  std::istringstream word(slurp(socket_path() + ".app"));
  std::istringstream stat(slurp(fmt::format("/proc/{}/stat", state.app_pid)));
  pid_t pid = 0;
  std::string start, field;
  word >> pid >> start;
  for (int i = 0; i < 22; i++) stat >> field;
  EXPECT_EQ(pid, state.app_pid);
  EXPECT_EQ(start, field);
  stop();
  expect(Event::gone);
  EXPECT_FALSE(fs::exists(socket_path() + ".app"));
}

TEST_F(KeeperLifecycle, StartsTheAppAgainWhileNobodyIsConnected) {
  start_keeper();
  launch(shell("exec sleep 100"));
  const auto first = expect(Event::started);
  connection.reset();
  kill_one(first.app_pid, SIGKILL);
  State hello{};
  ASSERT_TRUE(wait_until([&] {
    if (!connect()) return false;
    hello = expect(Event::hello);
    return hello.starts == 2;
  }, 10s));
  EXPECT_EQ(hello.phase, Phase::running);
  EXPECT_EQ(hello.last_exit.status, SIGKILL);
  EXPECT_TRUE(lives(hello.app_pid));
}

TEST_F(KeeperLifecycle, LeavesNothingOfTheOldProcessTreeBehindBeforeStartingAgain) {
  start_keeper();
  const auto child = root / "child";
  auto plan = shell("(trap '' TERM; setsid sleep 1000 & echo $! >" + child.string() + ".tmp; mv " + child.string() + ".tmp " + child.string() +
                    "; wait) & exec sleep 100");
  plan.grace_ms = 200;  // what it leaves ignores the signal, also at the end
  launch(plan);
  const auto first = expect(Event::started);
  const int grandchild = number_in(child);
  ASSERT_TRUE(lives(grandchild));
  kill_one(first.app_pid, SIGKILL);
  expect(Event::started);
  EXPECT_FALSE(lives(grandchild));
}

TEST_F(KeeperLifecycle, DoesNotWakeUpWhenNothingHappens) {
  start_keeper();
  launch(shell("exec sleep 100"));
  expect(Event::started);
  const auto switches = [&] {
    std::istringstream status(slurp(fmt::format("/proc/{}/status", keeper)));
    long total = 0;
    for (std::string line; std::getline(status, line);) {
      if (line.find("ctxt_switches") != std::string::npos) total += std::atol(line.substr(line.find('\t')).c_str());
    }
    return total;
  };
  ASSERT_TRUE(wait_until([&] { return slurp(fmt::format("/proc/{}/wchan", keeper)) != "0"; }, 5s));
  std::this_thread::sleep_for(1500ms);  // its buffers are given back once
  const long before = switches();
  std::this_thread::sleep_for(1500ms);
  EXPECT_EQ(switches(), before);
}

}  // namespace
}  // namespace berth::keeper
