#include "core/io/certificates.h"

#include <cstring>

#include <fmt/core.h>
#include <mbedtls/error.h>
#include <mbedtls/oid.h>
#include <mbedtls/x509.h>
#include <netinet/in.h>

#include "core/io/ip_address.h"

namespace berth::io {
namespace {

constexpr int kIpAddressTag = MBEDTLS_ASN1_CONTEXT_SPECIFIC | 7;  // RFC 5280, 4.2.1.6

/// The bytes of an address as a certificate has them.
std::string address_bytes(const IpAddress& address) {
  if (address.family() == AF_INET) {
    const auto& bytes = reinterpret_cast<const sockaddr_in*>(&address.name)->sin_addr;
    return {reinterpret_cast<const char*>(&bytes), sizeof bytes};
  }
  const auto& bytes = reinterpret_cast<const sockaddr_in6*>(&address.name)->sin6_addr;
  return {reinterpret_cast<const char*>(&bytes), sizeof bytes};
}

}  // namespace

std::string tls_error(int code) {
  char text[200];
  mbedtls_strerror(code, text, sizeof text);
  return text;
}

Result<void> Certificates::load(const std::string& file) {
  const int failed = mbedtls_x509_crt_parse_file(&chain_, file.c_str());
  // Never `not_found`: the caller would take it for an answer of the server.
  if (failed < 0) return fail(Errc::usage, fmt::format("{}: no certificate can be read from it: {}", file, tls_error(failed)));
  return {};
}

Result<void> PrivateKey::load(const std::string& file) {
  const int failed = mbedtls_pk_parse_keyfile(&key_, file.c_str(), nullptr);
  if (failed != 0) return fail(Errc::usage, fmt::format("{}: no private key can be read from it: {}", file, tls_error(failed)));
  return {};
}

std::string certificate_flaws(std::uint32_t flaws, std::string_view host) {
  std::string why;
  if ((flaws & MBEDTLS_X509_BADCERT_NOT_TRUSTED) != 0) why += "; it is of no authority that is trusted here";
  if ((flaws & MBEDTLS_X509_BADCERT_CN_MISMATCH) != 0) why += fmt::format("; it is not for {}", host);
  if ((flaws & MBEDTLS_X509_BADCERT_EXPIRED) != 0) why += "; it expired, or the clock here is wrong";
  if ((flaws & MBEDTLS_X509_BADCERT_FUTURE) != 0) why += "; it is not valid yet, or the clock here is wrong";
  if (!why.empty()) return why;
  char text[500] = {};
  mbedtls_x509_crt_verify_info(text, sizeof text - 1, "; ", flaws);
  for (char* c = text; *c != '\0'; ++c)
    if (*c == '\n') *c = ' ';
  return text;
}

bool may_name(const mbedtls_x509_crt& certificate, const std::string& host) {
  if ((certificate.ext_types & MBEDTLS_X509_EXT_SUBJECT_ALT_NAME) == 0) return false;
  const auto address = ip_address(host, 0);
  if (!address) return true;
  const std::string wanted = address_bytes(*address);
  for (const mbedtls_x509_sequence* each = &certificate.subject_alt_names; each != nullptr; each = each->next) {
    const mbedtls_x509_buf& name = each->buf;
    if (name.tag == kIpAddressTag && name.len == wanted.size() && std::memcmp(name.p, wanted.data(), wanted.size()) == 0) return true;
  }
  return false;
}

}  // namespace berth::io
