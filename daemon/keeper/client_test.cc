#include "daemon/keeper/keeper_fixture.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "core/attached.h"

// One-off commands: the test is their client, too.

namespace berth::keeper {
namespace {

class ClientTest : public KeeperFixture {
 protected:
  void SetUp() override {
    KeeperFixture::SetUp();
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    ours.reset(ends[0]);
    theirs.reset(ends[1]);
  }

  static Launch once(const std::string& script, bool terminal = false) {
    Launch launch = shell(script);
    launch.restart = RestartWhen::never;
    launch.attached = terminal;
    launch.grace_ms = 1000;
    return launch;
  }

  /// Launches it with these files, of which this process keeps none.
  void launch_with(const Launch& plan, Fd in, Fd out, Fd err) {
    start_keeper();
    auto memory = make_launch(plan);
    ASSERT_TRUE(memory) << memory.error().message;
    const Header header{Type::launch, kProtocolVersion, sizeof(Header)};
    send(&header, sizeof header, {memory->fd.get(), in.get(), out.get(), err.get(), theirs.get()});
    theirs.reset();
  }

  static std::pair<Fd, Fd> pipe() {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    return {Fd(ends[0]), Fd(ends[1])};
  }
  static Fd null() { return Fd(::open("/dev/null", O_RDWR | O_CLOEXEC)); }

  /// All that comes until nobody can write it any more.
  static std::string read_all(int fd) {
    std::string text;
    char buffer[4096];
    for (ssize_t got; (got = ::read(fd, buffer, sizeof buffer)) > 0;) text.append(buffer, static_cast<std::size_t>(got));
    return text;
  }

  /// What the keeper tells the client last.
  attached::End end() {
    attached::End said{};
    pollfd polled{ours.get(), POLLIN, 0};
    EXPECT_EQ(::poll(&polled, 1, 10'000), 1);
    EXPECT_EQ(::recv(ours.get(), &said, sizeof said, 0), static_cast<ssize_t>(sizeof said));
    EXPECT_EQ(said.version, attached::kVersion);
    return said;
  }
  void signal(int number) {
    const attached::Signal said{attached::kVersion, number};
    ASSERT_EQ(::send(ours.get(), &said, sizeof said, MSG_NOSIGNAL), static_cast<ssize_t>(sizeof said));
  }

  Fd ours, theirs;
};

TEST_F(ClientTest, TheCommandHasTheClientsFilesAndTheClientItsExitCode) {
  auto in = pipe(), out = pipe(), err = pipe();
  launch_with(once("read line; echo out $line; echo err >&2; exit 7"), std::move(in.first), std::move(out.second), std::move(err.second));
  ASSERT_EQ(::write(in.second.get(), "hello\n", 6), 6);
  EXPECT_EQ(read_all(out.first.get()), "out hello\n");
  EXPECT_EQ(read_all(err.first.get()), "err\n");
  const auto said = end();
  EXPECT_EQ(said.exit, 7);
  EXPECT_STREQ(said.message, "");
  EXPECT_EQ(expect(Event::ended).last_exit.cause, Cause::exit);
  EXPECT_TRUE(segments().empty()) << "its output is no log";
}

TEST_F(ClientTest, ASignalIsForItsWholeGroupAndToldAsAShellDoes) {
  auto out = pipe();
  launch_with(once("sleep 100 & echo $!; wait"), null(), std::move(out.second), null());
  char buffer[32] = {};
  ASSERT_GT(::read(out.first.get(), buffer, sizeof buffer - 1), 0);
  signal(SIGUSR1);
  EXPECT_EQ(end().exit, 128 + SIGUSR1);
  EXPECT_FALSE(lives(std::atoi(buffer)));
}

TEST_F(ClientTest, AllOfItEndsWhenTheClientGoesAway) {
  auto out = pipe();
  launch_with(once("trap '' TERM; setsid sleep 100 & echo $!; wait; sleep 100"), null(), std::move(out.second), null());
  char buffer[32] = {};
  ASSERT_GT(::read(out.first.get(), buffer, sizeof buffer - 1), 0);
  ours.reset();
  EXPECT_EQ(expect(Event::ended).last_exit.cause, Cause::stopped);
  EXPECT_FALSE(lives(std::atoi(buffer)));
}

TEST_F(ClientTest, WhatItLeavesBehindIsEndedBeforeTheClientIsTold) {
  auto out = pipe();
  launch_with(once("setsid sleep 100 & echo $!; exit 0"), null(), std::move(out.second), null());
  const int left = std::atoi(read_all(out.first.get()).c_str());
  EXPECT_EQ(end().exit, 0);
  EXPECT_FALSE(lives(left));
}

TEST_F(ClientTest, ATerminalIsItsControllingOneAndCtrlCInterruptsIt) {
  Fd master(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  ASSERT_EQ(::grantpt(master.get()) | ::unlockpt(master.get()), 0);
  const std::string name = ::ptsname(master.get());
  const auto slave = [&name] { return Fd(::open(name.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC)); };
  const winsize size{.ws_row = 33, .ws_col = 99};
  ASSERT_EQ(::ioctl(master.get(), TIOCSWINSZ, &size), 0);
  launch_with(once("tty > /dev/tty; stty size; trap 'echo interrupted; exit 3' INT; echo ready; read x", true), slave(), slave(), slave());
  std::string text;
  char buffer[4096];
  while (text.find("ready") == std::string::npos) {
    const ssize_t got = ::read(master.get(), buffer, sizeof buffer);
    ASSERT_GT(got, 0) << text;
    text.append(buffer, static_cast<std::size_t>(got));
  }
  EXPECT_NE(text.find(name), std::string::npos) << text;
  EXPECT_NE(text.find("33 99"), std::string::npos) << text;
  ASSERT_EQ(::write(master.get(), "\x03", 1), 1);
  EXPECT_EQ(end().exit, 3);
  EXPECT_NE(read_all(master.get()).find("interrupted"), std::string::npos);
}

TEST_F(ClientTest, ACommandThatCannotBeBegunIsLeftToBerthdToTell) {
  Launch launch = once("true");
  launch.argv = {"/nowhere/at/all"};
  launch_with(launch, null(), null(), null());
  EXPECT_EQ(expect(Event::ended).last_exit.cause, Cause::not_started);
  char byte;
  EXPECT_EQ(::recv(ours.get(), &byte, 1, 0), 0) << "closed without a word";
}

TEST_F(ClientTest, AFileOfTheClientStaysItsOwn) {
  const auto path = root / "report";
  Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  Launch launch = once("echo written");
  launch.uid = launch.gid = 61234;
  launch_with(launch, null(), std::move(file), null());
  EXPECT_EQ(end().exit, 0);
  struct stat status{};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, 0u);
  EXPECT_EQ(slurp(path), "written\n");
}

}  // namespace
TEST_F(ClientTest, ATerminalThatSomebodySitsAtStaysTheirs) {
  if (::getuid() != 0) GTEST_SKIP() << "needs root";
  Fd master(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  ASSERT_EQ(::grantpt(master.get()) | ::unlockpt(master.get()), 0);
  const std::string name = ::ptsname(master.get());
  Launch launch = once("echo written");
  launch.uid = launch.gid = 61234;
  launch_with(launch, null(), Fd(::open(name.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC)), null());
  EXPECT_EQ(end().exit, 0);
  struct stat there {};
  ASSERT_EQ(::stat(name.c_str(), &there), 0);
  EXPECT_EQ(there.st_uid, ::getuid());
}

}  // namespace berth::keeper
