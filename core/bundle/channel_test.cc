#include "core/bundle/channel.h"

#include <gtest/gtest.h>

namespace berth::bundle {
namespace {

constexpr const char* kText = R"({"app":"web","channel":"stable","environment":"production","format":1,"release":"v42","serial":7})";

TEST(Channel, ReadsWhatItWrites) {
  const Channel channel{.app = "web", .environment = "production", .channel = "stable", .release = "v42", .serial = 7};
  EXPECT_EQ(to_canonical_json(channel), kText);
  EXPECT_EQ(parse_channel(kText).value(), channel);
}

TEST(Channel, RefusesWhatIsNotCanonicalOrComplete) {
  const char* table[] = {
      "",
      "{}",
      R"({"app":"web","channel":"stable","environment":"production","format":1,"release":"v42"})",
      R"({"app":"web","channel":"stable","environment":"production","format":1,"release":"v42","serial":0})",
      R"({"app":"web","channel":"stable","environment":"production","format":2,"release":"v42","serial":7})",
      R"({"app":"web","channel":"stable","environment":"production","format":1,"more":1,"release":"v42","serial":7})",
      R"({"app":"Web","channel":"stable","environment":"production","format":1,"release":"v42","serial":7})",
      R"({"app":"web","channel":"stable","environment":"production","format":1,"release":"../v42","serial":7})",
      R"({"channel":"stable","app":"web","environment":"production","format":1,"release":"v42","serial":7})",
      R"({"app":"web","channel":"stable","environment":"production","format":1,"release":"v42","serial":7} )",
  };
  for (const char* text : table) {
    const auto read = parse_channel(text);
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().code, Errc::trust) << text;
  }
  EXPECT_FALSE(parse_channel(std::string(kText) + std::string(kLargestChannel, ' ')));
}

TEST(Channel, IsATargetOfItsOwnShape) {
  EXPECT_EQ(channel_target("web", "production", "stable"), "web/production/channels/stable.json");
  EXPECT_EQ(channel_of("web/production/channels/stable.json"), (Channel{.app = "web", .environment = "production", .channel = "stable"}));
  for (const char* other : {"", "web/production/v1.json", "web/channels/stable.json", "web/production/channels/stable", "web/production/channels/.json",
                            "web/production/channel/stable.json", "a/web/production/channels/stable.json", "web/production/channels/a/stable.json",
                            "Web/production/channels/stable.json", "web/production/channels/V1.json"})
    EXPECT_FALSE(channel_of(other)) << other;
}

}  // namespace
}  // namespace berth::bundle
