#pragma once

#include <string_view>

#include <mbedtls/pk.h>

namespace berth::crypto {

/// Bounds of RSA keys: shorter ones are weak, longer ones take a verifier's time.
inline constexpr std::size_t kFewestRsaBits = 2048;
inline constexpr std::size_t kMostRsaBits = 8192;

/// RFC 8410: the object identifier of Ed25519, which mbedTLS does not know, as a whole AlgorithmIdentifier in DER.
inline constexpr std::string_view kEd25519Algorithm("\x30\x05\x06\x03\x2b\x65\x70", 7);

inline const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }
inline unsigned char* bytes_of(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

/// A key as mbedTLS holds it, freed at the end of scope.
class PkContext {
 public:
  PkContext() { mbedtls_pk_init(&context_); }
  ~PkContext() { mbedtls_pk_free(&context_); }
  PkContext(const PkContext&) = delete;
  PkContext& operator=(const PkContext&) = delete;
  mbedtls_pk_context* get() { return &context_; }

 private:
  mbedtls_pk_context context_;
};

}  // namespace berth::crypto
