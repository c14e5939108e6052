#include "core/kill_one.h"
#include "daemon/keeper/keeper_fixture.h"

#include <sys/ioctl.h>

namespace berth::keeper {
namespace {

class KeeperRenewal : public KeeperFixture {
 protected:
  void SetUp() override {
    KeeperFixture::SetUp();
    // The same program in another file, as before an upgrade.
    program = (root / "keeper-before").string();
    fs::copy_file(BERTH_KEEPER_PROGRAM, program);
  }
  void renew(const std::string& to) {
    Renew message{{Type::renew, kProtocolVersion, sizeof(Renew)}, {}};
    to.copy(message.program, sizeof message.program - 1);
    send(&message, sizeof message);
  }
  /// A program that does nothing for ever when it is tried, and says in the file `tried` that it is.
  std::string hanging() const {
    const auto path = root / "hanging";
    std::ofstream(path) << "#!/bin/sh\necho $$ > " << (root / "tried").string() << "\nexec sleep 1000\n";
    fs::permissions(path, fs::perms(0755));
    return path.string();
  }
  std::string running() const { return fs::read_symlink(fmt::format("/proc/{}/exe", keeper)).string(); }
  /// Its open descriptors, by what they are.
  std::size_t open_files() const { return static_cast<std::size_t>(std::distance(fs::directory_iterator(fmt::format("/proc/{}/fd", keeper)), {})); }
};

constexpr const char* kCount = "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.005; done";

TEST_F(KeeperRenewal, KeepsTheTagOfItsLines) {
  start_keeper();
  Launch plan = shell("printf one; touch " + (root / "begun").string() + "; while [ ! -e " + (root / "go").string() + " ]; do sleep 0.02; done; echo two; exec sleep 1000");
  plan.log_tag = "v42:17";
  launch(plan);
  const int pid = expect(Event::started).app_pid;
  const auto pipes = held_pipes();
  int unread = 1;
  ASSERT_TRUE(wait_until([&] { return fs::exists(root / "begun") && ::ioctl(pipes.at(0).get(), FIONREAD, &unread) == 0 && unread == 0; }, 10s));
  renew(BERTH_KEEPER_PROGRAM);
  expect(Event::renewed);
  // What it is given for its next start changes nothing for the lines of this one.
  plan.log_tag = "v42:18";
  launch(plan);
  std::ofstream(root / "go").put('1');
  ASSERT_TRUE(wait_until([&] { return logged("two"); }, 10s));
  for (const auto& line : lines()) EXPECT_NE(line.find(fmt::format(":v42:17:{} ", pid)), std::string::npos) << line;
  kill_one(pid, SIGKILL);
  const int next = expect(Event::started).app_pid;
  EXPECT_TRUE(wait_until([&] { return logged(fmt::format(":v42:18:{} onetwo", next)); }, 10s));
}

TEST_F(KeeperRenewal, KeepsTheAppItsLogAndItsCounters) {
  start_keeper();
  launch(shell(kCount));
  const State first = expect(Event::started);
  kill_one(first.app_pid, SIGKILL);
  const State before = expect(Event::started);
  const auto one_more = lines().size() + 1;
  ASSERT_TRUE(wait_until([&] { return lines().size() > one_more; }, 10s));  // its log is open
  const auto files = open_files();
  for (const char* to : {BERTH_KEEPER_PROGRAM, program.c_str(), BERTH_KEEPER_PROGRAM}) {
    const auto reached = lines().size();
    renew(to);
    const State after = expect(Event::renewed);
    EXPECT_EQ(running(), to);
    EXPECT_EQ(after.keeper_pid, keeper);
    EXPECT_EQ(after.app_pid, before.app_pid);
    EXPECT_EQ(after.starts, 2u);
    EXPECT_EQ(after.exits[static_cast<int>(Cause::signal)], 1u);
    EXPECT_EQ(after.started_ms, before.started_ms);
    EXPECT_EQ(after.launch_digest, before.launch_digest);
    ASSERT_TRUE(wait_until([&] { return lines().size() > reached + 20; }, 10s));
    EXPECT_EQ(open_files(), files) << "each is closed or known";
  }
  EXPECT_TRUE(lives(before.app_pid));
  kill_one(before.app_pid, SIGSTOP);
  // Each line is there once, in pieces or whole.
  std::string text;
  for (const auto& line : lines()) {
    text += line.substr(std::min<std::size_t>(9, line.size()));
    if (line[7] == 'F') text += '\n';
  }
  const auto second = text.rfind("line 1\n");
  int number = 0;
  std::istringstream all(text.substr(second));
  for (std::string line; std::getline(all, line);) {
    EXPECT_EQ(line, fmt::format("line {}", ++number));
  }
  EXPECT_GT(number, 60);
  kill_one(before.app_pid, SIGCONT);
  kill_one(before.app_pid, SIGSEGV);
  EXPECT_EQ(expect(Event::exited).last_exit.status & 0x7f, SIGSEGV) << "it is still the parent";
}

TEST_F(KeeperRenewal, KeepsSocketsAndWhatTheAppSaid) {
  std::uint16_t port = 0;
  Fd socket = listener(&port);
  auto plan = shell("");
  plan.argv = {"/usr/bin/python3", "-c",
               "import os, signal, socket; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
               "def say(text): s.sendto(text.encode(), os.environ['NOTIFY_SOCKET'])\n"
               "signal.signal(signal.SIGUSR1, lambda *_: say('STATUS=again'))\n"
               "say('READY=1\\nSTATUS=first\\nEXTEND_TIMEOUT_USEC=60000000')\n"
               "while True: signal.pause()"};
  plan.notify = (root / "notify").string();
  plan.environment["NOTIFY_SOCKET"] = plan.notify;
  plan.sockets = {{"http", socket.get()}};
  start_keeper();
  launch(plan);
  socket.reset();
  const State started = expect(Event::started);
  const auto notified = [this](const std::string& status) {
    for (;;) {
      const auto answer = receive(10s);
      if (!answer) return Notified{};
      Notified told{};
      if (answer->bytes.size() != sizeof told) continue;
      std::memcpy(&told, answer->bytes.data(), sizeof told);
      if (told.header.type == Type::notified && status == told.status) return told;
    }
  };
  EXPECT_TRUE(notified("first").ready);
  renew(BERTH_KEEPER_PROGRAM);
  expect(Event::renewed);
  ASSERT_TRUE(connect());
  const Notified told = notified("first");
  EXPECT_TRUE(told.ready);
  EXPECT_GT(told.extend_ms, 30'000) << "what it asked for is told to whoever connects later";
  EXPECT_LE(told.extend_ms, 60'000);
  kill_one(started.app_pid, SIGUSR1);
  EXPECT_TRUE(notified("again").ready);
  EXPECT_TRUE(listened(port));
}

TEST_F(KeeperRenewal, WaitsWhileSomethingIsBegun) {
  start_keeper();
  auto plan = shell("exit 1");
  plan.policy = {.early_ms = 1000, .first_ms = 300, .longest_ms = 300};
  launch(plan);
  expect(Event::waiting);
  renew(BERTH_KEEPER_PROGRAM);
  const State renewed = expect(Event::renewed);
  EXPECT_EQ(renewed.phase, Phase::waiting);
  EXPECT_GE(expect(Event::waiting).starts, 2u) << "the pause goes on";
}

TEST_F(KeeperRenewal, BecomesOneThatSpeaksANewerProtocol) {
  start_keeper();
  launch(shell("exec sleep 1000"));
  const State started = expect(Event::started);
  renew(BERTH_NEWER_KEEPER);
  const State renewed = expect(Event::renewed);
  EXPECT_EQ(renewed.header.version, 3);
  EXPECT_EQ(renewed.app_pid, started.app_pid);
  renew(BERTH_KEEPER_PROGRAM);  // and back
  EXPECT_EQ(expect(Event::renewed).header.version, kProtocolVersion);
}

TEST_F(KeeperRenewal, GoesOnAsItIsWhereTheOtherProgramDoesNot) {
  start_keeper();
  launch(shell(kCount));
  const State started = expect(Event::started);
  std::ofstream(root / "text") << "no program";
  for (const auto& [to, why] : std::vector<std::pair<std::string, std::string>>{{"/no/such/keeper", "it is not there: /no/such/keeper"},
                                                                                {(root / "text").string(), "it cannot be executed: "},
                                                                                {"/bin/false", "it does not take over what this one knows: /bin/false"},
                                                                                {"/bin/cat", "it does not take over what this one knows: /bin/cat"}}) {
    renew(to);
    const State state = expect(Event::not_renewed);
    EXPECT_TRUE(std::string(state.refusal).starts_with(why)) << state.refusal;
    EXPECT_EQ(running(), program);
    EXPECT_EQ(state.app_pid, started.app_pid);
    const auto reached = lines().size();
    EXPECT_TRUE(wait_until([&] { return lines().size() > reached + 5; }, 5s));
  }
  kill_one(started.app_pid, SIGKILL);
  EXPECT_EQ(expect(Event::exited).last_exit.cause, Cause::signal);
}

constexpr const char* kOverdue = "it did not answer within 2 s: ";

TEST_F(KeeperRenewal, ReadsOnWhatTheAppWritesWhileTheOtherProgramHangs) {
  auto plan = shell("");
  plan.argv = {"/usr/bin/python3", "-c",
               "import os, time\n"
               "longest, number, path = 0, 0, '" + (root / "longest").string() + "'\n"
               "while True:\n"
               "    began = time.monotonic()\n"
               "    for _ in range(64): os.write(1, b'x' * 1023 + b'\\n')\n"
               "    longest = max(longest, time.monotonic() - began)\n"
               "    number += 1\n"
               "    with open(path + '.new', 'w') as file: print(int(longest * 1000), number, file=file)\n"
               "    os.rename(path + '.new', path)\n"
               "    time.sleep(0.005)\n"};
  plan.segment_bytes = 1 << 20;
  plan.keep_bytes = 4 << 20;
  const auto written = [this] {
    int longest = 0, number = 0;
    std::istringstream(slurp(root / "longest")) >> longest >> number;
    return std::pair(longest, number);
  };
  start_keeper();
  launch(plan);
  expect(Event::started);
  ASSERT_TRUE(wait_until([&] { return written().second > 3; }, 10s));
  const auto before = written().second;
  renew(hanging());
  const State state = expect(Event::not_renewed);
  EXPECT_TRUE(std::string(state.refusal).starts_with(kOverdue)) << state.refusal;
  const auto reached = written().second;
  EXPECT_GT(reached, before + 20) << "it stood still";
  ASSERT_TRUE(wait_until([&] { return written().second > reached + 3; }, 10s));
  EXPECT_LT(written().first, 1000) << "ms that a write took";
  EXPECT_FALSE(lives(number_in(root / "tried")));
  renew(BERTH_KEEPER_PROGRAM);
  expect(Event::renewed);
}

TEST_F(KeeperRenewal, IsTriedAgainWhereTheAppEndsMeanwhileAndGivenUpForALaterOne) {
  start_keeper();
  launch(shell(kCount));
  const State first = expect(Event::started);
  renew(hanging());
  const int tried = number_in(root / "tried");
  fs::remove(root / "tried");
  kill_one(first.app_pid, SIGKILL);
  expect(Event::started, 1500ms);  // the trial would have taken 2 s
  const int again = number_in(root / "tried");
  EXPECT_TRUE(wait_until([&] { return !lives(tried); }, 5s));
  renew(BERTH_KEEPER_PROGRAM);
  expect(Event::renewed, 1500ms);
  EXPECT_EQ(running(), BERTH_KEEPER_PROGRAM);
  EXPECT_TRUE(wait_until([&] { return !lives(again); }, 5s));
  renew(hanging());
  number_in(root / "tried");
  stop();
  expect(Event::gone, 1500ms);
  EXPECT_TRUE(wait_until([&] { return gone(); }, 5s));
}

}  // namespace
}  // namespace berth::keeper
