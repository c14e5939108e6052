#include "core/crypto/secret.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace berth::crypto {
namespace {

const std::string kShort = "hunter2";  // lies within the string itself, so that moving it copies it
const std::string kLong(100, 'x');

bool is_zero(const char* bytes, std::size_t size) {
  return std::all_of(bytes, bytes + size, [](char c) { return c == '\0'; });
}

TEST(Secret, IsOverwrittenWhereItLay) {
  for (const std::string& text : {kShort, kLong}) {
    std::string secret = text;
    wipe(secret);
    EXPECT_TRUE(is_zero(secret.data(), text.size())) << text;
  }
}

TEST(Secret, LeavesNothingInTheStringItWasMadeOf) {
  std::string text = kShort;
  const Secret secret(std::move(text));
  EXPECT_EQ(secret.view(), kShort);
  EXPECT_TRUE(is_zero(text.data(), kShort.size()));
}

TEST(Secret, LeavesNothingWhereItMovesFrom) {
  for (const std::string& text : {kShort, kLong}) {
    Secret from{std::string(text)};
    Secret to(std::move(from));
    EXPECT_EQ(to.view(), text);
    EXPECT_TRUE(from.view().empty());
    Secret over{std::string(kLong)};
    over = std::move(to);
    EXPECT_EQ(over.view(), text);
    EXPECT_TRUE(to.view().empty());
  }
}

}  // namespace
}  // namespace berth::crypto
