#include "daemon/ship/webhook/signature.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace berth::ship {
namespace {

using testing::HasSubstr;
using testing::Not;

/// The example that the implementations of Standard Webhooks have in common.
constexpr std::string_view kExampleSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", kExampleId = "msg_p5jXN8AQM9LWM0D4loKWxJek", kExampleBody = R"({"test": 2432232314})";

TEST(WebhookSignature, IsThatOfTheSpecification) {
  const auto key = signing_key(kExampleSecret);
  ASSERT_TRUE(key) << key.error().message;
  EXPECT_EQ(webhook_signature(*key, kExampleId, 1614265330, kExampleBody), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
  EXPECT_NE(webhook_signature(*key, kExampleId, 1614265331, kExampleBody), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

TEST(WebhookSignature, AnyOtherTextIsAKeyAsItIs) {
  EXPECT_EQ(signing_key("s3cret")->view(), "s3cret");
  EXPECT_EQ(signing_key(kExampleSecret.substr(6))->view(), kExampleSecret.substr(6)) << "base64 without its prefix is a text";
}

TEST(WebhookSignature, ASecretThatIsNoneIsRefusedWithoutBeingShown) {
  EXPECT_FALSE(signing_key(""));
  EXPECT_FALSE(signing_key("whsec_"));
  const auto wrong = signing_key("whsec_not*base64");
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().message, HasSubstr("behind its 'whsec_' is no base64"));
  EXPECT_THAT(wrong.error().message, Not(HasSubstr("not*")));
}

}  // namespace
}  // namespace berth::ship
