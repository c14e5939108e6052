#include <gmock/gmock.h>

#include "daemon/supervise/supervisor_fixture.h"

namespace berth::supervise {
namespace {

using testing::HasSubstr;

class NotifyProbe : public SupervisorFixture {
 protected:
  /// An app that says by sd_notify whatever is written, a file a message, to the folder `say`.
  InstancePlan notifying() const {
    auto plan = shell("");
    plan.argv = {"/usr/bin/python3", "-c", R"(
import os, socket, sys, time
folder = sys.argv[1]
while True:
    for name in sorted(os.listdir(folder)):
        if name.endswith('.new'): continue
        with open(os.path.join(folder, name)) as file: text = file.read()
        os.unlink(os.path.join(folder, name))
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out: out.sendto(text.encode(), os.environ['NOTIFY_SOCKET'])
    time.sleep(0.01)
)", (root / "say").string()};
    plan.notify_socket = (root / "notify").string();
    plan.environment["NOTIFY_SOCKET"] = plan.notify_socket;
    fs::create_directories(root / "say");
    return plan;
  }
  void say(const std::string& text) {
    const fs::path file = root / "say" / fmt::format("{:04}", ++said);
    std::ofstream(file.string() + ".new") << text;
    fs::rename(file.string() + ".new", file);
  }
  int said = 0;
};

constexpr spec::ProbeKind kNotify = spec::ProbeKind::notify;

BERTH_CO_TEST(NotifyProbe, OfReadinessIsWhatTheAppSays) {
  auto plan = notifying();
  plan.readiness = spec::Probe{.kind = kNotify};
  CO_ASSERT(co_await supervisor->ensure(plan));
  CO_WAIT(status(plan).not_ready.find("it has not said READY=1 yet") != std::string::npos);
  say("STATUS=warming up");
  CO_WAIT(status(plan).says == "warming up");
  EXPECT_THAT(status(plan).not_ready, HasSubstr("(warming up)"));
  say("READY=1");
  CO_WAIT(ready(plan));
  say("RELOADING=1");
  CO_WAIT(!ready(plan));
  EXPECT_THAT(status(plan).not_ready, HasSubstr("readiness probe: it said RELOADING=1, and no READY=1 since"));
  say("READY=1");
  CO_WAIT(ready(plan));
  EXPECT_EQ(count(InstanceChange::Kind::unready), 1);

  begin_again();
  static_cast<void>(co_await supervisor->find());
  CO_ASSERT(co_await supervisor->ensure(plan));
  CO_WAIT(ready(plan));  // it was said before this berthd came
  EXPECT_EQ(status(plan).says, "warming up");
  EXPECT_EQ(status(plan).restarts, 0);
}

BERTH_CO_TEST(NotifyProbe, OfStartupFailsInItsTimeUnlessTheAppAsksForMore) {
  auto plan = notifying();
  plan.startup = spec::Probe{.kind = kNotify, .period = 500ms, .failure_threshold = 2};
  CO_ASSERT(co_await supervisor->ensure(plan));
  CO_WAIT(status(plan).restarts == 1);
  EXPECT_THAT(status(plan).last_exit->reason, HasSubstr("startup probe failed: it has not said READY=1 yet within 1s"));
  CO_WAIT(status(plan).phase == Phase::running && status(plan).pid != 0);
  say("EXTEND_TIMEOUT_USEC=10000000");
  const auto began = io::Steady::now();
  const std::function<bool()> later = [&] { return io::Steady::now() - began > 1500ms; };
  static_cast<void>(co_await wait_until(later));
  EXPECT_LE(status(plan).restarts, 2) << "it may have been too late once";
  say("READY=1");
  CO_WAIT(ready(plan));
}

BERTH_CO_TEST(NotifyProbe, OfLivenessIsItsKeepersAlsoWithoutASupervisor) {
  auto plan = notifying();
  plan.readiness = spec::Probe{.kind = kNotify};
  plan.liveness = spec::Probe{.kind = kNotify, .period = 200ms, .failure_threshold = 2};
  CO_ASSERT(co_await supervisor->ensure(plan));
  say("READY=1");
  CO_WAIT(ready(plan));
  const pid_t before = status(plan).pid;
  supervisor.reset();
  CO_WAIT(!lives(before));
  begin();
  static_cast<void>(co_await supervisor->find());
  CO_ASSERT(co_await supervisor->ensure(plan));
  EXPECT_GE(status(plan).exits_by_reason.at("liveness"), 1) << "the one that came after it is silent, too";
  EXPECT_EQ(status(plan).last_exit->reason, "liveness probe failed: no WATCHDOG=1 for 400ms");
}

}  // namespace
}  // namespace berth::supervise
