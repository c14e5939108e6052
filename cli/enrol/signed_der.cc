#include "cli/enrol/signed_der.h"

#include <mbedtls/asn1.h>
#include <mbedtls/pem.h>
#include <mbedtls/pk.h>

#include "cli/enrol/mbedtls_parts.h"
#include "core/crypto/der.h"
#include "core/io/tls_random.h"

namespace berth::cli::enrol {
namespace {

using crypto::der_item;
using crypto::DerReader;
using crypto::kSequence;

constexpr int kVersionTag = 0xa0;  // [0] of a certificate

/// The first item of what is signed: its content.
Result<std::string_view> signed_part(std::string_view der) {
  DerReader whole(der);
  DerReader parts(whole.take(kSequence));
  const std::string_view first = parts.take(kSequence);
  if (!whole.at_end() || !parts.right()) return fail(Errc::internal, "what mbedTLS wrote is not what it should be");
  return first;
}

}  // namespace

Result<std::string> algorithm_of(io::PrivateKey& key) {
  const bool is_rsa = mbedtls_pk_get_type(key.get()) == MBEDTLS_PK_RSA;
  const char* bytes = nullptr;
  std::size_t size = 0;
  BERTH_CHECK(done(mbedtls_oid_get_oid_by_sig_alg(is_rsa ? MBEDTLS_PK_RSA : MBEDTLS_PK_ECDSA, MBEDTLS_MD_SHA256, &bytes, &size), "the algorithm of a signature"));
  return der_item(kSequence, der_item(MBEDTLS_ASN1_OID, {bytes, size}) + (is_rsa ? der_item(MBEDTLS_ASN1_NULL, {}) : ""));
}

Result<std::string> sign_der(std::string_view content, io::PrivateKey& key) {
  BERTH_TRY(const std::string algorithm, algorithm_of(key));
  unsigned char hash[32], signature[MBEDTLS_PK_SIGNATURE_MAX_SIZE];
  std::size_t size = 0;
  BERTH_CHECK(done(mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), bytes_of(content), content.size(), hash), "a hash"));
  BERTH_CHECK(done(mbedtls_pk_sign(key.get(), MBEDTLS_MD_SHA256, hash, sizeof hash, signature, &size, io::random_for_tls, nullptr), "a signature"));
  const std::string bits = std::string(1, '\0') + std::string(reinterpret_cast<const char*>(signature), size);  // none of its last byte's bits is unused
  return der_item(kSequence, std::string(content) + algorithm + der_item(MBEDTLS_ASN1_BIT_STRING, bits));
}

Result<std::string> sign_certificate_anew(std::string_view der, io::PrivateKey& key) {
  BERTH_TRY(const std::string_view content, signed_part(der));
  DerReader items(content);
  const std::string_view version = items.take(kVersionTag);
  const std::string_view serial = items.take(MBEDTLS_ASN1_INTEGER);
  const std::string_view former = items.take(kSequence);
  if (!items.right()) return fail(Errc::internal, "a certificate that mbedTLS wrote begins otherwise than it should");
  const std::string_view rest = content.substr(static_cast<std::size_t>(former.data() + former.size() - content.data()));
  BERTH_TRY(const std::string algorithm, algorithm_of(key));
  const std::string meant = der_item(kVersionTag, version) + der_item(MBEDTLS_ASN1_INTEGER, serial) + algorithm + std::string(rest);
  return sign_der(der_item(kSequence, meant), key);
}

Result<std::string> sign_request_anew(std::string_view der, io::PrivateKey& key) {
  BERTH_TRY(const std::string_view content, signed_part(der));
  return sign_der(der_item(kSequence, content), key);
}

Result<std::string> to_pem(const std::string& label, std::string_view der) {
  std::string text(der.size() * 3 / 2 + 200, '\0');
  std::size_t size = 0;
  const std::string begin = "-----BEGIN " + label + "-----\n", end = "-----END " + label + "-----\n";
  BERTH_CHECK(done(mbedtls_pem_write_buffer(begin.c_str(), end.c_str(), bytes_of(der), der.size(), reinterpret_cast<unsigned char*>(text.data()), text.size(), &size), "PEM"));
  text.resize(text.find('\0'));
  return text;
}

}  // namespace berth::cli::enrol
