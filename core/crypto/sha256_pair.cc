#include "core/crypto/sha256_pair.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "core/crypto/sha256.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

namespace berth::crypto {
namespace {

const std::uint8_t* octets_of(std::string_view bytes) { return reinterpret_cast<const std::uint8_t*>(bytes.data()); }

#if defined(__x86_64__)
constexpr int kLanes = 2;

/// FIPS 180-4, 4.2.2.
alignas(16) constexpr std::uint32_t kRoundConstants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
    0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
    0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
    0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
    0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
    0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

bool has_instructions() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & bit_SSSE3) == 0 || (c & bit_SSE4_1) == 0) return false;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (b & bit_SHA) != 0;
}

/// Compresses so many blocks of each lane into its state. A round has to wait for the one before; the other lane's goes on meanwhile.
__attribute__((target("sha,ssse3,sse4.1"))) void compress(std::uint32_t* const (&states)[kLanes], const std::uint8_t* const (&blocks)[kLanes],
                                                          std::size_t count) {
  const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);  // words are big endian
  __m128i abef[kLanes], cdgh[kLanes];  // the order that the instructions want
  for (int lane = 0; lane < kLanes; ++lane) {
    const auto* state = reinterpret_cast<const __m128i*>(states[lane]);
    const __m128i badc = _mm_shuffle_epi32(_mm_loadu_si128(state), 0xb1);
    const __m128i hgfe = _mm_shuffle_epi32(_mm_loadu_si128(state + 1), 0x1b);
    abef[lane] = _mm_alignr_epi8(badc, hgfe, 8);
    cdgh[lane] = _mm_blend_epi16(hgfe, badc, 0xf0);
  }
  for (std::size_t block = 0; block < count; ++block) {
    __m128i words[kLanes][4], abef_before[kLanes], cdgh_before[kLanes];
    for (int lane = 0; lane < kLanes; ++lane) {
      abef_before[lane] = abef[lane];
      cdgh_before[lane] = cdgh[lane];
      const auto* from = reinterpret_cast<const __m128i*>(blocks[lane] + block * SHA256_BLOCK_SIZE);
      for (int four = 0; four < 4; ++four) words[lane][four] = _mm_shuffle_epi8(_mm_loadu_si128(from + four), swap);
    }
#pragma GCC unroll 16
    for (int four = 0; four < 16; ++four) {
      const __m128i constants = _mm_load_si128(reinterpret_cast<const __m128i*>(kRoundConstants) + four);
#pragma GCC unroll 2
      for (int lane = 0; lane < kLanes; ++lane) {
        __m128i* const word = words[lane];
        const __m128i now = word[four & 3], last = word[(four + 3) & 3];
        const __m128i added = _mm_add_epi32(now, constants);
        cdgh[lane] = _mm_sha256rnds2_epu32(cdgh[lane], abef[lane], added);
        abef[lane] = _mm_sha256rnds2_epu32(abef[lane], cdgh[lane], _mm_shuffle_epi32(added, 0x0e));
        if (four >= 12) continue;  // the schedule has no more words
        const __m128i next = _mm_add_epi32(_mm_sha256msg1_epu32(now, word[(four + 1) & 3]), _mm_alignr_epi8(last, word[(four + 2) & 3], 4));
        word[four & 3] = _mm_sha256msg2_epu32(next, last);
      }
    }
    for (int lane = 0; lane < kLanes; ++lane) {
      abef[lane] = _mm_add_epi32(abef[lane], abef_before[lane]);
      cdgh[lane] = _mm_add_epi32(cdgh[lane], cdgh_before[lane]);
    }
  }
  for (int lane = 0; lane < kLanes; ++lane) {
    const __m128i feba = _mm_shuffle_epi32(abef[lane], 0x1b), dchg = _mm_shuffle_epi32(cdgh[lane], 0xb1);
    auto* state = reinterpret_cast<__m128i*>(states[lane]);
    _mm_storeu_si128(state, _mm_blend_epi16(feba, dchg, 0xf0));
    _mm_storeu_si128(state + 1, _mm_alignr_epi8(dchg, feba, 8));
  }
}
#endif

}  // namespace

Sha256Pair::Sha256Pair() {
  for (sha256_ctx& state : states_) sha256_init(&state);
}

void Sha256Pair::update(std::string_view first, std::string_view second) {
#if defined(__x86_64__)
  static const bool can = has_instructions();
  const std::size_t blocks = std::min(first.size(), second.size()) / SHA256_BLOCK_SIZE;
  if (can && blocks > 0 && states_[0].index == 0 && states_[1].index == 0) {
    compress({states_[0].state, states_[1].state}, {octets_of(first), octets_of(second)}, blocks);
    for (sha256_ctx& state : states_) state.count += blocks;
    first.remove_prefix(blocks * SHA256_BLOCK_SIZE);
    second.remove_prefix(blocks * SHA256_BLOCK_SIZE);
  }
#endif
  update_one(0, first);
  update_one(1, second);
}

void Sha256Pair::update_one(std::size_t lane, std::string_view bytes) { sha256_update(&states_[lane], bytes.size(), octets_of(bytes)); }

std::string Sha256Pair::hex(std::size_t lane) {
  std::array<std::uint8_t, SHA256_DIGEST_SIZE> digest;
  sha256_digest(&states_[lane], digest.size(), digest.data());
  return to_hex(digest);
}

}  // namespace berth::crypto
