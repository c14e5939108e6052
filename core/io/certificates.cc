#include "core/io/certificates.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <iterator>
#include <utility>

#include <fmt/core.h>
#include <mbedtls/error.h>
#include <mbedtls/oid.h>
#include <mbedtls/x509.h>
#include <netinet/in.h>
#include <unistd.h>

#include "core/io/ip_address.h"

namespace berth::io {
namespace {

constexpr int kIpAddressTag = MBEDTLS_ASN1_CONTEXT_SPECIFIC | 7;  // RFC 5280, 4.2.1.6

constexpr std::size_t kLongestName = 1000;

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

namespace {

/// Why nothing was read from a file of certificates or a key: mbedTLS does not tell why it cannot be opened, and its words for a kind that it does not know help nobody.
std::string why_not_read(const std::string& file, int code) {
  if (::access(file.c_str(), R_OK) != 0) return std::strerror(errno);
  // An error may have two parts: X.509 puts its own before that of the identifier or the key in it.
  const int low = -(-code & 0x7F), high = -(-code & ~0x7F);
  if (low == MBEDTLS_ERR_OID_NOT_FOUND || high == MBEDTLS_ERR_PK_UNKNOWN_PK_ALG)
    return "it is of a kind that is not understood here, such as Ed25519: make it with ECDSA (P-256, P-384) or RSA";
  return tls_error(code);
}

}  // namespace

Result<void> Certificates::load(const std::string& file, bool all) {
  const int failed = mbedtls_x509_crt_parse_file(&chain_, file.c_str());
  // Never `not_found`: the caller would take it for an answer of the server.
  if (failed < 0) return fail(Errc::usage, fmt::format("{}: no certificate can be read from it: {}", file, why_not_read(file, failed)));
  if (all && failed > 0) {
    return fail(Errc::usage, fmt::format("{}: {} of the certificates in it cannot be read (Ed25519?): take them out of the file, or make them with ECDSA or RSA", file, failed));
  }
  return {};
}

Result<void> PrivateKey::load(const std::string& file) {
  const int failed = mbedtls_pk_parse_keyfile(&key_, file.c_str(), nullptr);
  if (failed != 0) return fail(Errc::usage, fmt::format("{}: no private key can be read from it: {}", file, why_not_read(file, failed)));
  return {};
}

std::chrono::system_clock::time_point time_of(const mbedtls_x509_time& time) {
  std::tm parts{};
  parts.tm_year = time.year - 1900;
  parts.tm_mon = time.mon - 1;
  parts.tm_mday = time.day;
  parts.tm_hour = time.hour;
  parts.tm_min = time.min;
  parts.tm_sec = time.sec;
  return std::chrono::system_clock::from_time_t(::timegm(&parts));
}

VerifiedNames names_of(const mbedtls_x509_crt& certificate) {
  VerifiedNames names;
  names.until = time_of(certificate.valid_to);
  if ((certificate.ext_types & MBEDTLS_X509_EXT_SUBJECT_ALT_NAME) == 0) return names;
  for (const mbedtls_x509_sequence* each = &certificate.subject_alt_names; each != nullptr; each = each->next) {
    std::string name(reinterpret_cast<const char*>(each->buf.p), each->buf.len);
    // A name is shown, compared and written down: one with anything else in it is nobody's.
    if (name.empty() || name.size() > kLongestName || !std::ranges::all_of(name, [](char c) { return c > ' ' && c < '\x7f'; })) continue;
    if (each->buf.tag == (MBEDTLS_ASN1_CONTEXT_SPECIFIC | MBEDTLS_X509_SAN_DNS_NAME)) names.dns.push_back(std::move(name));
    else if (each->buf.tag == (MBEDTLS_ASN1_CONTEXT_SPECIFIC | MBEDTLS_X509_SAN_UNIFORM_RESOURCE_IDENTIFIER)) names.uris.push_back(std::move(name));
    else if (each->buf.tag == (MBEDTLS_ASN1_CONTEXT_SPECIFIC | MBEDTLS_X509_SAN_RFC822_NAME)) names.emails.push_back(std::move(name));
  }
  return names;
}

std::string who_is(const mbedtls_x509_crt& certificate) {
  const VerifiedNames names = names_of(certificate);
  std::string text;
  for (const auto* some : {&names.dns, &names.uris, &names.emails})
    for (const std::string& name : *some) text += (text.empty() ? "" : ", ") + name;
  char subject[512] = {};
  if (text.empty() && mbedtls_x509_dn_gets(subject, sizeof subject, &certificate.subject) > 0) text = subject;
  text += ", serial number ";
  for (std::size_t i = 0; i < certificate.serial.len; ++i) text += fmt::format("{:02x}", certificate.serial.p[i]);
  return text;
}

std::string tls_alert_text(int alert) {
  // RFC 5246, 7.2, RFC 6066, 9, and RFC 8446, 6.
  constexpr std::pair<int, std::string_view> kAlerts[] = {
      {10, "unexpected message"}, {20, "bad record MAC"},       {40, "handshake failure"}, {42, "bad certificate"}, {43, "unsupported certificate"},
      {44, "certificate revoked"}, {45, "certificate expired"}, {46, "certificate unknown"}, {47, "illegal parameter"}, {48, "unknown CA"},
      {49, "access denied"},      {50, "decode error"},         {51, "decrypt error"},     {70, "protocol version"}, {71, "insufficient security"},
      {80, "internal error"},     {90, "user canceled"},        {112, "unrecognized name"}, {116, "certificate required"}};
  const auto* known = std::ranges::find(kAlerts, alert, &std::pair<int, std::string_view>::first);
  return known == std::end(kAlerts) ? fmt::format("alert {}", alert) : fmt::format("alert {} ({})", alert, known->second);
}

std::string certificate_flaws(std::uint32_t flaws, std::string_view host, std::string_view ca_name) {
  std::string why;
  if ((flaws & MBEDTLS_X509_BADCERT_NOT_TRUSTED) != 0)
    why += "; it is of no authority that is trusted here" + (ca_name.empty() ? "" : fmt::format(": {} says which are", ca_name));
  if ((flaws & MBEDTLS_X509_BADCERT_CN_MISMATCH) != 0) why += fmt::format("; it is not for {}: ask by a name that it is for", host);
  if ((flaws & MBEDTLS_X509_BADCERT_EXPIRED) != 0) why += "; it expired, and its owner needs a new one, or the clock here is wrong";
  if ((flaws & MBEDTLS_X509_BADCERT_FUTURE) != 0) why += "; it is not valid yet, or the clock here is wrong";
  if ((flaws & MBEDTLS_X509_BADCERT_REVOKED) != 0) why += "; its authority has revoked it";
  if ((flaws & MBEDTLS_X509_BADCRL_EXPIRED) != 0) why += "; the list of what its authority revoked has ended (client_crl_file): a new one is needed";
  if ((flaws & (MBEDTLS_X509_BADCRL_NOT_TRUSTED | MBEDTLS_X509_BADCRL_FUTURE)) != 0) why += "; there is no list that tells whether its authority revoked it (client_crl_file): berth status says why";
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
