#include "core/kill_one.h"
#include "daemon/keeper/keeper_fixture.h"

namespace berth::keeper {
namespace {

class KeeperTakesOver : public KeeperFixture {
 protected:
  void TearDown() override {
    for (const pid_t pid : strays) kill_one(pid, SIGKILL);
    KeeperFixture::TearDown();
  }

  /// An app whose keeper is killed: what berthd would know and hold.
  void lose_keeper(const Launch& plan, const std::function<bool()>& when) {
    start_keeper();
    launch(plan);
    const State started = expect(Event::started);
    ASSERT_TRUE(wait_until(when, 10s));
    pipes = held_pipes();
    ASSERT_EQ(pipes.size(), 2u);
    kill_one(keeper, SIGKILL);
    ::waitpid(keeper, nullptr, 0);
    keeper = -1;
    known = {.header = {Type::take_over, kProtocolVersion, sizeof(TakeOver)}, .app_pid = started.app_pid, .app_start = start_of(started.app_pid),
             .started_ms = started.started_ms, .starts = started.starts};
    strays.push_back(started.app_pid);
  }
  /// Field 22 of /proc/PID/stat.
  static std::uint64_t start_of(pid_t pid) {
    const auto stat = slurp(fmt::format("/proc/{}/stat", pid));
    std::istringstream fields(stat.substr(stat.rfind(')') + 2));
    std::string field;
    for (int i = 3; i <= 22; i++) fields >> field;
    return std::stoull(field);
  }
  void take_over(const Launch& plan) {
    auto memory = make_launch(plan);
    ASSERT_TRUE(memory) << memory.error().message;
    std::vector<int> fds = {memory->fd.get(), pipes[0].get(), pipes[1].get()};
    for (const auto& [name, socket] : plan.sockets) fds.push_back(socket);
    send(&known, sizeof known, fds);
  }
  fs::path at(const char* name) const { return root / name; }

  std::vector<Fd> pipes;
  TakeOver known{};
  std::vector<pid_t> strays;
};

TEST_F(KeeperTakesOver, TheTagOfTheLines) {
  auto plan = shell("echo one; while [ ! -e " + at("go").string() + " ]; do sleep 0.02; done; echo two; exec sleep 1000");
  plan.log_tag = "v42:17";
  lose_keeper(plan, [this] { return logged("one"); });
  start_keeper();
  take_over(plan);
  expect(Event::taken);
  std::ofstream(at("go")).put('1');
  ASSERT_TRUE(wait_until([&] { return logged("two"); }, 10s));
  const auto tag = fmt::format(":v42:17:{}", known.app_pid);
  EXPECT_TRUE(logged("stdout F" + tag + " one"));
  EXPECT_TRUE(logged("stderr F" + tag + ":keeper berth-keeper: up to "));
  EXPECT_TRUE(logged("stdout F" + tag + " two"));
}

TEST_F(KeeperTakesOver, AnAppThatGoesOnAndWritesItsOutput) {
  const auto plan = shell("echo one; while [ ! -e " + at("go").string() + " ]; do sleep 0.02; done; echo two; exec sleep 1000");
  lose_keeper(plan, [this] { return logged("one"); });
  std::ofstream(at("go")).put('1');
  start_keeper();
  take_over(plan);
  const State taken = expect(Event::taken);
  EXPECT_EQ(taken.app_pid, known.app_pid);
  EXPECT_EQ(taken.phase, Phase::running);
  EXPECT_EQ(taken.starts, 1u);
  EXPECT_STREQ(taken.id, "web/web.1@v1");
  ASSERT_TRUE(wait_until([this] { return logged("two"); }, 5s));
  const auto all = lines();
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0], "stdout F one");
  EXPECT_EQ(all[1], "stderr F berth-keeper: up to 64 KiB are missing here: the keeper of this instance was killed while it may have had them in hand");
  EXPECT_EQ(all[2], "stdout F two");
  stop();
  const State gone = expect(Event::gone);
  EXPECT_EQ(gone.last_exit.cause, Cause::stopped);
  EXPECT_FALSE(lives(known.app_pid));
}

TEST_F(KeeperTakesOver, AnAppWhoseEndItIsNotToldAndStartsItAgain) {
  const auto plan = shell("echo up; exec sleep 1000");
  lose_keeper(plan, [this] { return logged("up"); });
  start_keeper();
  take_over(plan);
  expect(Event::taken);
  kill_one(known.app_pid, SIGSEGV);
  const State exited = expect(Event::exited);
  EXPECT_EQ(exited.last_exit.cause, Cause::unknown);
  EXPECT_EQ(exited.exits_unknown, 1u);
  const State again = expect(Event::started);
  EXPECT_EQ(again.starts, 2u);
  EXPECT_NE(again.app_pid, known.app_pid);
  kill_one(again.app_pid, SIGSEGV);
  EXPECT_EQ(expect(Event::exited).last_exit.cause, Cause::signal) << "this one is its child";
}

