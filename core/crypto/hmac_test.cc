#include "core/crypto/hmac.h"

#include <gtest/gtest.h>

#include "core/crypto/base64.h"
#include "core/crypto/sha256.h"

namespace berth::crypto {
namespace {

TEST(Hmac, IsAsTheTestVectorsHaveIt) {  // RFC 4231
  EXPECT_EQ(to_hex(hmac_sha256("Jefe", "what do ya want for nothing?")), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(to_hex(hmac_sha256(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(Base64, IsReadBack) {  // RFC 4648, 10
  const std::pair<std::string, std::string> pairs[] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {std::string("\0\xff", 2), "AP8="}};
  for (const auto& [bytes, text] : pairs) {
    EXPECT_EQ(to_base64(bytes), text);
    EXPECT_EQ(from_base64(text).value(), bytes);
  }
}

TEST(Base64, WhatIsNoneIsRefused) {
  for (const char* text : {"Z", "Zg", "Zg=", "Zm9v!", "Zm9v\nZm9v", " Zm9v", "Zg==Zg==", "-_-_"}) EXPECT_FALSE(from_base64(text)) << text;
}

}  // namespace
}  // namespace berth::crypto
