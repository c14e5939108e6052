#include "core/kill_one.h"
#include "daemon/supervise/supervisor_fixture.h"

#include <gmock/gmock.h>

namespace berth::supervise {
namespace {

using testing::HasSubstr;
using Kind = InstanceChange::Kind;

/// berthd after an upgrade, which meets keepers of another.
class SupervisorMeets : public SupervisorFixture {
 protected:
  void with_keepers(const std::string& program) {
    supervisor.reset();
    options.keeper_program = program;
    begin();
  }
  std::string runs(pid_t keeper) const { return fs::read_symlink(fmt::format("/proc/{}/exe", keeper)).string(); }
};

BERTH_CO_TEST(SupervisorMeets, KeepersOfAnotherBuildAndRenewsThem) {
  const auto older = (root / "keeper").string();
  fs::copy_file(BERTH_KEEPER_PROGRAM, older);
  std::ofstream(older, std::ios::app) << "another build";
  with_keepers(older);
  const auto plan = shell("i=0; while :; do i=$((i+1)); echo line $i; sleep 0.005; done");
  CO_ASSERT(co_await supervisor->ensure(plan));
  CO_WAIT(ready(plan));
  const auto before = status(plan);
  with_keepers(BERTH_KEEPER_PROGRAM);
  static_cast<void>(co_await supervisor->find());
  CO_ASSERT(co_await supervisor->ensure(plan));
  CO_WAIT(count(Kind::renewed) == 1);
  EXPECT_EQ(status(plan).pid, before.pid);
  EXPECT_EQ(status(plan).keeper_pid, before.keeper_pid);
  EXPECT_EQ(runs(before.keeper_pid), BERTH_KEEPER_PROGRAM);
  const auto reached = log(plan).size();
  CO_WAIT(log(plan).size() > reached + 500);
  EXPECT_THAT(log(plan), testing::Not(HasSubstr("missing")));
  begin_again();
  static_cast<void>(co_await supervisor->find());
  CO_ASSERT(co_await supervisor->ensure(plan));
  co_await io::sleep_for(200ms);
  EXPECT_EQ(count(Kind::renewed), 0) << "it is the same program by now";
}

BERTH_CO_TEST(SupervisorMeets, KeepersOfTheSameBytesAndLeavesThem) {
  const auto same = (root / "keeper").string();
  fs::copy_file(BERTH_KEEPER_PROGRAM, same);
  with_keepers(same);
  const auto plan = shell("exec sleep 1000");
  CO_ASSERT(co_await supervisor->ensure(plan));
  with_keepers(BERTH_KEEPER_PROGRAM);
  static_cast<void>(co_await supervisor->find());
  CO_ASSERT(co_await supervisor->ensure(plan));
  co_await io::sleep_for(200ms);
  EXPECT_EQ(count(Kind::renewed), 0);
  EXPECT_EQ(runs(status(plan).keeper_pid), same);
}

BERTH_CO_TEST(SupervisorMeets, KeepersThatCannotBecomeItsOwnAndSaysSo) {
  const auto plan = shell("exec sleep 1000");
  CO_ASSERT(co_await supervisor->ensure(plan));
  const auto before = status(plan);
  with_keepers("/bin/false");
  static_cast<void>(co_await supervisor->find());
  CO_ASSERT(co_await supervisor->ensure(plan));
  CO_WAIT(count(Kind::not_renewed) == 1);
  EXPECT_THAT(changes.back().reason, HasSubstr("/bin/false"));
  EXPECT_EQ(runs(before.keeper_pid), BERTH_KEEPER_PROGRAM);
  EXPECT_EQ(status(plan).pid, before.pid);
  CO_ASSERT(co_await supervisor->stop(plan.id));
  EXPECT_FALSE(lives(before.pid));
}

BERTH_CO_TEST(SupervisorMeets, KeepersOfAnOlderProtocolAndGoesOnWithThem) {
  with_keepers(BERTH_OLDER_KEEPER);
  Fd socket = listener(0);
  auto plan = shell("echo up; exec sleep 1000");
  plan.sockets = {{"http", socket.get()}};
  CO_ASSERT(co_await supervisor->ensure(plan));
  const auto before = status(plan);
  with_keepers(BERTH_KEEPER_PROGRAM);
  const auto found = co_await supervisor->find();
  CO_ASSERT(found.size() == 1);
  EXPECT_EQ(found[0].sockets.size(), 1u);
  CO_ASSERT(co_await supervisor->ensure(plan));
  EXPECT_EQ(status(plan).pid, before.pid);
  CO_WAIT(ready(plan));
  kill_one(before.pid, SIGKILL);
  CO_WAIT(count(Kind::started) == 1);
  const std::string reason = "test";
  CO_ASSERT(co_await supervisor->restart(plan.id, reason));
  EXPECT_EQ(status(plan).keeper_pid, before.keeper_pid);
  EXPECT_EQ(runs(before.keeper_pid), BERTH_OLDER_KEEPER) << "it knows of no other program";
  EXPECT_EQ(status(plan).exits_by_reason["unknown"], 0);
  // Killed, it is followed by one that takes its app over.
  CO_WAIT(status(plan).phase == Phase::running);
  const auto now = status(plan).pid;
  kill_one(before.keeper_pid, SIGKILL);
  CO_WAIT(count(Kind::kept) == 1);
  EXPECT_EQ(status(plan).pid, now);
  EXPECT_EQ(runs(status(plan).keeper_pid), BERTH_KEEPER_PROGRAM);
  CO_ASSERT(co_await supervisor->stop(plan.id));
  EXPECT_FALSE(lives(now));
}

BERTH_CO_TEST(SupervisorMeets, KeepersOfANewerProtocolAndReplacesThem) {
  with_keepers(BERTH_NEWER_KEEPER);
  const auto plan = shell("exec sleep 1000");
  CO_ASSERT(co_await supervisor->ensure(plan));
  const auto before = status(plan);
  with_keepers(BERTH_KEEPER_PROGRAM);
  static_cast<void>(co_await supervisor->find());
  CO_ASSERT(co_await supervisor->ensure(plan));
  CO_WAIT(count(Kind::renewed) == 1);
  EXPECT_EQ(status(plan).pid, before.pid);
  EXPECT_EQ(runs(before.keeper_pid), BERTH_KEEPER_PROGRAM);
}

}  // namespace
}  // namespace berth::supervise
