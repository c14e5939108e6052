#include <mbedtls/md.h>
#include <mbedtls/rsa.h>
#include <nettle/eddsa.h>

#include <fmt/core.h>

#include "core/crypto/keys.h"
#include "core/crypto/pem.h"
#include "core/crypto/pk_context.h"
#include "core/crypto/sha256.h"

namespace berth::crypto {
namespace {

constexpr std::string_view kLabel = "PUBLIC KEY";

/// RFC 8410: what stands in front of the 32 bytes of an Ed25519 key in its SubjectPublicKeyInfo. mbedTLS does not know it.
constexpr std::string_view kEd25519Spki("\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00", 12);

constexpr std::size_t kMostPublicDer = 2048;  ///< an RSA key of 8192 bits takes 1,062 bytes

bool parse(PkContext& key, std::string_view der) { return mbedtls_pk_parse_public_key(key.get(), bytes_of(der), der.size()) == 0; }

/// The key written anew: keys are told apart by their bytes, and the same one can be written in several ways.
std::string written_anew(PkContext& key) {
  std::string der(kMostPublicDer, '\0');
  const int size = mbedtls_pk_write_pubkey_der(key.get(), bytes_of(der), der.size());  // at the end of the buffer
  return size < 0 ? std::string() : der.substr(der.size() - static_cast<std::size_t>(size));
}

bool verify_ed25519(std::string_view key, std::string_view message, std::string_view signature) {
  return signature.size() == ED25519_SIGNATURE_SIZE &&
         ed25519_sha512_verify(bytes_of(key), message.size(), bytes_of(message), bytes_of(signature)) == 1;
}

bool verify_with_mbedtls(KeyType type, std::string_view der, std::string_view message, std::string_view signature) {
  PkContext key;
  if (!parse(key, der)) return false;
  unsigned char hash[SHA256_DIGEST_SIZE];
  if (mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), bytes_of(message), message.size(), hash) != 0) return false;

  if (type == KeyType::ecdsa_p256)
    return mbedtls_pk_verify(key.get(), MBEDTLS_MD_SHA256, hash, sizeof hash, bytes_of(signature), signature.size()) == 0;

  const mbedtls_pk_rsassa_pss_options options{.mgf1_hash_id = MBEDTLS_MD_SHA256, .expected_salt_len = MBEDTLS_RSA_SALT_LEN_ANY};
  return mbedtls_pk_verify_ext(MBEDTLS_PK_RSASSA_PSS, &options, key.get(), MBEDTLS_MD_SHA256, hash, sizeof hash,
                               bytes_of(signature), signature.size()) == 0;
}

}  // namespace

Result<PublicKey> PublicKey::ed25519(std::string_view bytes) {
  if (bytes.size() != ED25519_KEY_SIZE)
    return fail(Errc::protocol, fmt::format("an Ed25519 key has {} bytes, not {}", ED25519_KEY_SIZE, bytes.size()));
  return PublicKey(KeyType::ed25519, std::string(bytes));
}

Result<PublicKey> PublicKey::from_pem(std::string_view pem) {
  BERTH_TRY(const std::string der, crypto::from_pem(kLabel, pem));
  return from_der(der);
}

Result<PublicKey> PublicKey::from_der(std::string_view der) {
  if (der.starts_with(kEd25519Spki)) return ed25519(der.substr(kEd25519Spki.size()));

  PkContext key;
  if (!parse(key, der)) return fail(Errc::protocol, "not a public key that can be read (ECDSA P-256, RSA, Ed25519)");
  switch (mbedtls_pk_get_type(key.get())) {
    case MBEDTLS_PK_ECKEY:
      if (mbedtls_pk_ec(*key.get())->grp.id != MBEDTLS_ECP_DP_SECP256R1)
        return fail(Errc::protocol, "an elliptic-curve key of another curve than P-256");
      return PublicKey(KeyType::ecdsa_p256, written_anew(key));
    case MBEDTLS_PK_RSA:
      if (const auto bits = mbedtls_pk_get_bitlen(key.get()); bits < kFewestRsaBits || bits > kMostRsaBits)
        return fail(Errc::protocol, fmt::format("an RSA key of {} bits, not {} to {}", bits, kFewestRsaBits, kMostRsaBits));
      return PublicKey(KeyType::rsa, written_anew(key));
    default: return fail(Errc::protocol, "a public key of another kind than ECDSA P-256, RSA or Ed25519");
  }
}

std::string PublicKey::pem() const {
  return to_pem(kLabel, type_ == KeyType::ed25519 ? std::string(kEd25519Spki) + bytes_ : bytes_);
}

bool PublicKey::verifies(std::string_view message, std::string_view signature) const {
  return type_ == KeyType::ed25519 ? verify_ed25519(bytes_, message, signature)
                                   : verify_with_mbedtls(type_, bytes_, message, signature);
}

}  // namespace berth::crypto
