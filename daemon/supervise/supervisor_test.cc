#include "daemon/supervise/supervisor_fixture.h"

#include <mutex>

#include <gmock/gmock.h>

#include "core/io/raw_peer.h"

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
  ::kill(first, SIGSEGV);
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
  ::kill(before.keeper_pid, SIGKILL);
  CO_WAIT(count(Kind::started) == 2);
  for (const auto pid : processes) EXPECT_FALSE(lives(pid)) << "there must never be two";
  EXPECT_NE(status(plan).keeper_pid, before.keeper_pid);
  EXPECT_TRUE(lives(status(plan).pid));
  EXPECT_EQ(count(Kind::gone), 1);
  CO_WAIT(ready(plan));
}

BERTH_CO_TEST(SupervisorRuns, NothingAgainThatIsToRunOnceWhenItsKeeperIsKilled) {
  auto plan = shell("sleep 1000 & exec sleep 1000");
  plan.restart = spec::Restart::never;
  plan.once = true;
  CO_ASSERT(co_await supervisor->ensure(plan));
  CO_WAIT(supervisor->processes(plan.id).size() == 2);
  const auto processes = supervisor->processes(plan.id);
  ::kill(status(plan).keeper_pid, SIGKILL);
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
  ::kill(before.keeper_pid, SIGKILL);
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
  ::kill(before.keeper_pid, SIGSTOP);
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
  ::kill(status(plan).keeper_pid, SIGKILL);
  CO_WAIT(count(Kind::started) == 2);
  for (const auto pid : processes) EXPECT_FALSE(lives(pid));
  CO_ASSERT(co_await supervisor->stop(plan.id));
  EXPECT_FALSE(fs::exists(cgroups / "web"));
  fs::remove(cgroups);
}

class SupervisorProbes : public SupervisorFixture {};

BERTH_CO_TEST(SupervisorProbes, NothingAndCallsItReadyWhenItHasRunForASecond) {
  const auto plan = shell("exec sleep 1000");
  CO_ASSERT(co_await supervisor->ensure(plan));
  EXPECT_FALSE(ready(plan));
  EXPECT_THAT(status(plan).not_ready, HasSubstr("less than a second"));
  CO_WAIT(ready(plan));
}

BERTH_CO_TEST(SupervisorProbes, AnAppThatExitsAtOnceAndNeverCallsItReady) {
  const auto plan = shell("exit 1");
  static_cast<void>(co_await supervisor->ensure(plan));
  CO_WAIT(count(Kind::exited) >= 3);
  EXPECT_EQ(count(Kind::ready), 0);
  EXPECT_THAT(status(plan).not_ready, HasSubstr("exited with 1"));
}

BERTH_CO_TEST(SupervisorProbes, ReadinessByHttpAndTellsEachChange) {
  auto plan = server(free_port(), kBind);
  plan.readiness = spec::Probe{.path = "/healthz", .period = 100ms, .failure_threshold = 2};
  CO_ASSERT(co_await supervisor->ensure(plan));
  CO_WAIT(ready(plan));
  std::ofstream(root / "sick").put('1');
  CO_WAIT(!ready(plan));
  EXPECT_EQ(status(plan).not_ready, "readiness probe: 503 from /healthz");
  fs::remove(root / "sick");
  CO_WAIT(ready(plan));
  EXPECT_EQ(count(Kind::ready), 2);
  EXPECT_EQ(count(Kind::unready), 1);
  EXPECT_EQ(status(plan).restarts, 0) << "readiness restarts nothing";
}

BERTH_CO_TEST(SupervisorProbes, LivenessAndRestartsWhatFails) {
  auto plan = server(free_port(), kBind);
  plan.readiness = spec::Probe{.path = "/", .period = 50ms};
  CO_ASSERT(co_await supervisor->ensure(plan));
  CO_WAIT(ready(plan));
  const auto first = status(plan).pid;
  plan.startup = spec::Probe{.kind = spec::ProbeKind::tcp, .period = 50ms, .failure_threshold = 1000};  // Python starts slowly
  plan.liveness = spec::Probe{.path = "/healthz", .period = 100ms, .failure_threshold = 2};
  CO_ASSERT(co_await supervisor->ensure(plan));
  std::ofstream(root / "sick").put('1');
  CO_WAIT(count(Kind::exited) >= 1);
  fs::remove(root / "sick");
  EXPECT_EQ(status(plan).last_exit->reason, "liveness probe failed: 503 from /healthz");
  CO_WAIT(ready(plan));
  EXPECT_NE(status(plan).pid, first);
  EXPECT_GE(status(plan).exits_by_reason["liveness"], 1);
}

BERTH_CO_TEST(SupervisorProbes, LivenessOnlyAfterStartup) {
  auto plan = shell(fmt::format("while [ ! -e {} ]; do sleep 0.02; done; touch {}; exec sleep 1000", (root / "go").string(), (root / "up").string()));
  plan.startup = spec::Probe{.kind = spec::ProbeKind::exec, .command = {"/usr/bin/test", "-e", (root / "up").string()}, .period = 100ms,
                             .failure_threshold = 1000};
  plan.liveness = spec::Probe{.kind = spec::ProbeKind::exec, .command = {"/usr/bin/test", "-e", (root / "up").string()}, .period = 20ms,
                              .failure_threshold = 1};
  CO_ASSERT(co_await supervisor->ensure(plan));
  CO_WAIT(status(plan).not_ready.find("startup probe: /usr/bin/test exited with 1") != std::string::npos);
  co_await io::sleep_for(500ms);
  EXPECT_EQ(count(Kind::exited), 0);
  std::ofstream(root / "go").put('1');
  CO_WAIT(ready(plan));
  fs::remove(root / "go");
  fs::remove(root / "up");
  CO_WAIT(count(Kind::exited) == 1);
  EXPECT_THAT(changes.back().reason, testing::AnyOf(HasSubstr("liveness probe failed"), ""));
}

