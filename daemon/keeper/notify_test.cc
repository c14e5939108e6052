#include "core/kill_one.h"
#include "daemon/keeper/keeper_fixture.h"

namespace berth::keeper {
namespace {

class KeeperNotify : public KeeperFixture {
 protected:
  void SetUp() override {
    KeeperFixture::SetUp();
    socket = root / "notify";
    write_program();
  }

  /// An app in Python that has `say(text)`.
  Launch app(const std::string& body) const {
    Launch plan{.id = "web/web.1@v1", .argv = {"/usr/bin/python3", (root / "app.py").string(), body}, .environment = {{"NOTIFY_SOCKET", socket}}, .grace_ms = 5000};
    plan.notify = socket;
    return plan;
  }

  /// The next notification that `condition` holds for.
  template <class Condition>
  Notified expect_notice(Condition condition) {
    const auto end = std::chrono::steady_clock::now() + 10s;
    while (std::chrono::steady_clock::now() < end) {
      const auto answer = receive(10s);
      if (!answer) break;
      Notified notified;
      if (answer->bytes.size() != sizeof notified) continue;
      std::memcpy(&notified, answer->bytes.data(), sizeof notified);
      if (notified.header.type == Type::notified && condition(notified)) return notified;
    }
    ADD_FAILURE() << "no such notification came";
    return {};
  }

  fs::path socket;

 private:
  void write_program() const {
    std::ofstream(root / "app.py") << R"(
import array, os, signal, socket, subprocess, sys, time
def say(text, passed=None):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    extra = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [passed]))] if passed is not None else []
    s.sendmsg([text.encode()], extra, 0, os.environ['NOTIFY_SOCKET'])
exec(sys.argv[1])
)";
  }
};

constexpr auto kReady = [](const Notified& one) { return one.ready != 0; };

TEST_F(KeeperNotify, TellsWhatTheAppSaysAndToldWhoeverConnectsLater) {
  start_keeper();
  launch(app("say('READY=1\\nSTATUS=serving 3 clients'); signal.pause()"));
  const auto started = expect(Event::started);
  auto heard = expect_notice(kReady);
  EXPECT_EQ(heard.app_pid, started.app_pid);
  EXPECT_STREQ(heard.status, "serving 3 clients");
  ASSERT_TRUE(connect()) << "as a berthd that comes back";
  expect(Event::hello);
  EXPECT_STREQ(expect_notice(kReady).status, "serving 3 clients");
}

TEST_F(KeeperNotify, HearsTheChildrenOfTheAppAndClosesWhatTheyPass) {
  start_keeper();
  // A child says it, and waits until the keeper closed its end of a pipe, as systemd-notify does.
  launch(app("r, w = os.pipe()\n"
             "if os.fork() == 0:\n"
             "    say('BARRIER=1', w); os.close(w); assert os.read(r, 1) == b''; say('READY=1'); signal.pause()\n"
             "os.close(w); signal.pause()"));
  expect(Event::started);
  expect_notice(kReady);
}

