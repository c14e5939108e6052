#include "core/crypto/encrypted_key.h"

#include <array>
#include <cstring>
#include <optional>

#include <mbedtls/aes.h>
#include <mbedtls/asn1.h>
#include <nettle/pbkdf2.h>

#include "core/crypto/der.h"
#include "core/crypto/pk_context.h"
#include "core/crypto/sha256.h"

namespace berth::crypto {
namespace {

constexpr std::size_t kBlock = 16;
constexpr std::size_t kSalt = 16;
constexpr int kRounds = 600'000;         ///< of PBKDF2 for what is written: a fifth of a second
constexpr int kMostRounds = 50'000'000;  ///< half a minute; a damaged count must not take hours

// Object identifiers, without tag and length.
constexpr std::string_view kPbes2("\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d", 9);
constexpr std::string_view kPbkdf2("\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0c", 9);
constexpr std::string_view kHmacSha1("\x2a\x86\x48\x86\xf7\x0d\x02\x07", 8);
constexpr std::string_view kHmacSha256("\x2a\x86\x48\x86\xf7\x0d\x02\x09", 8);
constexpr std::string_view kHmacSha512("\x2a\x86\x48\x86\xf7\x0d\x02\x0b", 8);
constexpr std::string_view kAes128Cbc("\x60\x86\x48\x01\x65\x03\x04\x01\x02", 9);
constexpr std::string_view kAes256Cbc("\x60\x86\x48\x01\x65\x03\x04\x01\x2a", 9);

enum class Hash { unknown, sha1, sha256, sha512 };

/// How a key is encrypted.
struct Encryption {
  std::string_view salt;
  int rounds = 0;
  Hash hash = Hash::sha1;     ///< RFC 8018's default
  unsigned key_bits = 0;      ///< 0: of a cipher that berth does not know
  std::string_view vector;
};

Hash hash_of(std::string_view hmac) {
  if (hmac == kHmacSha1) return Hash::sha1;
  if (hmac == kHmacSha256) return Hash::sha256;
  return hmac == kHmacSha512 ? Hash::sha512 : Hash::unknown;
}

unsigned key_bits_of(std::string_view cipher) {
  if (cipher == kAes128Cbc) return 128;
  return cipher == kAes256Cbc ? 256 : 0;
}

/// The parameters of PBES2 (RFC 8018, A.4): how the key is derived, and the cipher.
std::optional<Encryption> read_parameters(std::string_view content) {
  DerReader parameters(content);
  DerReader derivation(parameters.take(kSequence));
  DerReader cipher(parameters.take(kSequence));
  if (derivation.take(MBEDTLS_ASN1_OID) != kPbkdf2) return std::nullopt;

  Encryption encryption;
  DerReader pbkdf2(derivation.take(kSequence));
  encryption.salt = pbkdf2.take(MBEDTLS_ASN1_OCTET_STRING);
  encryption.rounds = pbkdf2.take_integer();
  if (pbkdf2.next_is(MBEDTLS_ASN1_INTEGER)) pbkdf2.take_integer();  // the length of the key, which the cipher tells
  if (pbkdf2.next_is(kSequence)) encryption.hash = hash_of(DerReader(pbkdf2.take(kSequence)).take(MBEDTLS_ASN1_OID));
  encryption.key_bits = key_bits_of(cipher.take(MBEDTLS_ASN1_OID));
  encryption.vector = cipher.take(MBEDTLS_ASN1_OCTET_STRING);

  const bool sensible = pbkdf2.right() && 0 < encryption.rounds && encryption.rounds <= kMostRounds && encryption.hash != Hash::unknown &&
                        encryption.key_bits != 0 && encryption.vector.size() == kBlock;
  if (!sensible) return std::nullopt;
  return encryption;
}

Secret derive(const Encryption& encryption, std::string_view passphrase) {
  const auto pbkdf2 = encryption.hash == Hash::sha1     ? nettle_pbkdf2_hmac_sha1
                      : encryption.hash == Hash::sha256 ? nettle_pbkdf2_hmac_sha256
                                                        : nettle_pbkdf2_hmac_sha512;
  std::string key(encryption.key_bits / 8, '\0');
  pbkdf2(passphrase.size(), bytes_of(passphrase), static_cast<unsigned>(encryption.rounds), encryption.salt.size(), bytes_of(encryption.salt),
         key.size(), bytes_of(key));
  return Secret(std::move(key));
}

/// AES-CBC over whole blocks.
Secret crypt(int mode, const Encryption& encryption, std::string_view passphrase, std::string_view data) {
  const Secret key = derive(encryption, passphrase);
  mbedtls_aes_context aes;
  mbedtls_aes_init(&aes);
  const auto set_key = mode == MBEDTLS_AES_ENCRYPT ? mbedtls_aes_setkey_enc : mbedtls_aes_setkey_dec;
  set_key(&aes, bytes_of(key.view()), encryption.key_bits);
  std::array<unsigned char, kBlock> vector{};
  std::memcpy(vector.data(), encryption.vector.data(), kBlock);
  std::string result(data.size(), '\0');
  mbedtls_aes_crypt_cbc(&aes, mode, data.size(), vector.data(), bytes_of(data), bytes_of(result));
  mbedtls_aes_free(&aes);
  return Secret(std::move(result));
}

/// How many bytes of padding (RFC 5652, 6.3) end `text`; 0 where they are none: the passphrase was another.
std::size_t padding_of(std::string_view text) {
  const auto padding = static_cast<unsigned char>(text.back());
  if (padding == 0 || padding > kBlock) return 0;
  const auto tail = text.substr(text.size() - padding);
  return tail.find_first_not_of(text.back()) == std::string_view::npos ? padding : 0;
}

}  // namespace

Result<Secret> decrypt_key(std::string_view der, std::string_view passphrase) {
  DerReader file(DerReader(der).take(kSequence));
  DerReader scheme(file.take(kSequence));
  const std::string_view data = file.take(MBEDTLS_ASN1_OCTET_STRING);
  if (!file.right() || data.empty() || data.size() % kBlock != 0) return fail(Errc::usage, "is damaged");
  const bool known = scheme.take(MBEDTLS_ASN1_OID) == kPbes2;
  const auto encryption = known ? read_parameters(scheme.take(kSequence)) : std::nullopt;
  if (!encryption)
    return fail(Errc::usage, "is encrypted in a way that berth does not know; encrypt it anew by `openssl pkcs8 -topk8 -v2 aes-256-cbc`");

  const Secret text = crypt(MBEDTLS_AES_DECRYPT, *encryption, passphrase, data);
  const std::size_t padding = padding_of(text.view());
  const std::string_view key = text.view().substr(0, text.view().size() - padding);
  // By chance one wrong passphrase in 256 leaves something like padding, but it does not leave one sequence in front of it too.
  DerReader reader(key);
  reader.take(kSequence);
  if (padding == 0 || !reader.at_end()) return fail(Errc::usage, "is encrypted with another passphrase");
  return Secret(std::string(key));
}

std::string encrypt_key(std::string_view pkcs8, std::string_view passphrase) {
  const std::string salt = random_bytes(kSalt);
  const std::string vector = random_bytes(kBlock);
  const Encryption encryption{.salt = salt, .rounds = kRounds, .hash = Hash::sha256, .key_bits = 256, .vector = vector};
  const std::size_t padding = kBlock - pkcs8.size() % kBlock;
  const Secret padded(std::string(pkcs8) + std::string(padding, static_cast<char>(padding)));
  const Secret data = crypt(MBEDTLS_AES_ENCRYPT, encryption, passphrase, padded.view());

  const std::string hmac = der_item(kSequence, der_item(MBEDTLS_ASN1_OID, kHmacSha256) + der_item(MBEDTLS_ASN1_NULL, ""));
  const std::string pbkdf2 = der_item(kSequence, der_item(MBEDTLS_ASN1_OCTET_STRING, salt) + der_integer(kRounds) + hmac);
  const std::string derivation = der_item(kSequence, der_item(MBEDTLS_ASN1_OID, kPbkdf2) + pbkdf2);
  const std::string cipher = der_item(kSequence, der_item(MBEDTLS_ASN1_OID, kAes256Cbc) + der_item(MBEDTLS_ASN1_OCTET_STRING, vector));
  const std::string scheme = der_item(kSequence, der_item(MBEDTLS_ASN1_OID, kPbes2) + der_item(kSequence, derivation + cipher));
  return der_item(kSequence, scheme + der_item(MBEDTLS_ASN1_OCTET_STRING, data.view()));
}

}  // namespace berth::crypto
