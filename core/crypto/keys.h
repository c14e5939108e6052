#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "core/crypto/secret.h"
#include "core/result.h"

namespace berth::crypto {

enum class KeyType {
  ed25519,
  ecdsa_p256,  ///< signatures: DER, over SHA-256
  rsa,         ///< 2048 to 8192 bits; signatures: PSS, MGF1 and SHA-256, salt of any length
};

/// A public key. A value: verifying with it from several threads is fine.
class PublicKey {
 public:
  /// From 32 bytes.
  static Result<PublicKey> ed25519(std::string_view bytes);
  /// From a PEM "PUBLIC KEY" (SubjectPublicKeyInfo). Fails with `Errc::protocol` on other keys, curves and sizes.
  static Result<PublicKey> from_pem(std::string_view pem);
  /// The same in DER.
  static Result<PublicKey> from_der(std::string_view der);

  KeyType type() const { return type_; }
  /// Ed25519: the 32 bytes; otherwise the DER SubjectPublicKeyInfo, in the one form there is of each key.
  const std::string& bytes() const { return bytes_; }
  std::string pem() const;

  /// Whether `signature` (raw bytes) is this key's over `message`. Garbage is merely false.
  bool verifies(std::string_view message, std::string_view signature) const;

  bool operator==(const PublicKey&) const = default;

 private:
  PublicKey(KeyType type, std::string bytes) : type_(type), bytes_(std::move(bytes)) {}

  KeyType type_;
  std::string bytes_;
};

/// Gives the passphrase of an encrypted key file, or says why there is none. Asked only where it is needed; `name` is the file's.
using AskPassphrase = std::function<Result<std::string>(std::string_view name)>;

/// A private key, wiped from memory at the end of its life. Its file is PKCS#8 PEM, which `openssl pkey` reads.
class SigningKey {
 public:
  /// A new key: Ed25519 or P-256 at once, RSA (3072 bits) in some seconds.
  static SigningKey generate(KeyType type = KeyType::ed25519);
  /// Reads a key file: Ed25519, P-256 or RSA of 2048 to 8192 bits, as PKCS#8, SEC1 or PKCS#1, encrypted or not.
  /// Fails with `Errc::permission` where the group or others may read it, `Errc::not_found` where there is none, and `Errc::usage` where it
  /// is no such key or its passphrase is missing or another.
  static Result<SigningKey> load(const std::filesystem::path& file, const AskPassphrase& ask = {});
  static Result<SigningKey> from_pem(std::string_view pem, std::string_view name, const AskPassphrase& ask = {});

  /// Writes a new file with mode 0600, durably; encrypted (AES-256) where there is a passphrase. An existing one is never replaced:
  /// `Errc::exists`.
  Result<void> save(const std::filesystem::path& file, std::string_view passphrase = {}) const;

  KeyType type() const { return public_.type(); }
  const PublicKey& public_key() const { return public_; }
  /// Ed25519: 64 bytes; P-256: DER; RSA: PSS with a salt of 32 bytes, as long as the key.
  std::string sign(std::string_view message) const;

 private:
  SigningKey(Secret pkcs8, PublicKey half) : pkcs8_(std::move(pkcs8)), public_(std::move(half)) {}

  Secret pkcs8_;  ///< DER
  PublicKey public_;
};

}  // namespace berth::crypto
