#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>

#include "core/io/http.h"
#include "core/result.h"

namespace berth::io {

/// A chain or store of certificates.
class Certificates {
 public:
  Certificates() { mbedtls_x509_crt_init(&chain_); }
  ~Certificates() { mbedtls_x509_crt_free(&chain_); }
  Certificates(const Certificates&) = delete;
  Certificates& operator=(const Certificates&) = delete;

  /// Adds those of a PEM file; ones that mbedTLS cannot read (Ed25519) are left out, but one there must be. Where `all` have to be read, such a one is an error.
  Result<void> load(const std::string& file, bool all = false);
  mbedtls_x509_crt* get() { return &chain_; }
  const mbedtls_x509_crt* get() const { return &chain_; }

 private:
  mbedtls_x509_crt chain_;
};

/// A private key.
class PrivateKey {
 public:
  PrivateKey() { mbedtls_pk_init(&key_); }
  ~PrivateKey() { mbedtls_pk_free(&key_); }
  PrivateKey(const PrivateKey&) = delete;
  PrivateKey& operator=(const PrivateKey&) = delete;

  Result<void> load(const std::string& file);
  mbedtls_pk_context* get() { return &key_; }

 private:
  mbedtls_pk_context key_;
};

/// Whether the certificate names `host` among its subject alternative names: a DNS name (mbedTLS compares it) needs that there are any, a numeric
/// address stands there itself. Common names do not count (RFC 6125, 6.4.4).
bool may_name(const mbedtls_x509_crt& certificate, const std::string& host);

/// The moment, which certificates tell in UTC.
std::chrono::system_clock::time_point time_of(const mbedtls_x509_time& time);

/// The names that a certificate is for. Common names and addresses are none.
VerifiedNames names_of(const mbedtls_x509_crt& certificate);

/// Whose certificate it is, for people: its names, or its subject where it has none, and its serial number.
std::string who_is(const mbedtls_x509_crt& certificate);

/// Why a certificate is refused, each reason behind a "; ", by what mbedTLS found wrong with it. `host` is whom it should be for, and `ca_name` what says which CAs
/// are trusted; empty where whoever reads it cannot say that.
std::string certificate_flaws(std::uint32_t flaws, std::string_view host, std::string_view ca_name = {});

/// "alert 48 (unknown CA)".
std::string tls_alert_text(int alert);

/// What mbedTLS calls an error.
std::string tls_error(int code);

}  // namespace berth::io