TEST_F(KeeperTakesOver, WhatTheAppLeftBehindToo) {
  // The grandchildren's parent is nobody who could be asked: one is in the app's session, one in none but writes to its output.
  const auto plan = shell("trap '' HUP; sh -c 'echo $$ > " + at("a").string() + "; exec sleep 1000' & setsid sh -c 'echo $$ > " + at("b").string() +
                          "; exec sleep 1000' & wait");
  lose_keeper(plan, [this] { return fs::exists(at("a")) && fs::exists(at("b")); });
  const int a = number_in(at("a")), b = number_in(at("b"));
  strays.insert(strays.end(), {a, b});
  start_keeper();
  take_over(plan);
  expect(Event::taken);
  kill_one(known.app_pid, SIGKILL);
  expect(Event::exited);
  expect(Event::started);
  EXPECT_FALSE(lives(a));
  EXPECT_FALSE(lives(b));
}

TEST_F(KeeperTakesOver, AndKillsWhatIgnoresItsSignal) {
  auto plan = shell("trap '' TERM; (trap '' TERM; echo $(exec sh -c 'echo $PPID') > " + at("a").string() + "; while :; do sleep 1; done) & echo up; while :; do sleep 1; done");
  lose_keeper(plan, [this] { return logged("up") && fs::exists(at("a")); });
  const int a = number_in(at("a"));
  strays.push_back(a);
  start_keeper();
  take_over(plan);
  expect(Event::taken);
  stop(100);
  expect(Event::gone);
  EXPECT_FALSE(lives(known.app_pid));
  EXPECT_FALSE(lives(a));
}

TEST_F(KeeperTakesOver, NoProcessThatIsAnotherByNow) {
  const auto plan = shell("echo up; exec sleep 1000");
  lose_keeper(plan, [this] { return logged("up"); });
  kill_one(known.app_pid, SIGKILL);
  const pid_t stranger = ::fork();
  if (stranger == 0) {
    ::setsid();
    ::pause();
    ::_exit(0);
  }
  known.app_pid = stranger;
  known.app_start = start_of(stranger) - 1;  // of a process before it
  start_keeper();
  take_over(plan);
  EXPECT_EQ(expect(Event::exited).last_exit.cause, Cause::unknown);
  kill_one(stranger, SIGKILL);
  ::waitpid(stranger, nullptr, 0);
}

TEST_F(KeeperTakesOver, TheOutputOfAnAppOfWhichNothingIsLeft) {
  auto plan = shell("echo up; while [ ! -e " + at("go").string() + " ]; do sleep 0.02; done; echo last words; touch " + at("said").string() + "; exec sleep 1000");
  plan.log_tag = "v42:17";
  lose_keeper(plan, [this] { return logged("up"); });
  std::ofstream(at("go")).put('1');
  ASSERT_TRUE(wait_until([this] { return fs::exists(at("said")); }, 5s));
  const pid_t ended = known.app_pid;
  kill_one(ended, SIGKILL);
  known.app_pid = -ended;
  known.exits_unknown = 1;
  start_keeper();
  take_over(plan);
  EXPECT_EQ(expect(Event::started).starts, 2u);
  const auto all = lines();
  ASSERT_GE(all.size(), 3u);
  EXPECT_EQ(all[2], fmt::format("stdout F:v42:17:{} last words", ended)) << "of the run that had them to say";
}

TEST_F(KeeperTakesOver, TheListeningSocketsForTheNextStart) {
  std::uint16_t port = 0;
  Fd socket = listener(&port);
  auto plan = shell("echo $LISTEN_FDS; exec sleep 1000");
  plan.sockets = {{"http", socket.get()}};
  lose_keeper(plan, [this] { return logged("stdout F 1"); });
  start_keeper();
  take_over(plan);
  expect(Event::taken);
  restart(false, "test");
  EXPECT_EQ(expect(Event::exited).last_exit.cause, Cause::asked);
  expect(Event::started);
  EXPECT_TRUE(wait_until([this] { return std::ranges::count(lines(), "stdout F 1") == 2; }, 5s));
}

}  // namespace
}  // namespace berth::keeper
