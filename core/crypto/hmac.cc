#include "core/crypto/hmac.h"

#include <cstdint>

#include <mbedtls/platform_util.h>
#include <nettle/hmac.h>

namespace berth::crypto {

std::string hmac_sha256(std::string_view key, std::string_view message) {
  const auto bytes = [](std::string_view text) { return reinterpret_cast<const std::uint8_t*>(text.data()); };
  hmac_sha256_ctx state;
  hmac_sha256_set_key(&state, key.size(), bytes(key));
  hmac_sha256_update(&state, message.size(), bytes(message));
  std::string code(SHA256_DIGEST_SIZE, '\0');
  hmac_sha256_digest(&state, code.size(), reinterpret_cast<std::uint8_t*>(code.data()));
  mbedtls_platform_zeroize(&state, sizeof state);
  return code;
}

}  // namespace berth::crypto
