#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <nettle/sha2.h>

#include "core/result.h"

namespace berth::crypto {

/// SHA-256 over bytes that come in pieces (nettle, which uses SHA-NI).
class Sha256 {
 public:
  Sha256() { sha256_init(&state_); }
  void update(std::string_view bytes) { sha256_update(&state_, bytes.size(), reinterpret_cast<const std::uint8_t*>(bytes.data())); }
  /// The digest in hex; the object starts anew.
  std::string hex();

 private:
  sha256_ctx state_;
};

std::string sha256_hex(std::string_view bytes);
std::string sha512_hex(std::string_view bytes);

std::string to_hex(std::span<const std::uint8_t> bytes);
std::string to_hex(std::string_view bytes);
/// Fails with `Errc::protocol` on odd length or other characters; upper case is accepted.
Result<std::string> from_hex(std::string_view text);

/// Compares in a time that does not depend on the content.
bool equal_constant_time(std::string_view a, std::string_view b);

/// `size` bytes of the kernel's randomness.
std::string random_bytes(std::size_t size);

}  // namespace berth::crypto
