#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <mbedtls/x509_crl.h>

#include "core/io/certificates.h"

namespace berth::io {

/// What authorities took back: the certificate revocation lists (RFC 5280) of a file. Every authority has to have one that it signed and that counts now; while
/// one has not, nobody is believed.
class Revocations {
 public:
  using Clock = std::chrono::system_clock;

  /// Reads the lists, PEM or DER, of these authorities. What is wrong with them is a `problem`.
  Revocations(std::string file, const mbedtls_x509_crt& authorities);
  ~Revocations() { mbedtls_x509_crl_free(&all_); }
  Revocations(const Revocations&) = delete;
  Revocations& operator=(const Revocations&) = delete;

  /// Why nobody is believed at that time, and what to do about it; empty: the lists count.
  std::string problem(Clock::time_point now) const;

  /// What is wrong with a certificate of a chain that ends in one of the authorities, as mbedTLS says it (MBEDTLS_X509_BADCERT_REVOKED); 0: nothing.
  std::uint32_t flaws_of(const mbedtls_x509_crt& certificate, Clock::time_point now) const;

  /// Since when and until when the list counts that ends first; nothing where there is a `problem` at any time.
  std::optional<std::pair<Clock::time_point, Clock::time_point>> counts() const;

  /// Whether they were read of the same file with the same content.
  bool same_as(const Revocations& other) const { return file_ == other.file_ && content_ == other.content_; }

 private:
  struct Pair {
    const mbedtls_x509_crt* authority;
    const mbedtls_x509_crl* list;  ///< its newest
  };
  std::string read();
  std::string find_list_of(const mbedtls_x509_crt& authority);

  std::string file_, content_;
  Certificates authorities_;  ///< a copy, since a handshake may be computed by those that were given
  mbedtls_x509_crl all_;
  std::vector<Pair> lists_;
  std::string wrong_;  ///< whatever the time is
};

}  // namespace berth::io
