#include "daemon/keeper/notice.h"

#include <string>

#include <gtest/gtest.h>

namespace berth::keeper {
namespace {

struct Heard {
  Notice notice;
  bool take(const std::string& text) { return take_notice(text.data(), text.size(), &notice); }
};

TEST(KeeperNotice, IsReadyUntilItReloadsAndWhenItHas) {
  Heard heard;
  EXPECT_TRUE(heard.take("READY=1"));
  EXPECT_TRUE(heard.notice.ready);
  EXPECT_FALSE(heard.take("READY=1\n")) << "nothing new";
  EXPECT_TRUE(heard.take("RELOADING=1\nMONOTONIC_USEC=12"));
  EXPECT_TRUE(heard.notice.reloading);
  EXPECT_TRUE(heard.take("STATUS=done\nREADY=1"));
  EXPECT_FALSE(heard.notice.reloading);
  EXPECT_STREQ(heard.notice.status, "done");
  EXPECT_TRUE(heard.take("STOPPING=1"));
  EXPECT_TRUE(heard.notice.stopping);
}

TEST(KeeperNotice, TellsWhatIsOfOneMessageOnly) {
  Heard heard;
  EXPECT_FALSE(heard.take("WATCHDOG=1")) << "berthd need not hear of it";
  EXPECT_TRUE(heard.notice.alive);
  EXPECT_TRUE(heard.take("EXTEND_TIMEOUT_USEC=1500001"));
  EXPECT_FALSE(heard.notice.alive);
  EXPECT_EQ(heard.notice.extend_ms, 1501);
  EXPECT_FALSE(heard.take("WATCHDOG_USEC=2000000\nWATCHDOG=trigger"));
  EXPECT_EQ(heard.notice.watchdog_ms, 2000);
  EXPECT_TRUE(heard.notice.triggered);
  EXPECT_EQ(heard.notice.extend_ms, 0);
}

TEST(KeeperNotice, PassesOverWhatItDoesNotKnow) {
  Heard heard;
  for (const char* text : {"", "\n", "READY=0", "READY=10", "ready=1", "READY", "MAINPID=1", "FDSTORE=1", "ERRNO=2", "BARRIER=1", "EXTEND_TIMEOUT_USEC=", "EXTEND_TIMEOUT_USEC=-5",
                           "EXTEND_TIMEOUT_USEC=1x", "EXTEND_TIMEOUT_USEC=99999999999999999999999999", "X"})
    EXPECT_FALSE(heard.take(text)) << text;
  EXPECT_FALSE(heard.notice.ready);
  EXPECT_FALSE(heard.take(std::string("READY=1\0", 8))) << "a NUL is no end of a line";
}

TEST(KeeperNotice, BoundsWhatItKeeps) {
  Heard heard;
  EXPECT_TRUE(heard.take("STATUS=a\tb" + std::string(1000, 'x')));
  EXPECT_EQ(std::string(heard.notice.status), "a b" + std::string(196, 'x'));
  EXPECT_TRUE(heard.take("STATUS="));
  EXPECT_STREQ(heard.notice.status, "");
  EXPECT_TRUE(heard.take("EXTEND_TIMEOUT_USEC=500000000000000000"));
  EXPECT_EQ(heard.notice.extend_ms, 24 * 3600 * 1000);
}

}  // namespace
}  // namespace berth::keeper
