#include "core/io/revocations.h"

#include <algorithm>
#include <cstring>

#include <fmt/chrono.h>
#include <fmt/core.h>
#include <mbedtls/md.h>
#include <mbedtls/pk.h>

#include "core/files/files.h"
#include "core/io/certificates.h"

namespace berth::io {
namespace {

constexpr std::size_t kMostLists = 16u << 20;
constexpr std::string_view kNew = "put a new one in its place, as 'berth ca crl' writes it";

bool same(const mbedtls_x509_buf& one, const mbedtls_x509_buf& other) { return one.len == other.len && std::memcmp(one.p, other.p, one.len) == 0; }

std::string name_of(const mbedtls_x509_crt& authority) {
  char text[512] = {};
  return mbedtls_x509_dn_gets(text, sizeof text, &authority.subject) > 0 ? text : "an authority without a name";
}

std::string time_text(Revocations::Clock::time_point at) { return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", std::chrono::time_point_cast<std::chrono::seconds>(at)); }

/// Whether that authority signed the list, by a hash that counts.
bool is_signed_by(const mbedtls_x509_crt& authority, const mbedtls_x509_crl& list) {
  if (list.sig_md != MBEDTLS_MD_SHA256 && list.sig_md != MBEDTLS_MD_SHA384 && list.sig_md != MBEDTLS_MD_SHA512) return false;
  const mbedtls_md_info_t* kind = mbedtls_md_info_from_type(list.sig_md);
  unsigned char hash[MBEDTLS_MD_MAX_SIZE];
  if (kind == nullptr || mbedtls_md(kind, list.tbs.p, list.tbs.len, hash) != 0) return false;
  mbedtls_pk_context key = authority.pk;  // which verifying leaves alone
  return mbedtls_pk_verify_ext(list.sig_pk, list.sig_opts, &key, list.sig_md, hash, mbedtls_md_get_size(kind), list.sig.p, list.sig.len) == 0;
}

}  // namespace

Revocations::Revocations(std::string file, const mbedtls_x509_crt& authorities) : file_(std::move(file)) {
  mbedtls_x509_crl_init(&all_);
  for (const mbedtls_x509_crt* one = &authorities; one != nullptr && one->version != 0; one = one->next) mbedtls_x509_crt_parse_der(authorities_.get(), one->raw.p, one->raw.len);
  wrong_ = read();
  if (!wrong_.empty()) wrong_ = fmt::format("every client is refused, since client_crl_file {} cannot be gone by: {}", file_, wrong_);
}

/// What is wrong; empty: nothing.
std::string Revocations::read() {
  auto content = files::read(file_, kMostLists);
  if (!content) return fmt::format("{}: put the lists of revoked certificates there, as 'berth ca crl' writes them", content.error().message);
  content_ = std::move(*content);
  std::string text = content_;
  if (text.find("-----BEGIN") != std::string::npos) text = text.substr(0, text.find_last_not_of(" \t\r\n") + 1) + "\n";  // mbedTLS takes empty lines at the end for another list
  const std::size_t size = text.starts_with('\x30') ? text.size() : text.size() + 1;                                   // text with its end, DER without one
  if (const int failed = mbedtls_x509_crl_parse(&all_, reinterpret_cast<const unsigned char*>(text.c_str()), size); failed != 0)
    return fmt::format("no list of revoked certificates (CRL) can be read from it ({}): {}", tls_error(failed), kNew);
  for (const mbedtls_x509_crt* one = authorities_.get(); one != nullptr; one = one->next) {
    if (one->version == 0 || one->ca_istrue == 0) continue;  // a client's own certificate that is believed as it is
    if (std::string wrong = find_list_of(*one); !wrong.empty()) return wrong;
  }
  return {};
}

std::string Revocations::find_list_of(const mbedtls_x509_crt& authority) {
  const mbedtls_x509_crl* newest = nullptr;
  bool is_named = false;
  for (const mbedtls_x509_crl* one = &all_; one != nullptr; one = one->next) {
    if (one->version == 0 || !same(one->issuer_raw, authority.subject_raw)) continue;
    is_named = true;
    if (!is_signed_by(authority, *one)) continue;
    if (newest == nullptr || time_of(newest->this_update) < time_of(one->this_update)) newest = one;
  }
  const std::string name = name_of(authority);
  if (newest == nullptr && is_named) return fmt::format("its list of '{}' is not signed by the key of that authority with SHA-256 or better: {}", name, kNew);
  if (newest == nullptr) return fmt::format("it has no list of '{}', which is in client_ca_file: append the one of that authority", name);
  if (mbedtls_x509_crt_check_key_usage(&authority, MBEDTLS_X509_KU_CRL_SIGN) != 0) return fmt::format("the certificate of '{}' does not say that it may sign lists (cRLSign): have it made anew", name);
  if (newest->next_update.year == 0) return fmt::format("its list of '{}' does not say until when it counts (nextUpdate): {}", name, kNew);
  lists_.push_back({&authority, newest});
  return {};
}

std::string Revocations::problem(Clock::time_point now) const {
  if (!wrong_.empty()) return wrong_;
  for (const Pair& one : lists_) {
    const auto begins = time_of(one.list->this_update), ends = time_of(one.list->next_update);
    if (ends < now) return fmt::format("clients of '{}' are refused, since its list in client_crl_file {} ended at {}: {}", name_of(*one.authority), file_, time_text(ends), kNew);
    if (begins > now) return fmt::format("clients of '{}' are refused, since its list in client_crl_file {} counts from {} on: wait, or set the clock", name_of(*one.authority), file_, time_text(begins));
  }
  return {};
}

std::uint32_t Revocations::flaws_of(const mbedtls_x509_crt& certificate, Clock::time_point now) const {
  if (!wrong_.empty()) return MBEDTLS_X509_BADCRL_NOT_TRUSTED;
  for (const mbedtls_x509_crt* one = authorities_.get(); one != nullptr; one = one->next)
    if (one->version != 0 && same(one->raw, certificate.raw)) return 0;  // believed as it is
  std::uint32_t flaws = 0;
  bool is_known = false;
  for (const Pair& one : lists_) {
    if (!same(one.authority->subject_raw, certificate.issuer_raw)) continue;
    is_known = true;
    if (mbedtls_x509_crt_is_revoked(&certificate, one.list) != 0) flaws |= MBEDTLS_X509_BADCERT_REVOKED;
    if (time_of(one.list->next_update) < now) flaws |= MBEDTLS_X509_BADCRL_EXPIRED;
    if (time_of(one.list->this_update) > now) flaws |= MBEDTLS_X509_BADCRL_FUTURE;
  }
  return is_known ? flaws : flaws | MBEDTLS_X509_BADCRL_NOT_TRUSTED;  // of an authority between: client_ca_file has to have that, and the lists its list
}

std::optional<std::pair<Revocations::Clock::time_point, Revocations::Clock::time_point>> Revocations::counts() const {
  if (!wrong_.empty() || lists_.empty()) return {};
  const auto first = std::ranges::min_element(lists_, {}, [](const Pair& one) { return time_of(one.list->next_update); });
  return std::pair(time_of(first->list->this_update), time_of(first->list->next_update));
}

}  // namespace berth::io
