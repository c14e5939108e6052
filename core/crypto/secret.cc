#include "core/crypto/secret.h"

#include <mbedtls/platform_util.h>

namespace berth::crypto {

/// Over the whole capacity: a short string that was moved from says that it is empty, but its characters are still there.
void wipe(std::string& secret) { mbedtls_platform_zeroize(secret.data(), secret.capacity()); }

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this == &other) return *this;
  wipe(bytes_);
  bytes_ = std::move(other.bytes_);
  wipe(other.bytes_);
  return *this;
}

}  // namespace berth::crypto
