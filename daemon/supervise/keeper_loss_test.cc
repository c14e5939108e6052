#include "core/kill_one.h"
#include "daemon/supervise/supervisor_fixture.h"

#include <gmock/gmock.h>

#include "core/io/unix_address.h"
#include "daemon/supervise/instance.h"

namespace berth::supervise {
namespace {

using testing::HasSubstr;
using Kind = InstanceChange::Kind;

class SupervisorKeeps : public SupervisorFixture {
 protected:
  /// Connects to the instance's keeper, which serves the newest alone, and goes.
  void take_keepers_connection(const InstancePlan& plan) const {
    const std::string path = (root / "run/keepers" / (keeper_key(plan.id) + ".sock")).string();
    const auto address = io::unix_address(path);
    const Fd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    ASSERT_TRUE(address && ::connect(socket.get(), address->get(), address->size) == 0);
    char hello[keeper::kMostMessage];
    ASSERT_GT(::recv(socket.get(), hello, sizeof hello, 0), 0);
  }
};

BERTH_CO_TEST(SupervisorKeeps, AnAppWhoseKeeperIsKilled) {
  const auto plan = shell("i=0; while :; do i=$((i+1)); echo line $i; sleep 0.01; done");
  CO_ASSERT(co_await supervisor->ensure(plan));
  CO_WAIT(ready(plan));
  const auto before = status(plan);
  for (int times = 1; times <= 3; times++) {
    const auto keeper = status(plan).keeper_pid;
    kill_one(keeper, SIGKILL);
    CO_WAIT(count(Kind::kept) == times);
    EXPECT_EQ(status(plan).pid, before.pid);
    EXPECT_NE(status(plan).keeper_pid, keeper);
    EXPECT_FALSE(lives(keeper));
    const auto reached = log(plan).size();
    CO_WAIT(log(plan).size() > reached + 500);
  }
  EXPECT_EQ(status(plan).phase, Phase::running);
  EXPECT_TRUE(ready(plan));
  EXPECT_EQ(count(Kind::unready), 0) << "nobody who asks it sees a difference";
  EXPECT_EQ(count(Kind::gone), 0);
  EXPECT_EQ(status(plan).restarts, 0);
  EXPECT_THAT(log(plan), HasSubstr("berth-keeper: up to 64 KiB are missing here"));
  const auto again = co_await supervisor->ensure(plan);
  EXPECT_TRUE(again);
  EXPECT_EQ(status(plan).pid, before.pid);

  kill_one(before.pid, SIGKILL);
  CO_WAIT(count(Kind::started) == 2);
  EXPECT_EQ(status(plan).restarts, 1);
  EXPECT_EQ(status(plan).exits_by_reason, (std::map<std::string, std::int64_t>{{"unknown", 1}}));
  CO_ASSERT(status(plan).last_exit);
  EXPECT_EQ(status(plan).last_exit->reason, "ended, how is not known: its keeper had been killed before");
}

BERTH_CO_TEST(SupervisorKeeps, ItsKeeperWhoseConnectionBroke) {
  const auto plan = shell("echo up; while [ ! -e " + (root / "go").string() + " ]; do sleep 0.02; done; echo went on; exec sleep 1000");
  CO_ASSERT(co_await supervisor->ensure(plan));
  CO_WAIT(ready(plan));
  const auto before = status(plan);
  for (int times = 1; times <= 3; times++) {
    take_keepers_connection(plan);  // as a berthd that did not read for too long finds it
    co_await io::sleep_for(500ms);
    CO_WAIT(ready(plan));
  }
  EXPECT_EQ(status(plan).pid, before.pid);
  EXPECT_EQ(status(plan).keeper_pid, before.keeper_pid);
  EXPECT_TRUE(lives(before.keeper_pid));
  EXPECT_EQ(count(Kind::gone) + count(Kind::kept) + count(Kind::unready) + count(Kind::exited), 0) << "nobody sees a difference";
  std::ofstream(root / "go").put('1');
  CO_WAIT(log(plan).find("went on") != std::string::npos);
  CO_ASSERT(co_await supervisor->stop(plan.id));
  EXPECT_FALSE(lives(before.pid));
}

BERTH_CO_TEST(SupervisorKeeps, WhatHappenedWhileTheConnectionWasBroken) {
  const auto plan = shell("exec sleep 1000");
  CO_ASSERT(co_await supervisor->ensure(plan));
  CO_WAIT(ready(plan));
  const auto before = status(plan);
  take_keepers_connection(plan);
  kill_one(before.pid, SIGKILL);
  CO_WAIT(count(Kind::exited) == 1 && count(Kind::started) == 2);
  EXPECT_EQ(status(plan).keeper_pid, before.keeper_pid);
  EXPECT_EQ(count(Kind::gone) + count(Kind::kept), 0);
  CO_WAIT(ready(plan));
  EXPECT_EQ(status(plan).last_exit->reason, "killed by SIGKILL");
}

BERTH_CO_TEST(SupervisorKeeps, TheWatchdogsTimeThatAnAppSetUnderANewKeeper) {
  auto plan = shell("");
  plan.notify_socket = (root / "notify").string();
  plan.environment["NOTIFY_SOCKET"] = plan.notify_socket;
  plan.argv = {"/usr/bin/python3", "-c",
               "import os, signal, socket, time\n"
               "say = lambda text: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(text, os.environ['NOTIFY_SOCKET'])\n"
               "say(b'READY=1\\nSTATUS=up'); time.sleep(0.3); say(b'WATCHDOG_USEC=60000000')\n"
               "open(os.environ['NOTIFY_SOCKET'] + '.said', 'w').close(); signal.pause()"};
  plan.readiness = spec::Probe{.kind = spec::ProbeKind::notify};
  plan.liveness = spec::Probe{.kind = spec::ProbeKind::notify, .period = 500ms, .failure_threshold = 2};
  CO_ASSERT(co_await supervisor->ensure(plan));
  CO_WAIT(ready(plan) && status(plan).says == "up" && std::filesystem::exists(plan.notify_socket + ".said"));
  co_await io::sleep_for(300ms);  // the keeper tells it at once
  kill_one(status(plan).keeper_pid, SIGKILL);
  CO_WAIT(count(Kind::kept) == 1);
  co_await io::sleep_for(2500ms);  // longer than the spec's
  EXPECT_EQ(count(Kind::exited), 0) << "it asked for a minute";
  EXPECT_TRUE(ready(plan));
}

BERTH_CO_TEST(SupervisorKeeps, NoAppOverABerthdThatComesAfterTheNewKeeper) {
  const auto plan = shell("exec sleep 1000");
  CO_ASSERT(co_await supervisor->ensure(plan));
  const auto before = status(plan);
  kill_one(before.keeper_pid, SIGKILL);
  CO_WAIT(count(Kind::kept) == 1);
  begin_again();
  const auto found = co_await supervisor->find();
  CO_ASSERT(found.size() == 1);
  CO_ASSERT(co_await supervisor->ensure(plan));
  EXPECT_EQ(status(plan).pid, before.pid);
  CO_ASSERT(co_await supervisor->stop(plan.id));
  EXPECT_FALSE(lives(before.pid));
}

BERTH_CO_TEST(SupervisorKeeps, AnAppWhoseReadinessIsWhatItSaid) {
  auto plan = shell("");
  plan.notify_socket = (root / "notify").string();
  plan.environment["NOTIFY_SOCKET"] = plan.notify_socket;
  plan.argv = {"/usr/bin/python3", "-c",
               "import os, signal, socket\n"
               "socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b'READY=1\\nSTATUS=up', os.environ['NOTIFY_SOCKET'])\n"
               "signal.pause()"};
  plan.readiness = spec::Probe{.kind = spec::ProbeKind::notify};
  CO_ASSERT(co_await supervisor->ensure(plan));
  CO_WAIT(ready(plan));
  kill_one(status(plan).keeper_pid, SIGKILL);
  CO_WAIT(count(Kind::kept) == 1);
  co_await io::sleep_for(200ms);
  EXPECT_TRUE(ready(plan));
  EXPECT_EQ(status(plan).says, "up");
  EXPECT_EQ(count(Kind::unready), 0);
}

BERTH_CO_TEST(SupervisorKeeps, NoAppThatEndedWithItsKeeper) {
  const auto plan = shell("exec sleep 1000");
  CO_ASSERT(co_await supervisor->ensure(plan));
  const auto before = status(plan);
  kill_one(before.keeper_pid, SIGKILL);
  kill_one(before.pid, SIGKILL);
  CO_WAIT(count(Kind::started) == 2);
  EXPECT_EQ(count(Kind::kept) + count(Kind::gone), 1);
  EXPECT_NE(status(plan).pid, before.pid);
  EXPECT_EQ(status(plan).restarts, 1);
}

BERTH_CO_TEST(SupervisorKeeps, TheEndThatNoKeeperSawAsAnEndOfTheInstance) {
  const auto plan = shell("exec sleep 1000");
  CO_ASSERT(co_await supervisor->ensure(plan));
  const auto before = status(plan);
  const auto state_of = [](pid_t pid) {
    const auto found = process_info(pid);
    return found ? found->state : 'X';
  };
  kill_one(before.keeper_pid, SIGSTOP);  // so that it sees nothing of it
  CO_WAIT(state_of(before.keeper_pid) == 'T');
  kill_one(before.pid, SIGKILL);
  CO_WAIT(state_of(before.pid) == 'Z');
  kill_one(before.keeper_pid, SIGKILL);
  CO_WAIT(count(Kind::started) == 2);
  EXPECT_EQ(count(Kind::gone), 1);
  EXPECT_EQ(count(Kind::exited), 1);
  for (const auto& change : changes) {
    if (change.kind == Kind::gone) { EXPECT_TRUE(change.exit_follows); }
    if (change.kind != Kind::exited) continue;
    CO_ASSERT(change.exit);
    EXPECT_EQ(change.exit->kind, "unknown");
    EXPECT_FALSE(change.stopped);
  }
  EXPECT_EQ(status(plan).exits_by_reason, (std::map<std::string, std::int64_t>{{"unknown", 1}}));
  CO_ASSERT(status(plan).last_exit);
  EXPECT_EQ(status(plan).last_exit->reason, "ended, how is not known: its keeper had been killed before");
  EXPECT_NE(status(plan).last_exit->at, "");
  EXPECT_EQ(status(plan).restarts, 1);
}

BERTH_CO_TEST(SupervisorKeeps, NoAppByChoiceButItsLastWords) {
  options.keep_orphans = false;
  begin();
  const auto plan = shell(fmt::format("echo up; while [ ! -e {} ]; do sleep 0.02; done; echo last words; exec sleep 1000", (root / "go").string()));
  CO_ASSERT(co_await supervisor->ensure(plan));
  CO_WAIT(log(plan).find("up") != std::string::npos);
  const auto before = status(plan);
  kill_one(before.keeper_pid, SIGSTOP);  // it reads nothing more
  std::ofstream(root / "go").put('1');
  CO_WAIT(fs::read_symlink(fmt::format("/proc/{}/exe", before.pid)).filename() == "sleep");
  kill_one(before.keeper_pid, SIGKILL);
  CO_WAIT(count(Kind::started) == 2);
  EXPECT_FALSE(lives(before.pid)) << "there must never be two";
  EXPECT_EQ(count(Kind::gone), 1);
  EXPECT_EQ(status(plan).restarts, 1);
  CO_WAIT(log(plan).find("last words") != std::string::npos);
}

BERTH_CO_TEST(SupervisorKeeps, NoAppWhoseKeeperWasStoppedFromOutside) {
  const auto plan = shell("echo up; exec sleep 1000");
  CO_ASSERT(co_await supervisor->ensure(plan));
  CO_WAIT(log(plan).find("up") != std::string::npos);
  const auto before = status(plan);
  kill_one(before.keeper_pid, SIGTERM);
  CO_WAIT(count(Kind::started) == 2);
  EXPECT_FALSE(lives(before.pid));
  EXPECT_EQ(count(Kind::gone), 1);
  EXPECT_NE(status(plan).keeper_pid, before.keeper_pid);
  const auto again = co_await supervisor->ensure(plan);
  EXPECT_TRUE(again);
  EXPECT_EQ(log(plan).find("missing"), std::string::npos) << "it had read everything";
}

BERTH_CO_TEST(SupervisorKeeps, AnAdoptedAppUnjudgedUntilItsProbeHasSpoken) {
  auto plan = shell("exec sleep 1000");
  plan.readiness = spec::Probe{.kind = spec::ProbeKind::exec, .command = {"/bin/sh", "-c", fmt::format("echo asked >> {0}/asked; while [ ! -e {0}/go ]; do sleep 0.02; done", root.string())},
                               .period = 50ms, .timeout = 20s};
  CO_ASSERT(co_await supervisor->ensure(plan));
  EXPECT_FALSE(status(plan).judged);
  std::ofstream(root / "go").put('1');
  CO_WAIT(ready(plan));
  EXPECT_TRUE(status(plan).judged);
  fs::remove(root / "go");
  begin_again();
  static_cast<void>(co_await supervisor->find());
  CO_ASSERT(co_await supervisor->ensure(plan));
  fs::remove(root / "asked");
  CO_WAIT(fs::exists(root / "asked"));
  EXPECT_FALSE(status(plan).judged);
  EXPECT_FALSE(ready(plan));
  std::ofstream(root / "go").put('1');
  CO_WAIT(status(plan).judged && ready(plan));
}

BERTH_CO_TEST(SupervisorKeeps, TheTimeThatAnAppAskedForOverABerthd) {
  auto plan = shell("");
  plan.notify_socket = (root / "notify").string();
  plan.environment["NOTIFY_SOCKET"] = plan.notify_socket;
  plan.argv = {"/usr/bin/python3", "-c",
               "import os, signal, socket\n"
               "socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b'EXTEND_TIMEOUT_USEC=60000000', os.environ['NOTIFY_SOCKET'])\n"
               "print('said', flush=True)\n"
               "signal.pause()"};
  plan.startup = spec::Probe{.kind = spec::ProbeKind::notify, .period = 100ms, .failure_threshold = 5};
  CO_ASSERT(co_await supervisor->ensure(plan));
  CO_WAIT(log(plan).find("said") != std::string::npos);
  const auto before = status(plan);
  begin_again();
  static_cast<void>(co_await supervisor->find());
  CO_ASSERT(co_await supervisor->ensure(plan));
  co_await io::sleep_for(1200ms);  // longer than the probe alone would wait
  EXPECT_EQ(status(plan).pid, before.pid);
  EXPECT_EQ(count(Kind::exited), 0);
}

BERTH_CO_TEST(SupervisorKeeps, ItsWatchdogUntilAStartupProbeOfAnotherKindHasPassed) {
  auto plan = shell("");
  plan.notify_socket = (root / "notify").string();
  plan.environment["NOTIFY_SOCKET"] = plan.notify_socket;
  plan.argv = {"/bin/sh", "-c", "exec sleep 1000"};  // it never says WATCHDOG=1
  plan.startup = spec::Probe{.kind = spec::ProbeKind::exec, .command = {"/usr/bin/test", "-e", (root / "up").string()}, .period = 50ms, .failure_threshold = 100};
  plan.liveness = spec::Probe{.kind = spec::ProbeKind::notify, .period = 100ms, .failure_threshold = 2};
  CO_ASSERT(co_await supervisor->ensure(plan));
  co_await io::sleep_for(1000ms);
  EXPECT_EQ(count(Kind::exited), 0) << "it has not started up yet";
  std::ofstream(root / "up").put('1');
  CO_WAIT(count(Kind::exited) == 1);
  EXPECT_THAT(status(plan).last_exit->reason, HasSubstr("no WATCHDOG=1 for 200ms"));
}

}  // namespace
}  // namespace berth::supervise
