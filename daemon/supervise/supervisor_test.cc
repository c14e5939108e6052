#include "core/kill_one.h"
#include "daemon/supervise/supervisor_fixture.h"

#include <gmock/gmock.h>

namespace berth::supervise {
namespace {

using testing::HasSubstr;
using Kind = InstanceChange::Kind;

class SupervisorRuns : public SupervisorFixture {};

BERTH_CO_TEST(SupervisorRuns, AnInstanceUntilItIsStopped) {
  const auto plan = shell("sleep 1000 & exec sleep 1000");
  const auto started = co_await supervisor->ensure(plan);
  CO_ASSERT(started);
  EXPECT_EQ(status(plan).phase, Phase::running);
  EXPECT_TRUE(lives(status(plan).pid));
  CO_WAIT(supervisor->processes(plan.id).size() == 2);
  const auto processes = supervisor->processes(plan.id);
  const auto keeper = status(plan).keeper_pid;
  const auto stopped = co_await supervisor->stop(plan.id);
  CO_ASSERT(stopped);
  for (const auto pid : processes) EXPECT_FALSE(lives(pid));
  EXPECT_FALSE(lives(keeper));
  EXPECT_FALSE(supervisor->status(plan.id));
  EXPECT_TRUE(fs::is_empty(root / "run/keepers"));
  const auto again = co_await supervisor->stop(plan.id);
  EXPECT_TRUE(again) << "nothing to stop is fine";
}

BERTH_CO_TEST(SupervisorRuns, ABoundInstanceAsLongAsItself) {
  auto bound = shell("trap 'echo asked; exit 0' TERM; sleep 1000 & while :; do sleep 0.01; done", 1);
  bound.bound = true;
  const auto other = shell("exec sleep 1000", 2);
  CO_ASSERT(co_await supervisor->ensure(bound));
  CO_ASSERT(co_await supervisor->ensure(other));
  CO_WAIT(supervisor->processes(bound.id).size() >= 2);
  const auto pids = supervisor->processes(bound.id);
  const pid_t keeper = status(bound).keeper_pid, stays = status(other).pid;
  begin_again();
  CO_WAIT(std::ranges::none_of(pids, lives) && !lives(keeper));
  EXPECT_THAT(log(bound), HasSubstr("asked")) << "by its own signal";
  EXPECT_TRUE(lives(stays));
}

BERTH_CO_TEST(SupervisorRuns, WhatIsHurriedNoLongerThanItTakesToKillIt) {
  auto plan = shell("trap '' TERM; echo up; while :; do sleep 1; done");
  plan.stop.grace = std::chrono::minutes(10);
  CO_ASSERT(co_await supervisor->ensure(plan));
  CO_WAIT(log(plan).find("up") != std::string::npos);
  const pid_t pid = status(plan).pid;
  loop.post([this, id = plan.id] { supervisor->hurry(id); });
  CO_ASSERT(co_await supervisor->stop(plan.id));
  EXPECT_FALSE(lives(pid));
}

BERTH_CO_TEST(SupervisorRuns, NothingTwiceForTheSameInstance) {
  const auto plan = shell("exec sleep 1000");
  CO_ASSERT(co_await supervisor->ensure(plan));
  const auto pid = status(plan).pid;
  CO_ASSERT(co_await supervisor->ensure(plan));
  EXPECT_EQ(status(plan).pid, pid);
  EXPECT_EQ(supervisor->all().size(), 1u);
}

BERTH_CO_TEST(SupervisorRuns, SeveralInstancesApart) {
  const auto one = shell("echo one; exec sleep 1000", 1), two = shell("echo two; exec sleep 1000", 2);
  CO_ASSERT(co_await supervisor->ensure(two));
  CO_ASSERT(co_await supervisor->ensure(one));
  CO_ASSERT(supervisor->all().size() == 2);
  EXPECT_EQ(supervisor->all()[0].id.number, 1);
  CO_WAIT(log(one).find(" one\n") != std::string::npos);
  CO_WAIT(log(two).find(" two\n") != std::string::npos);
  CO_ASSERT(co_await supervisor->stop(one.id));
  EXPECT_TRUE(lives(status(two).pid));
}

BERTH_CO_TEST(SupervisorRuns, NoMissingCommandAndSaysSo) {
  auto plan = shell("");
  plan.argv = {"/no/such/server"};
  const auto started = co_await supervisor->ensure(plan);
  CO_ASSERT(!started);
  EXPECT_EQ(started.error().code, Errc::not_found);
  EXPECT_THAT(started.error().message, HasSubstr("web/web.1@v1: could not execute /no/such/server: No such file or directory"));
  EXPECT_FALSE(supervisor->status(plan.id));
  EXPECT_TRUE(fs::is_empty(root / "run/keepers"));
}

BERTH_CO_TEST(SupervisorRuns, NothingWithoutAKeeperAndSaysSo) {
  options.keeper_program = "/no/such/keeper";
  begin();
  const auto plan = shell("true");
  const auto started = co_await supervisor->ensure(plan);
  CO_ASSERT(!started);
  EXPECT_THAT(started.error().message, HasSubstr("/no/such/keeper"));
}

BERTH_CO_TEST(SupervisorRuns, NoKeeperOfAStoppedAppBeforeItsSocketsWereLetGo) {
  Fd socket = listener(0);
  auto plan = shell("exec sleep 1000");
  plan.sockets = {{"http", socket.get()}};
  CO_ASSERT(co_await supervisor->ensure(plan));
  const auto before = status(plan);
  socket.reset();
  bool app_lived = true, keeper_lived = false;
  const std::function<void()> look = [&] {
    app_lived = lives(before.pid);
    keeper_lived = lives(before.keeper_pid);
  };
  const auto stopped = co_await supervisor->stop(plan.id, look);
  CO_ASSERT(stopped);
  EXPECT_FALSE(app_lived);
  EXPECT_TRUE(keeper_lived) << "with it the socket would have left";
  EXPECT_FALSE(lives(before.keeper_pid));
  EXPECT_TRUE(fs::is_empty(root / "run/keepers"));
}

BERTH_CO_TEST(SupervisorRuns, AnewWhatWasStoppedWhenItselfWasKilledBeforeItLetGo) {
  Fd socket = listener(0);
  auto plan = shell("exec sleep 1000");
  plan.sockets = {{"http", socket.get()}};
  CO_ASSERT(co_await supervisor->ensure(plan));
  const auto before = status(plan);
  const std::function<void()> die = [&] { supervisor.reset(); };
  static_cast<void>(co_await supervisor->stop(plan.id, die));
  begin();
  const auto found = co_await supervisor->find();
  CO_ASSERT(found.size() == 1);
  EXPECT_EQ(found[0].sockets.size(), 1u);
  EXPECT_EQ(status(plan).phase, Phase::stopping);
  EXPECT_FALSE(lives(before.pid));
  CO_ASSERT(co_await supervisor->ensure(plan));
  EXPECT_EQ(status(plan).phase, Phase::running);
  EXPECT_NE(status(plan).keeper_pid, before.keeper_pid);
  EXPECT_FALSE(lives(before.keeper_pid));
  EXPECT_EQ(count(Kind::gone), 0);
}

BERTH_CO_TEST(SupervisorRuns, OnWhatRanBeforeItself) {
  Fd socket = listener(0);
  auto plan = shell("exec sleep 1000");
  plan.sockets = {{"http", socket.get()}};
  CO_ASSERT(co_await supervisor->ensure(plan));
  const auto before = status(plan);
  begin_again();
  auto found = co_await supervisor->find();
  CO_ASSERT(found.size() == 1);
  EXPECT_EQ(found[0].id, plan.id);
  EXPECT_EQ(found[0].keeper_pid, before.keeper_pid);
  CO_ASSERT(found[0].sockets.size() == 1);
  EXPECT_EQ(found[0].sockets[0].first, "http");
  EXPECT_EQ(port_of(found[0].sockets[0].second.get()), port_of(socket.get()));
  CO_ASSERT(co_await supervisor->ensure(plan));
  EXPECT_EQ(status(plan).pid, before.pid);
  EXPECT_EQ(count(Kind::started), 0);
  CO_WAIT(ready(plan));
}

BERTH_CO_TEST(SupervisorRuns, AnAppAgainAndCountsWhy) {
  const auto plan = shell("exec sleep 1000");
  CO_ASSERT(co_await supervisor->ensure(plan));
  const auto first = status(plan).pid;
  kill_one(first, SIGSEGV);
  CO_WAIT(count(Kind::started) == 2);
  const auto now = status(plan);
  EXPECT_NE(now.pid, first);
  EXPECT_EQ(now.restarts, 1);
  EXPECT_EQ(now.exits_by_reason, (std::map<std::string, std::int64_t>{{"signal", 1}}));
  CO_ASSERT(now.last_exit);
  EXPECT_THAT(now.last_exit->reason, HasSubstr("killed by SIGSEGV"));
}

BERTH_CO_TEST(SupervisorRuns, AnAppAgainOnRequestWithItsNewEnvironment) {
  auto plan = shell("echo secret=$SECRET; exec sleep 1000");
  plan.environment["SECRET"] = "old";
  CO_ASSERT(co_await supervisor->ensure(plan));
  const auto before = status(plan);
  plan.environment["SECRET"] = "new";
  CO_ASSERT(co_await supervisor->ensure(plan));
  EXPECT_EQ(status(plan).pid, before.pid) << "what runs goes on";
  const std::string reason = "new secrets";
  CO_ASSERT(co_await supervisor->restart(plan.id, reason));
  EXPECT_NE(status(plan).pid, before.pid);
  EXPECT_EQ(status(plan).keeper_pid, before.keeper_pid);
  EXPECT_EQ(status(plan).last_exit->reason, "restarted: new secrets");
  CO_WAIT(log(plan).find("secret=new") != std::string::npos);
  const InstanceId nobody{"web", "web", 9, "v1"};
  const auto unknown = co_await supervisor->restart(nobody, "");
  EXPECT_EQ(unknown.error().code, Errc::not_found);
}

BERTH_CO_TEST(SupervisorRuns, TheAppOnceWhenItsKeeperIsKilled) {
  options.keep_orphans = false;
  begin();
  const auto plan = shell("setsid sleep 1000 & echo up; exec sleep 1000");
  CO_ASSERT(co_await supervisor->ensure(plan));
  CO_WAIT(supervisor->processes(plan.id).size() == 2);
  const auto before = status(plan);
  const auto processes = supervisor->processes(plan.id);
  kill_one(before.keeper_pid, SIGKILL);
  CO_WAIT(count(Kind::started) == 2);
  for (const auto pid : processes) EXPECT_FALSE(lives(pid)) << "there must never be two";
  EXPECT_NE(status(plan).keeper_pid, before.keeper_pid);
  EXPECT_TRUE(lives(status(plan).pid));
  EXPECT_EQ(count(Kind::gone), 1);
  EXPECT_EQ(count(Kind::exited), 1) << "it was ended";
  CO_WAIT(ready(plan));
}

BERTH_CO_TEST(SupervisorRuns, NothingAgainThatIsToRunOnceWhenItsKeeperIsKilled) {
  auto plan = shell("sleep 1000 & exec sleep 1000");
  plan.restart = spec::Restart::never;
  plan.once = true;
  CO_ASSERT(co_await supervisor->ensure(plan));
  CO_WAIT(supervisor->processes(plan.id).size() == 2);
  const auto processes = supervisor->processes(plan.id);
  kill_one(status(plan).keeper_pid, SIGKILL);
  CO_WAIT(count(Kind::gone) == 1 && status(plan).phase == Phase::lost);
  CO_ASSERT(co_await supervisor->stop(plan.id));
  for (const auto pid : processes) EXPECT_FALSE(lives(pid));
  EXPECT_EQ(count(Kind::started), 1);
  EXPECT_FALSE(supervisor->status(plan.id));
}

BERTH_CO_TEST(SupervisorRuns, ToTheEndWhatIsNotStartedAgainAndTellsWhenNothingOfItIsLeft) {
  auto plan = shell("trap '' TERM; (sleep 1000 &) ; exit 3");
  plan.restart = spec::Restart::never;
  plan.stop.grace = 200ms;
  CO_ASSERT(co_await supervisor->ensure(plan));
  CO_WAIT(count(Kind::ended) == 1);
  EXPECT_EQ(count(Kind::exited), 1);
  EXPECT_EQ(status(plan).phase, Phase::ended);
  EXPECT_TRUE(supervisor->processes(plan.id).empty());
  EXPECT_EQ(status(plan).last_exit->reason, "exited with 3");
}

BERTH_CO_TEST(SupervisorRuns, TheAppOnceWhenItsKeeperWasKilledWhileNobodyWatched) {
  const auto plan = shell("exec sleep 1000");
  CO_ASSERT(co_await supervisor->ensure(plan));
  const auto before = status(plan);
  supervisor.reset();
  kill_one(before.keeper_pid, SIGKILL);
  CO_WAIT(!lives(before.keeper_pid));
  EXPECT_TRUE(lives(before.pid));
  begin();
  const auto found = co_await supervisor->find();
  EXPECT_TRUE(found.empty());
  EXPECT_FALSE(lives(before.pid));
  CO_ASSERT(co_await supervisor->ensure(plan));
  EXPECT_TRUE(lives(status(plan).pid));
}

BERTH_CO_TEST(SupervisorRuns, TheAppOnceWhenItsKeeperDoesNotAnswer) {
  const auto plan = shell("exec sleep 1000");
  CO_ASSERT(co_await supervisor->ensure(plan));
  const auto before = status(plan);
  supervisor.reset();
  kill_one(before.keeper_pid, SIGSTOP);
  begin();
  CO_ASSERT(co_await supervisor->ensure(plan));
  EXPECT_FALSE(lives(before.keeper_pid));
  EXPECT_FALSE(lives(before.pid));
  EXPECT_TRUE(lives(status(plan).pid));
}

BERTH_CO_TEST(SupervisorRuns, OnWhileItStopsAnAppThatIgnoresItsSignal) {
  auto plan = shell("trap '' TERM; echo up; while :; do sleep 1; done");
  plan.stop.grace = 300ms;
  CO_ASSERT(co_await supervisor->ensure(plan));
  CO_WAIT(log(plan).find("up") != std::string::npos);
  const auto pid = status(plan).pid;
  CO_ASSERT(co_await supervisor->stop(plan.id));
  EXPECT_FALSE(lives(pid));
}

BERTH_CO_TEST(SupervisorRuns, EveryProcessInItsCgroupWhereThereIsOne) {
  const fs::path cgroups = "/sys/fs/cgroup/unified/berth-supervise-test";
  std::error_code refused;
  if (!fs::create_directories(cgroups, refused) && refused) co_return;  // no cgroup2 here that allows it
  options.cgroup_root = cgroups.string();
  options.keep_orphans = false;
  begin();
  const auto plan = shell("setsid sleep 1000 & exec sleep 1000");
  CO_ASSERT(co_await supervisor->ensure(plan));
  CO_WAIT(supervisor->processes(plan.id).size() == 2);
  EXPECT_FALSE(fs::is_empty(cgroups / "web"));
  const auto processes = supervisor->processes(plan.id);
  kill_one(status(plan).keeper_pid, SIGKILL);
  CO_WAIT(count(Kind::started) == 2);
  for (const auto pid : processes) EXPECT_FALSE(lives(pid));
  fs::create_directories(fs::path(status(plan).cgroup) / "own/deeper");  // as an app may that is root
  CO_ASSERT(co_await supervisor->stop(plan.id));
  EXPECT_FALSE(fs::exists(cgroups / "web"));
  fs::remove(cgroups);
}

}  // namespace
}  // namespace berth::supervise