BERTH_CO_TEST(SupervisorProbes, StartupAndRestartsWhatNeverStarts) {
  auto plan = shell("exec sleep 1000");
  plan.startup = spec::Probe{.kind = spec::ProbeKind::exec, .command = {"/bin/sh", "-c", "echo not yet; exit 1"}, .period = 50ms, .failure_threshold = 2};
  CO_ASSERT(co_await supervisor->ensure(plan));
  CO_WAIT(count(Kind::exited) >= 1);
  EXPECT_EQ(status(plan).last_exit->reason, "startup probe failed: /bin/sh exited with 1: not yet");
}

BERTH_CO_TEST(SupervisorProbes, NothingBeforeItsInitialDelay) {
  const spec::Probe delayed{.kind = spec::ProbeKind::exec, .command = {"/bin/true"}, .initial_delay = 400ms, .period = 50ms};
  using OfPlan = std::optional<spec::Probe> InstancePlan::*;
  int number = 1;
  for (const auto& [name, probe] : std::map<std::string, OfPlan>{
           {"startup", &InstancePlan::startup}, {"readiness", &InstancePlan::readiness}, {"liveness", &InstancePlan::liveness}}) {
    auto plan = shell("exec sleep 1000", number++);
    plan.*probe = delayed;
    const auto before = io::Steady::now();
    CO_ASSERT(co_await supervisor->ensure(plan));
    CO_WAIT(status(plan).probes[name].asked > 0);
    EXPECT_GE(io::Steady::now() - before, 400ms) << name;
  }
}

/// For how much of a period nobody asks, of the asks since `from`: nearly all of it where all ask in one moment.
io::milliseconds longest_quiet(const std::vector<io::Steady::time_point>& asks, io::Steady::time_point from, io::milliseconds period) {
  std::vector<io::milliseconds> places;
  for (const auto at : asks)
    if (at >= from) places.push_back(std::chrono::floor<io::milliseconds>(at - from) % period);
  if (places.empty()) return period;
  std::ranges::sort(places);
  auto longest = places.front() + period - places.back();
  for (std::size_t i = 1; i < places.size(); i++) longest = std::max(longest, places[i] - places[i - 1]);
  return longest;
}

BERTH_CO_TEST(SupervisorProbes, ManyInstancesAtTimesOfTheirOwnAlsoAfterARestart) {
  constexpr auto kPeriod = 1000ms;
  std::mutex guard;
  std::vector<io::Steady::time_point> asks;
  const io::RawPeer server([&](int connection) {
    io::read_head(connection);
    io::send_raw(connection, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    const std::lock_guard lock(guard);
    asks.push_back(io::Steady::now());
  });
  std::vector<InstancePlan> plans;
  for (int number = 1; number <= 8; number++) {
    plans.push_back(shell("exec sleep 1000", number));
    plans.back().probe_endpoint = io::Endpoint{.address = "127.0.0.1", .port = server.port()};
    plans.back().readiness = spec::Probe{.path = "/", .period = kPeriod};
  }
  for (const bool again : {false, true}) {
    if (again) {
      begin_again();
      static_cast<void>(co_await supervisor->find());
    }
    const auto before = io::Steady::now();
    for (const auto& plan : plans) CO_ASSERT(co_await supervisor->ensure(plan));
    const std::function<bool()> all_ready = [&] { return std::ranges::all_of(plans, [this](const auto& plan) { return ready(plan); }); };
    CO_WAIT(all_ready());
    EXPECT_LT(io::Steady::now() - before, kPeriod) << "a first verdict waits for nobody";
    const auto settled = io::Steady::now() + kPeriod;
    co_await io::sleep_for(2 * kPeriod);
    const std::lock_guard lock(guard);
    EXPECT_LT(longest_quiet(asks, settled, kPeriod), 500ms) << (again ? "after a restart" : "at first");
  }
}

BERTH_CO_TEST(SupervisorProbes, ByTcp) {
  auto plan = server(free_port(), kBind);
  plan.readiness = spec::Probe{.kind = spec::ProbeKind::tcp, .period = 50ms};
  CO_ASSERT(co_await supervisor->ensure(plan));
  CO_WAIT(ready(plan));
}

BERTH_CO_TEST(SupervisorProbes, ThatAnAppUsesTheSocketItWasPassed) {
  Fd socket = listener(0);
  auto plan = server(port_of(socket.get()), kTake);
  plan.sockets = {{"http", socket.get()}};
  plan.must_take_socket = true;
  CO_ASSERT(co_await supervisor->ensure(plan));
  CO_WAIT(ready(plan));
}

BERTH_CO_TEST(SupervisorProbes, AnAppThatLeavesItsSocketAloneAndSaysWhatToDo) {
  Fd socket = listener(0);
  auto plan = shell("exec sleep 1000");
  plan.sockets = {{"http", socket.get()}};
  plan.must_take_socket = true;
  plan.probe_endpoint = io::Endpoint{.address = "127.0.0.1", .port = port_of(socket.get())};
  plan.readiness = spec::Probe{.kind = spec::ProbeKind::tcp, .period = 50ms};
  CO_ASSERT(co_await supervisor->ensure(plan));
  CO_WAIT(status(plan).not_ready.find("LISTEN_FDS") != std::string::npos);
  EXPECT_FALSE(ready(plan)) << "the kernel alone answers the probe";
  EXPECT_EQ(count(Kind::ready), 0);
}

}  // namespace
}  // namespace berth::supervise
