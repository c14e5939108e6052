#include "daemon/deploy/exec_door.h"

#include <cstring>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/attached.h"
#include "core/files/files.h"
#include "core/io/on_loop.h"
#include "core/io/packet_socket.h"
#include "core/io/unix_address.h"

namespace berth::deploy {
namespace {

using testing::HasSubstr;

class ExecDoorTest : public testing::Test {
 protected:
  ExecDoorTest() { ::chmod(folder.path().c_str(), 0711); }

  std::string path() const { return folder.path() / "exec" / "1001.sock"; }
  std::shared_ptr<ExecDoor> open_for(uid_t uid) {
    auto door = open_exec_door(path(), uid);
    EXPECT_TRUE(door) << door.error().message;
    return std::make_shared<ExecDoor>(std::move(*door));
  }
  Fd connect() const {
    const auto address = io::unix_address(path());
    Fd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    if (::connect(socket.get(), address->get(), address->size) != 0) socket.reset();
    return socket;
  }
  void say(Fd socket, const attached::Begin& begin, int files) {
    io::PacketSocket client(loop.executor(), std::move(socket));
    const std::vector<int> fds(static_cast<std::size_t>(files), STDERR_FILENO);
    ASSERT_TRUE(client.send({reinterpret_cast<const char*>(&begin), sizeof begin}, fds));
    kept.push_back(std::move(client));
  }
  Result<ExecClient> meet(const std::shared_ptr<ExecDoor>& door) { return io::on_loop(loop, meet_exec_client(door)); }

  files::TemporaryDirectory folder;
  io::Loop loop;
  std::vector<io::PacketSocket> kept;
};

TEST_F(ExecDoorTest, TakesThreeFilesAndWhetherTheyAreATerminal) {
  const auto door = open_for(0);
  say(connect(), {attached::kVersion, 1}, 3);
  const auto client = meet(door);
  ASSERT_TRUE(client) << client.error().message;
  EXPECT_EQ(client->files.size(), 3u);
  EXPECT_TRUE(client->terminal);
}

TEST_F(ExecDoorTest, RefusesWhatIsNoBeginning) {
  for (const auto& [begin, files, why] : {std::tuple(attached::Begin{attached::kVersion, 0}, 2, "three files"), {attached::Begin{attached::kVersion, 0}, 4, "three files"},
                                          {attached::Begin{attached::kVersion + 1, 0}, 3, "version 2"}}) {
    const auto door = open_for(0);
    say(connect(), begin, files);
    const auto client = meet(door);
    ASSERT_FALSE(client);
    EXPECT_EQ(client.error().code, Errc::protocol);
    EXPECT_THAT(client.error().message, HasSubstr(why));
  }
}

TEST_F(ExecDoorTest, IsForItsUserAndRootAlone) {
  constexpr uid_t kOperator = 61201, kOther = 61202;
  const auto door = open_for(kOperator);
  struct stat status{};
  ASSERT_EQ(::stat(path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777u, 0600u);
  EXPECT_EQ(status.st_uid, kOperator);
  for (const auto& [uid, lets_in] : {std::pair(kOther, false), {kOperator, true}}) {
    const pid_t child = ::fork();
    if (child == 0) {
      if (::setresuid(uid, uid, uid) != 0) ::_exit(2);
      ::_exit(connect() ? 0 : 1);
    }
    int ended = 0;
    ASSERT_EQ(::waitpid(child, &ended, 0), child);
    EXPECT_EQ(WEXITSTATUS(ended), lets_in ? 0 : 1) << uid;
  }
}

TEST_F(ExecDoorTest, ItsNameGoesWithIt) {
  auto door = open_for(0);
  EXPECT_EQ(::access(path().c_str(), F_OK), 0);
  door.reset();
  EXPECT_NE(::access(path().c_str(), F_OK), 0);
  EXPECT_FALSE(connect());
}

}  // namespace
}  // namespace berth::deploy
