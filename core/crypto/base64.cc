#include "core/crypto/base64.h"

#include <algorithm>

#include <mbedtls/base64.h>

#include "core/crypto/pk_context.h"

namespace berth::crypto {

std::string to_base64(std::string_view bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');  // and the NUL that is written behind it
  std::size_t size = 0;
  mbedtls_base64_encode(reinterpret_cast<unsigned char*>(text.data()), text.size(), &size, bytes_of(bytes), bytes.size());
  text.resize(size);
  return text;
}

Result<std::string> from_base64(std::string_view text) {
  // mbedTLS passes over the ends of lines, spaces in front of them, and padding that is missing.
  if (text.size() % 4 != 0) return fail(Errc::protocol, "it is not whole base64, with its padding");
  if (std::ranges::any_of(text, [](char c) { return c == '\n' || c == '\r' || c == ' '; })) return fail(Errc::protocol, "it is not base64 in one line");
  std::string bytes(text.size() / 4 * 3 + 3, '\0');
  std::size_t size = 0;
  if (mbedtls_base64_decode(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(), &size, bytes_of(text), text.size()) != 0)
    return fail(Errc::protocol, "it is not base64");
  bytes.resize(size);
  return bytes;
}

}  // namespace berth::crypto
