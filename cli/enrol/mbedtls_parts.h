#pragma once

#include <string>
#include <string_view>

#include <fmt/core.h>
#include <mbedtls/md.h>
#include <mbedtls/oid.h>
#include <mbedtls/x509_crt.h>
#include <mbedtls/x509_csr.h>

#include "core/io/certificates.h"
#include "core/result.h"

namespace berth::cli::enrol {

inline constexpr std::size_t kMostDer = 64u << 10;

/// A length that mbedTLS wants with its object identifiers.
template <std::size_t Size>
constexpr std::string_view oid(const char (&text)[Size]) {
  return {text, Size - 1};
}

/// Fails where mbedTLS did.
inline Result<void> done(int code, std::string_view doing) {
  if (code >= 0) return {};
  return fail(Errc::internal, fmt::format("{}: {}", doing, io::tls_error(code)));
}

inline const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

}  // namespace berth::cli::enrol
