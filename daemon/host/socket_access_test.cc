#include "daemon/host/socket_access.h"

#include <thread>

#include <grp.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/files/files.h"
#include "core/io/listen.h"
#include "core/io/raw_peer.h"

namespace berth::host {
namespace {

constexpr uid_t kSomebody = 60'001;
constexpr gid_t kOwners = 60'002, kLookers = 60'003, kRunners = 60'004, kOthers = 60'005;

class SocketAccessTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::getuid() != 0) GTEST_SKIP() << "only root can be others";
    ASSERT_EQ(::chmod(folder.path().c_str(), 0755), 0);
    path = folder.path() / "api.sock";
    auto listening = io::listen_at_path(path, 0660, kOwners);
    ASSERT_TRUE(listening) << listening.error().message;
    listener = std::move(*listening);
  }
  /// Whether somebody in those groups, the first of them his own, gets a connection. What a thread is, is its own by the calls of the kernel.
  bool connects(std::vector<gid_t> groups) {
    bool connected = false;
    std::thread([&] {
      const gid_t own = groups.front();
      ASSERT_EQ(::syscall(SYS_setgroups, groups.size() - 1, groups.data() + 1), 0);
      ASSERT_EQ(::syscall(SYS_setresgid, own, own, own), 0);
      ASSERT_EQ(::syscall(SYS_setresuid, kSomebody, kSomebody, kSomebody), 0);
      connected = static_cast<bool>(io::connect_raw(path));
    }).join();
    return connected;
  }

  files::TemporaryDirectory folder;
  std::string path;
  io::UnixListener listener;
};

TEST_F(SocketAccessTest, LetsTheNamedGroupsConnectAndNobodyElse) {
  ASSERT_TRUE(share_socket(path, true, {kRunners, kLookers, kLookers}));
  for (const gid_t group : {kOwners, kLookers, kRunners}) {
    EXPECT_TRUE(connects({group})) << group;
    EXPECT_TRUE(connects({kOthers, group})) << group;
  }
  EXPECT_FALSE(connects({kOthers}));
  EXPECT_FALSE(connects({kSomebody, kOthers}));
  EXPECT_FALSE(connects({0})) << "the group of root is none of them";
}

TEST_F(SocketAccessTest, TheGroupThatItBelongsToIsNoneUnlessItIsSaid) {
  ASSERT_TRUE(share_socket(path, false, {kLookers}));
  EXPECT_FALSE(connects({kOwners}));
  EXPECT_TRUE(connects({kLookers}));
}

TEST_F(SocketAccessTest, TakesWhatItGaveAwayAgain) {
  ASSERT_TRUE(share_socket(path, true, {kLookers}));
  ASSERT_TRUE(share_socket(path, true, {kRunners}));
  EXPECT_FALSE(connects({kLookers}));
  EXPECT_TRUE(connects({kRunners}));
  ASSERT_TRUE(share_socket(path, true, {}));
  EXPECT_FALSE(connects({kRunners}));
  EXPECT_TRUE(connects({kOwners}));
  ASSERT_TRUE(share_socket(path, false, {}));
  EXPECT_FALSE(connects({kOwners}));
  struct stat status{};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600u);
}

TEST_F(SocketAccessTest, SaysWhatIsWrong) {
  const auto missing = share_socket(folder.path() / "none", true, {kLookers});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Errc::not_found);
}

}  // namespace
}  // namespace berth::host
