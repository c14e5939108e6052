#include "daemon/route/table_owner.h"

#include <csignal>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/files/files.h"
#include "daemon/route/own_network.h"
#include "daemon/route/port_table.h"

namespace berth::route {
namespace {

class TableOwnerTest : public testing::Test {
 protected:
  OwnNetwork network;
  files::TemporaryDirectory folder;
};

TEST_F(TableOwnerTest, IsOneAtATimeInEachNetworkAndIsNamed) {
  const auto lock = files::open(folder.path() / "lock", O_RDWR | O_CREAT);
  ASSERT_TRUE(lock);
  EXPECT_FALSE(table_owner());
  auto held = hold_table(1);
  ASSERT_TRUE(held && *held);
  const auto owner = table_owner();
  ASSERT_TRUE(owner);
  EXPECT_EQ(owner->pid, ::getpid());
  EXPECT_EQ(owner->state, folder.path());
  const auto second = hold_table(2);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::conflict);
  EXPECT_NE(second.error().message.find(to_text(*owner)), std::string::npos) << second.error().message;
  {
    const OwnNetwork another;
    const auto there = hold_table(1);
    EXPECT_TRUE(there && *there) << "a network of its own has its own table";
  }
}

TEST_F(TableOwnerTest, GoesOnToTheNextOneWithItsDescriptor) {
  ASSERT_TRUE(hold_table(1));
  const auto next = hold_table(1);
  EXPECT_TRUE(next && *next);
}

TEST_F(TableOwnerTest, AnotherUsersProgramThatHasTheNameKeepsNobodyOut) {
  int told[2];
  ASSERT_EQ(::pipe(told), 0);
  const pid_t squatter = ::fork();
  if (squatter == 0) {
    if (::setresuid(65534, 65534, 65534) != 0) ::_exit(1);
    auto held = hold_table(1);
    const char done = held && *held ? '1' : '0';
    if (::write(told[1], &done, 1) != 1) ::_exit(2);
    ::pause();
  }
  char done = 0;
  ASSERT_EQ(::read(told[0], &done, 1), 1);
  ASSERT_EQ(done, '1');
  const auto held = hold_table(1);
  EXPECT_TRUE(held) << held.error().message;
  EXPECT_FALSE(table_owner());
  ::kill(squatter, SIGKILL);
  ::waitpid(squatter, nullptr, 0);
  ::close(told[0]);
  ::close(told[1]);
}

TEST_F(TableOwnerTest, AMarkStaysWithItsRunFolder) {
  const auto mark = table_mark(folder.path());
  ASSERT_TRUE(mark) << mark.error().message;
  EXPECT_TRUE(is_table_mark(*mark));
  EXPECT_EQ(table_mark(folder.path()).value(), *mark);
  const files::TemporaryDirectory another;
  EXPECT_NE(table_mark(another.path()).value(), *mark);
  ASSERT_TRUE(files::replace(table_mark_file(folder.path()), "torn"));
  EXPECT_TRUE(is_table_mark(table_mark(folder.path()).value())) << "one that is no mark is made anew";
}

}  // namespace
}  // namespace berth::route
