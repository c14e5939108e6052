#include "daemon/supervise/supervisor_fixture.h"

#include <mutex>

#include <gmock/gmock.h>

#include "core/io/raw_peer.h"

namespace berth::supervise {
namespace {

using testing::HasSubstr;
using Kind = InstanceChange::Kind;

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

BERTH_CO_TEST(SupervisorProbes, ByACommandThatSeesWhatTheAppSees) {
  using Way = keeper::Confinement::Kind;
  if (::geteuid() != 0) {
    fmt::print("left out: mounts need root\n");
    co_return;
  }
  fs::create_directories(root / "hidden");
  const std::string hidden = (root / "hidden").string(), own = (root / "own").string();
  fs::create_directories(own);
  auto plan = shell(fmt::format("touch {}/made; exec sleep 1000", own));
  plan.confinement = {{.kind = Way::read_only, .path = root.string()}, {.kind = Way::memory, .path = own}, {.kind = Way::hidden, .path = hidden}};
  const std::string script = fmt::format("echo x 2>&1 > {}/hidden/x; echo x 2>&1 > {}/x; ls {}; exit 1", root.string(), root.string(), own);
  plan.readiness = spec::Probe{.kind = spec::ProbeKind::exec, .command = {"/bin/sh", "-c", script}, .period = 50ms, .failure_threshold = 1};
  CO_ASSERT(co_await supervisor->ensure(plan));
  CO_WAIT(status(plan).not_ready == "readiness probe: /bin/sh exited with 1: made");
  EXPECT_FALSE(fs::exists(root / "x")) << "it was read-only for the app";
  EXPECT_TRUE(fs::is_empty(hidden));
}

BERTH_CO_TEST(SupervisorProbes, WhatACommandSaysIsAReasonWithoutSecrets) {
  auto plan = shell("exec sleep 1000");
  plan.startup = spec::Probe{.kind = spec::ProbeKind::exec, .command = {"/bin/sh", "-c", "echo the token is hunter2; exit 1"}, .period = 50ms, .failure_threshold = 2};
  plan.redact = [](std::string& text) { text.replace(text.find("hunter2"), 7, "[redacted]"); };
  CO_ASSERT(co_await supervisor->ensure(plan));
  CO_WAIT(count(Kind::exited) >= 1);
  EXPECT_EQ(status(plan).last_exit->reason, "startup probe failed: /bin/sh exited with 1: the token is [redacted]");
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
  constexpr auto kPeriod = 2000ms;  // long enough for a slow machine to start all of them in it
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
    EXPECT_LT(longest_quiet(asks, settled, kPeriod), kPeriod / 2) << (again ? "after a restart" : "at first");
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
