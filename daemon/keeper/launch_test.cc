#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/mman.h>

#include "daemon/keeper/keeper_fixture.h"

namespace berth::keeper {
namespace {

class KeeperLaunch : public KeeperFixture {};

TEST_F(KeeperLaunch, GivesTheAppItsUserFolderAndEnvironmentAndNothingElse) {
  ::setenv("OF_BERTHD", "1", 1);
  auto plan = shell("id -u; id -g; id -G; pwd; umask; env | sort; grep -E 'NoNewPrivs|SigBlk|SigIgn' /proc/self/status; exec sleep 100");
  plan.uid = 61234;
  plan.gid = 61235;
  plan.directory = "/usr";
  plan.environment["GREETING"] = "hello you";
  start_keeper();
  launch(plan);
  EXPECT_EQ(expect(Event::started).phase, Phase::running);
  ASSERT_TRUE(wait_until([&] { return logged("NoNewPrivs"); }, 10s));
  const std::vector<std::string> expected = {
      "stdout F 61234", "stdout F 61235", "stdout F 61235", "stdout F /usr", "stdout F 0022",
      "stdout F GREETING=hello you", "stdout F PATH=/usr/bin:/bin", "stdout F PWD=/usr",
      "stdout F SigBlk:\t0000000000000000", "stdout F SigIgn:\t0000000000000000", "stdout F NoNewPrivs:\t1"};
  EXPECT_EQ(lines(), expected);
}

TEST_F(KeeperLaunch, LetsTheAppOpenItsOwnStdoutByName) {
  auto plan = shell("echo by name >/dev/stdout; exec sleep 100");
  plan.uid = plan.gid = 61234;
  start_keeper();
  launch(plan);
  EXPECT_TRUE(wait_until([&] { return logged("by name"); }, 10s)) << log();
}

TEST_F(KeeperLaunch, LeavesNoDescriptorOpenInTheApp) {
  start_keeper();
  launch(shell("ls /proc/$$/fd; echo end; exec sleep 100"));
  ASSERT_TRUE(wait_until([&] { return logged("end"); }, 10s));
  EXPECT_EQ(lines(), (std::vector<std::string>{"stdout F 0", "stdout F 1", "stdout F 2", "stdout F end"}));
}

TEST_F(KeeperLaunch, PassesListeningSocketsAndGivesThemBack) {
  Fd http(::socket(AF_INET, SOCK_STREAM, 0)), admin(::socket(AF_INET, SOCK_STREAM, 0));
  ASSERT_EQ(::listen(http.get(), 5), 0);
  ASSERT_EQ(::listen(admin.get(), 5), 0);
  auto plan = shell("echo $LISTEN_FDS $LISTEN_FDNAMES $((LISTEN_PID == $$)); readlink /proc/$$/fd/3 /proc/$$/fd/4; exec sleep 100");
  plan.sockets = {{"http", http.get()}, {"admin", admin.get()}};
  start_keeper();
  launch(plan);
  expect(Event::started);
  const auto inode = [](int fd) { return fs::read_symlink(fmt::format("/proc/self/fd/{}", fd)).string(); };
  ASSERT_TRUE(wait_until([&] { return lines().size() == 3; }, 10s));
  EXPECT_EQ(lines(), (std::vector<std::string>{"stdout F 2 http:admin 1", "stdout F " + inode(http.get()), "stdout F " + inode(admin.get())}));

  const Header header{Type::get_fds, kProtocolVersion, sizeof(Header)};
  send(&header, sizeof header);
  const auto answer = receive(10s);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->bytes.substr(sizeof(Header)), std::string("http\0admin\0", 11));
  ASSERT_EQ(answer->fds.size(), 4u);
  EXPECT_EQ(inode(answer->fds[0].get()), inode(http.get()));
  EXPECT_EQ(inode(answer->fds[1].get()), inode(admin.get()));
  EXPECT_THAT(inode(answer->fds[2].get()), testing::StartsWith("pipe:"));
}

TEST_F(KeeperLaunch, TellsWhyAProgramCouldNotBeStarted) {
  auto plan = shell("");
  plan.argv = {"/no/such/program"};
  plan.restart = RestartWhen::never;
  start_keeper();
  launch(plan);
  const auto state = expect(Event::ended);
  EXPECT_EQ(state.last_exit.cause, Cause::not_started);
  EXPECT_EQ(state.last_exit.stage, Stage::execute);
  EXPECT_EQ(state.last_exit.error, ENOENT);
  EXPECT_EQ(state.starts, 0u);
}

TEST_F(KeeperLaunch, TellsThatTheWorkingFolderIsMissing) {
  auto plan = shell("true");
  plan.directory = "/no/such/folder";
  start_keeper();
  launch(plan);
  const auto state = expect(Event::exited);
  EXPECT_EQ(state.last_exit.stage, Stage::enter_directory);
  EXPECT_EQ(state.last_exit.error, ENOENT);
}

TEST_F(KeeperLaunch, RefusesALaunchThatMayStillChange) {
  start_keeper();
  expect(Event::hello);
  Fd open_memory(::memfd_create("launch", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  const std::string text("id=web/web.1\0arg=/bin/true\0", 27);
  ASSERT_EQ(::write(open_memory.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  const Header header{Type::launch, kProtocolVersion, sizeof(Header)};
  send(&header, sizeof header, {open_memory.get()});
  EXPECT_FALSE(receive(10s)) << "the connection ends";
  ASSERT_TRUE(connect());
  EXPECT_EQ(expect(Event::hello).phase, Phase::blank);
}

TEST_F(KeeperLaunch, RefusesANotifySocketWhosePathIsTooLong) {
  auto plan = shell("true");
  plan.notify = "/run/" + std::string(102, 'x');
  EXPECT_TRUE(make_launch(plan)) << "107 bytes";
  plan.notify += 'x';
  const auto memory = make_launch(plan);
  ASSERT_FALSE(memory);
  EXPECT_EQ(memory.error().code, Errc::usage);
  EXPECT_NE(memory.error().message.find("has 108 bytes; 107 at most"), std::string::npos) << memory.error().message;
}

TEST_F(KeeperLaunch, RefusesValuesWithANulByte) {
  auto plan = shell("true");
  plan.environment["A"] = std::string("x\0uid=0", 7);
  const auto memory = make_launch(plan);
  ASSERT_FALSE(memory);
  EXPECT_EQ(memory.error().code, Errc::usage);
}

TEST_F(KeeperLaunch, TakesANewLaunchForTheNextStart) {
  start_keeper();
  launch(shell("echo first; exec sleep 100"));
  expect(Event::started);
  ASSERT_TRUE(wait_until([&] { return logged("first"); }, 10s));
  launch(shell("echo second; exec sleep 100"));
  restart(false, "new secrets");
  const auto exited = expect(Event::exited);
  EXPECT_EQ(exited.last_exit.cause, Cause::asked);
  EXPECT_STREQ(exited.last_exit.reason, "new secrets");
  ASSERT_TRUE(wait_until([&] { return logged("second"); }, 10s));
}

}  // namespace
}  // namespace berth::keeper