TEST_F(KeeperNotify, DoesNotHearStrangers) {
  start_keeper();
  launch(app("signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1]); print('up', flush=True)\nwhile signal.sigwait([signal.SIGUSR1]): say('STATUS=mine')"));
  const auto started = expect(Event::started);
  ASSERT_TRUE(wait_until([&] { return logged("up"); }, 10s));
  const Fd stranger(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{.sun_family = AF_UNIX};
  std::strcpy(address.sun_path, socket.c_str());
  ASSERT_EQ(::sendto(stranger.get(), "READY=1", 7, 0, reinterpret_cast<const sockaddr*>(&address), sizeof address), 7);
  kill_one(started.app_pid, SIGUSR1);
  const auto heard = expect_notice([](const Notified& one) { return *one.status != 0; });
  EXPECT_FALSE(heard.ready);
  EXPECT_EQ(heard.refused, 1u);
}

TEST_F(KeeperNotify, RestartsAnAppThatFallsSilent) {
  start_keeper();
  auto plan = app("say('READY=1')\nfor i in range(6): time.sleep(0.2); say('WATCHDOG=1')\nsignal.pause()");
  plan.watchdog_ms = 1000;
  plan.watchdog_delay_ms = -1;
  launch(plan);
  expect(Event::started);
  const auto exited = expect(Event::exited);
  EXPECT_EQ(exited.last_exit.cause, Cause::liveness);
  EXPECT_STREQ(exited.last_exit.reason, "liveness probe failed: no WATCHDOG=1 for 1000ms");
  EXPECT_GE(exited.last_exit.ran_ms, 2000) << "it was alive that long";
  const auto again = expect(Event::started);
  EXPECT_EQ(again.starts, 2u);
  EXPECT_EQ(expect_notice(kReady).app_pid, again.app_pid) << "and may say so again";
}

TEST_F(KeeperNotify, RestartsAnAppThatNeverSaidAnythingOnceItsDelayIsOver) {
  start_keeper();
  auto plan = app("signal.pause()");
  plan.watchdog_ms = 100;
  plan.watchdog_delay_ms = 200;
  launch(plan);
  expect(Event::started);
  const auto exited = expect(Event::exited);
  EXPECT_EQ(exited.last_exit.cause, Cause::liveness);
  EXPECT_GE(exited.last_exit.ran_ms, 300);
}

TEST_F(KeeperNotify, TellsTheWatchdogsTimeThatTheAppSetsAlone) {
  start_keeper();
  auto plan = app("say('READY=1'); time.sleep(0.3); say('WATCHDOG_USEC=60000000'); signal.pause()");
  plan.watchdog_ms = 50'000;
  plan.watchdog_delay_ms = 0;
  launch(plan);
  expect(Event::started);
  EXPECT_EQ(expect_notice(kReady).watchdog_ms, 0) << "it has not said so yet";
  EXPECT_EQ(expect_notice([](const Notified& one) { return one.watchdog_ms != 0; }).watchdog_ms, 60'000);
}

TEST_F(KeeperNotify, RestartsAnAppThatAsksForItAndForgetsWhatItSaid) {
  start_keeper();
  auto plan = app("say('READY=1') if not os.path.exists(os.environ['NOTIFY_SOCKET'] + '.was') else None\n"
                  "open(os.environ['NOTIFY_SOCKET'] + '.was', 'w').close(); time.sleep(0.2); say('STATUS=x'); time.sleep(0.2); say('WATCHDOG=trigger'); signal.pause()");
  plan.watchdog_ms = 60'000;
  launch(plan);
  const auto exited = expect(Event::exited);
  EXPECT_STREQ(exited.last_exit.reason, "liveness probe failed: it said WATCHDOG=trigger");
  const auto again = expect(Event::started);
  const auto heard = expect_notice([&](const Notified& one) { return one.app_pid == again.app_pid && *one.status != 0; });
  EXPECT_FALSE(heard.ready);
}

TEST_F(KeeperNotify, GivesTheTimeToStopThatTheAppAsksFor) {
  start_keeper();
  auto plan = app("signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM]); say('READY=1'); signal.sigwait([signal.SIGTERM])\n"
                  "say('STOPPING=1\\nEXTEND_TIMEOUT_USEC=20000000'); time.sleep(1.5)");
  plan.grace_ms = 1000;
  launch(plan);
  expect(Event::started);
  expect_notice(kReady);
  stop();
  const auto heard = expect_notice([](const Notified& one) { return one.stopping != 0; });
  EXPECT_LE(heard.extend_ms, 20'000);
  EXPECT_GT(heard.extend_ms, 5000) << "what is left of it";
  EXPECT_EQ(expect(Event::gone).last_exit.status, 0) << "not killed";
}

TEST_F(KeeperNotify, DoesNotStartAnAppWhoseSocketItCannotBind) {
  auto plan = app("");
  plan.notify = root / "no/such/folder/notify";
  start_keeper();
  launch(plan);
  const auto exited = expect(Event::exited);
  EXPECT_EQ(exited.last_exit.cause, Cause::not_started);
  EXPECT_EQ(exited.last_exit.stage, Stage::bind_notify);
  EXPECT_EQ(exited.last_exit.error, ENOENT);
}

}  // namespace
}  // namespace berth::keeper
