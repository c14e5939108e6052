#include "daemon/fetch/channel_floor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/files/files.h"

namespace berth::fetch {
namespace {

using testing::AllOf;
using testing::HasSubstr;

bundle::Channel stable(const std::string& release, std::int64_t serial) {
  return {.app = "web", .environment = "production", .channel = "stable", .release = release, .serial = serial};
}

class ChannelFloorTest : public testing::Test {
 protected:
  ChannelFloor floor() const { return ChannelFloor(folder.path() / "tuf"); }  // each as after a restart
  std::filesystem::path file() const { return folder.path() / "tuf/channels/web.production.stable.json"; }

  files::TemporaryDirectory folder;
};

TEST_F(ChannelFloorTest, RisesAndIsRemembered) {
  EXPECT_FALSE(floor().last("web", "production", "stable").value());
  ASSERT_TRUE(floor().take(stable("v1", 1)));
  ASSERT_TRUE(floor().take(stable("v1", 1))) << "it is that one still";
  ASSERT_TRUE(floor().take(stable("v3", 7)));
  ASSERT_TRUE(floor().take(stable("v2", 8))) << "back to an older release, by a move of its own";
  EXPECT_EQ(floor().last("web", "production", "stable").value(), stable("v2", 8));
  EXPECT_EQ(files::read(file(), 4096).value(), bundle::to_canonical_json(stable("v2", 8)));
}

TEST_F(ChannelFloorTest, NeverFalls) {
  ASSERT_TRUE(floor().take(stable("v2", 5)));
  const auto replayed = floor().take(stable("v1", 4));
  ASSERT_FALSE(replayed);
  EXPECT_EQ(replayed.error().code, Errc::trust);
  EXPECT_THAT(replayed.error().message, AllOf(HasSubstr("channel stable of web/production"), HasSubstr("serial is 4 (v1)"), HasSubstr("seen 5 (v2)"),
                                              HasSubstr("never falls")));
  EXPECT_EQ(floor().last("web", "production", "stable").value(), stable("v2", 5));
}

TEST_F(ChannelFloorTest, OneSerialSaysOneThing) {
  ASSERT_TRUE(floor().take(stable("v2", 5)));
  const auto other = floor().take(stable("v9", 5));
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Errc::trust);
  EXPECT_THAT(other.error().message, AllOf(HasSubstr("5: v9 now, and v2"), HasSubstr("stable")));
}

TEST_F(ChannelFloorTest, IsOneForEachChannel) {
  ASSERT_TRUE(floor().take(stable("v2", 5)));
  bundle::Channel canary = stable("v3", 1), api = stable("v1", 2), qa = stable("v1", 3);
  canary.channel = "canary";
  api.app = "api";
  qa.environment = "qa";
  for (const bundle::Channel& other : {canary, api, qa}) {
    EXPECT_TRUE(floor().take(other));
    EXPECT_EQ(floor().last(other.app, other.environment, other.channel).value(), other);
  }
  EXPECT_EQ(floor().last("web", "production", "stable").value(), stable("v2", 5));
}

TEST_F(ChannelFloorTest, WhatCannotBeMadeOutLetsNothingIn) {
  ASSERT_TRUE(floor().take(stable("v2", 5)));
  bundle::Channel canary = stable("v3", 1);
  canary.channel = "canary";
  for (const std::string& damage : {std::string("{}"), std::string(), std::string(5000, ' '), bundle::to_canonical_json(canary)}) {
    ASSERT_TRUE(files::replace(file(), damage));
    const auto taken = floor().take(stable("v3", 6));
    ASSERT_FALSE(taken) << damage;
    EXPECT_EQ(taken.error().code, Errc::trust);
    EXPECT_THAT(taken.error().message, AllOf(HasSubstr(file().string()), HasSubstr("cannot be made out")));
  }
}

}  // namespace
}  // namespace berth::fetch
