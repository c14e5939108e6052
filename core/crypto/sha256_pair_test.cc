#include "core/crypto/sha256_pair.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "core/crypto/sha256.h"

namespace berth::crypto {
namespace {

TEST(Sha256Pair, GivesTheDigestsOfBothWhateverTheirLengthsAndPieces) {
  std::string bytes;
  for (int i = 0; i < 1000; ++i) bytes += static_cast<char>(i * i / 7);
  Sha256Pair pair;
  for (const std::size_t first : {0u, 1u, 63u, 64u, 65u, 128u, 640u, 1000u}) {
    for (const std::size_t second : {0u, 64u, 100u, 192u, 999u}) {
      for (const std::size_t piece : {10u, 64u, 100u, 256u, 2000u}) {
        const std::string_view one = std::string_view(bytes).substr(0, first), other = std::string_view(bytes).substr(1000 - second);
        for (std::size_t at = 0; at < 1000; at += piece)
          pair.update(one.substr(std::min(at, one.size()), piece), other.substr(std::min(at, other.size()), piece));
        EXPECT_EQ(pair.hex(0), sha256_hex(one)) << first << ' ' << second << ' ' << piece;
        EXPECT_EQ(pair.hex(1), sha256_hex(other)) << first << ' ' << second << ' ' << piece;
      }
    }
  }
}

TEST(Sha256Pair, OneStartsAnewWhileTheOtherGoesOn) {
  const std::string block(64, 'x');
  Sha256Pair pair;
  pair.update(block, block + block);
  EXPECT_EQ(pair.hex(0), sha256_hex(block));
  pair.update(block, block);
  pair.update_one(0, "y");
  EXPECT_EQ(pair.hex(0), sha256_hex(block + "y"));
  EXPECT_EQ(pair.hex(1), sha256_hex(block + block + block));
}

}  // namespace
}  // namespace berth::crypto
