#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "core/files/files.h"
#include "core/io/http.h"
#include "core/io/loop.h"
#include "core/io/raw_peer.h"

namespace berth::io {
namespace {

using boost::asio::awaitable;

constexpr gid_t kSameGroup = static_cast<gid_t>(-1);

class ListenTest : public testing::Test {
 protected:
  awaitable<ServerReply> nothing() { co_return ServerReply{}; }

  files::TemporaryDirectory folder;
  std::string path = folder.path() / "api.sock";
  Loop loop;
  HttpServer server{loop.executor(), [this](ServerRequest) { return nothing(); }};
};

TEST_F(ListenTest, GivesTheSocketItsModeAndGroup) {
  const gid_t group = ::geteuid() == 0 ? 65534 : ::getgid();
  ASSERT_TRUE(server.listen_unix(path, 0620, group));
  struct stat made {};
  ASSERT_EQ(::stat(path.c_str(), &made), 0);
  EXPECT_EQ(made.st_mode & 07777, 0620U);
  EXPECT_EQ(made.st_gid, group);
}

TEST_F(ListenTest, ReplacesTheSocketOfADeadProcess) {
  { auto dead = listen_at_path(path, 0600, kSameGroup); }
  ASSERT_TRUE(std::filesystem::exists(path));
  EXPECT_TRUE(server.listen_unix(path, 0600, kSameGroup));
}

TEST_F(ListenTest, LeavesALiveSocketAndOtherFilesAlone) {
  const auto live = listen_at_path(path, 0600, kSameGroup);
  EXPECT_EQ(server.listen_unix(path, 0600, kSameGroup).error().code, Errc::conflict);
  EXPECT_TRUE(connect_raw(path));
  const std::string file = folder.path() / "file";
  ASSERT_TRUE(files::replace(file, "kept"));
  EXPECT_EQ(server.listen_unix(file, 0600, kSameGroup).error().code, Errc::exists);
  EXPECT_EQ(server.listen_unix(folder.path() / "none" / "api.sock", 0600, kSameGroup).error().code, Errc::not_found);
}

TEST_F(ListenTest, RemovesItsSocketButNotItsSuccessors) {
  auto first = std::make_unique<HttpServer>(loop.executor(), [this](ServerRequest) { return nothing(); });
  ASSERT_TRUE(first->listen_unix(path, 0600, kSameGroup));
  std::filesystem::rename(path, path + ".moved");
  ASSERT_TRUE(server.listen_unix(path, 0600, kSameGroup));
  first.reset();
  EXPECT_TRUE(connect_raw(path));
  const std::string other = folder.path() / "other.sock";
  {
    HttpServer gone(loop.executor(), [this](ServerRequest) { return nothing(); });
    ASSERT_TRUE(gone.listen_unix(other, 0600, kSameGroup));
  }
  EXPECT_FALSE(std::filesystem::exists(other));
}

TEST_F(ListenTest, TakesAPassedSocket) {
  auto passed = listen_at_address("127.0.0.1", 0);
  const std::uint16_t port = local_address(passed->get()).port();
  ASSERT_TRUE(server.listen_on(std::move(*passed)));
  EXPECT_TRUE(connect_raw(port));
  EXPECT_EQ(server.listen_on(Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC))).error().code, Errc::usage);
  EXPECT_EQ(server.listen_on(Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))).error().code, Errc::usage);
}

TEST_F(ListenTest, LeavesWhoConnectsToWhomeverElseHasTheSocket) {
  auto passed = listen_at_address("127.0.0.1", 0);
  const std::uint16_t port = local_address(passed->get()).port();
  const Fd kept(::fcntl(passed->get(), F_DUPFD_CLOEXEC, 0));
  auto first = std::make_unique<HttpServer>(loop.executor(), [this](ServerRequest) { return nothing(); });
  ASSERT_TRUE(first->listen_on(std::move(*passed)));
  first->stop_listening();
  const Fd client = connect_raw(port);
  EXPECT_TRUE(client);
  first.reset();
  Fd waiting(::accept4(kept.get(), nullptr, nullptr, SOCK_CLOEXEC));
  EXPECT_TRUE(waiting) << "it waits for the next one";
}

TEST_F(ListenTest, SaysWhenAnAddressIsTaken) {
  ASSERT_TRUE(server.listen_tcp("::1", 0));
  EXPECT_EQ(server.listen_tcp("::1", server.tcp_port()).error().code, Errc::conflict);
  EXPECT_EQ(server.listen_tcp("localhost", 0).error().code, Errc::usage);
}

}  // namespace
}  // namespace berth::io
