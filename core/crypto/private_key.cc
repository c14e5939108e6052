#include "core/crypto/private_key.h"

#include <array>
#include <cstdlib>
#include <cstring>

#include <fmt/core.h>
#include <mbedtls/asn1write.h>
#include <mbedtls/ecp.h>
#include <mbedtls/md.h>
#include <mbedtls/pem.h>
#include <mbedtls/rsa.h>

#include "core/crypto/pk_context.h"
#include "core/crypto/sha256.h"

namespace berth::crypto {
namespace {

constexpr unsigned kNewRsaBits = 3072;
constexpr int kRsaExponent = 65537;
constexpr std::size_t kMostPrivateDer = 8192;  ///< an RSA key of 8192 bits takes 4.7 KB
constexpr std::size_t kSaltBytes = 32;
constexpr std::size_t kHashBytes = 32;

// AlgorithmIdentifiers (RFC 5480, RFC 8017): ecPublicKey with prime256v1, and rsaEncryption.
constexpr std::string_view kP256Algorithm("\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07", 21);
constexpr std::string_view kRsaAlgorithm("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00", 15);

int kernel_random(void*, unsigned char* out, std::size_t size) {
  std::string bytes = random_bytes(size);
  std::memcpy(out, bytes.data(), size);
  wipe(bytes);
  return 0;
}

/// What fails here is memory or mbedTLS itself, after a key was found right.
void must(bool held) {
  if (!held) std::abort();
}

bool is_rsa(PkContext& key) { return mbedtls_pk_get_type(key.get()) == MBEDTLS_PK_RSA; }

/// RFC 5208, from the older form that mbedTLS writes.
Secret to_pkcs8(PkContext& key) {
  std::string der(kMostPrivateDer, '\0');
  unsigned char* const start = bytes_of(der);
  // mbedTLS writes from the end of the buffer to its front, and so does this.
  int size = mbedtls_pk_write_key_der(key.get(), start, der.size());
  must(size > 0);
  unsigned char* at = start + der.size() - size;
  const std::string_view algorithm = is_rsa(key) ? kRsaAlgorithm : kP256Algorithm;
  size += mbedtls_asn1_write_len(&at, start, static_cast<std::size_t>(size));
  size += mbedtls_asn1_write_tag(&at, start, MBEDTLS_ASN1_OCTET_STRING);
  size += mbedtls_asn1_write_raw_buffer(&at, start, bytes_of(algorithm), algorithm.size());
  size += mbedtls_asn1_write_int(&at, start, 0);
  size += mbedtls_asn1_write_len(&at, start, static_cast<std::size_t>(size));
  size += mbedtls_asn1_write_tag(&at, start, MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE);
  std::string whole(reinterpret_cast<const char*>(at), static_cast<std::size_t>(size));
  wipe(der);
  return Secret(std::move(whole));
}

Result<void> check_kind(PkContext& key) {
  const std::size_t bits = mbedtls_pk_get_bitlen(key.get());
  switch (mbedtls_pk_get_type(key.get())) {
    case MBEDTLS_PK_ECKEY:
      if (mbedtls_pk_ec(*key.get())->grp.id == MBEDTLS_ECP_DP_SECP256R1) return {};
      return fail(Errc::usage, "is an elliptic-curve key of another curve than P-256");
    case MBEDTLS_PK_RSA:
      if (kFewestRsaBits <= bits && bits <= kMostRsaBits) return {};
      return fail(Errc::usage, fmt::format("is an RSA key of {} bits, not {} to {}", bits, kFewestRsaBits, kMostRsaBits));
    default: return fail(Errc::usage, "is of another kind than Ed25519, ECDSA P-256 and RSA");
  }
}

}  // namespace

Secret generate_private_key(KeyType type) {
  PkContext key;
  if (type == KeyType::rsa) {
    must(mbedtls_pk_setup(key.get(), mbedtls_pk_info_from_type(MBEDTLS_PK_RSA)) == 0);
    must(mbedtls_rsa_gen_key(mbedtls_pk_rsa(*key.get()), kernel_random, nullptr, kNewRsaBits, kRsaExponent) == 0);
  } else {
    must(mbedtls_pk_setup(key.get(), mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)) == 0);
    must(mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(*key.get()), kernel_random, nullptr) == 0);
  }
  return to_pkcs8(key);
}

Result<Secret> read_older_pem(std::string_view pem, std::string_view passphrase) {
  const Secret text(std::string(pem) + '\0');  // mbedTLS counts the end
  PkContext key;
  const int failed = mbedtls_pk_parse_key(key.get(), bytes_of(text.view()), text.view().size(), bytes_of(passphrase), passphrase.size());
  if (failed == MBEDTLS_ERR_PK_PASSWORD_MISMATCH) return fail(Errc::usage, "is encrypted with another passphrase");
  if (failed == MBEDTLS_ERR_PEM_UNKNOWN_ENC_ALG) return fail(Errc::usage, "is encrypted in a way that berth does not know");
  if (failed != 0) return fail(Errc::usage, "is damaged, or of a kind that berth does not know (Ed25519, ECDSA P-256, RSA)");
  BERTH_CHECK(check_kind(key));
  return to_pkcs8(key);
}

Result<PublicKey> public_half(std::string_view pkcs8) {
  PkContext key;
  if (mbedtls_pk_parse_key(key.get(), bytes_of(pkcs8), pkcs8.size(), nullptr, 0) != 0)
    return fail(Errc::usage, "is damaged, or of a kind that berth does not know (Ed25519, ECDSA P-256, RSA)");
  BERTH_CHECK(check_kind(key));
  // The file may hold a public half of its own, beside a private one that is not its.
  if (mbedtls_pk_check_pair(key.get(), key.get()) != 0) return fail(Errc::usage, "is damaged: its two halves do not belong together");

  std::string der(kMostPrivateDer, '\0');
  const int size = mbedtls_pk_write_pubkey_der(key.get(), bytes_of(der), der.size());
  must(size > 0);
  return PublicKey::from_der(std::string_view(der).substr(der.size() - static_cast<std::size_t>(size)));
}

std::string sign_with(std::string_view pkcs8, std::string_view message) {
  PkContext key;
  must(mbedtls_pk_parse_key(key.get(), bytes_of(pkcs8), pkcs8.size(), nullptr, 0) == 0);
  std::array<unsigned char, kHashBytes> hash{};
  must(mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), bytes_of(message), message.size(), hash.data()) == 0);

  std::string signature(MBEDTLS_PK_SIGNATURE_MAX_SIZE, '\0');
  std::size_t size = 0;
  if (is_rsa(key)) {
    mbedtls_rsa_context* const rsa = mbedtls_pk_rsa(*key.get());
    mbedtls_rsa_set_padding(rsa, MBEDTLS_RSA_PKCS_V21, MBEDTLS_MD_SHA256);
    size = mbedtls_rsa_get_len(rsa);
    must(mbedtls_rsa_rsassa_pss_sign_ext(rsa, kernel_random, nullptr, MBEDTLS_MD_SHA256, hash.size(), hash.data(), kSaltBytes,
                                         bytes_of(signature)) == 0);
  } else {
    must(mbedtls_pk_sign(key.get(), MBEDTLS_MD_SHA256, hash.data(), hash.size(), bytes_of(signature), &size, kernel_random, nullptr) == 0);
  }
  signature.resize(size);
  return signature;
}

}  // namespace berth::crypto
