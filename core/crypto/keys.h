#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

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

  KeyType type() const { return type_; }
  /// Ed25519: the 32 bytes; otherwise the DER SubjectPublicKeyInfo.
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

/// An Ed25519 private key, wiped from memory at the end of its life. Its file is PKCS#8 PEM, which `openssl pkey` reads.
class SigningKey {
 public:
  static SigningKey generate();
  /// Reads a key file. Fails with `Errc::permission` where the group or others may read it, `Errc::not_found` where there is none.
  static Result<SigningKey> load(const std::filesystem::path& file);
  static Result<SigningKey> from_pem(std::string_view pem, std::string_view name);

  ~SigningKey();
  SigningKey(SigningKey&& other) noexcept;
  SigningKey& operator=(SigningKey&& other) noexcept;

  /// Writes a new file with mode 0600, durably. An existing one is never replaced: `Errc::exists`.
  Result<void> save(const std::filesystem::path& file) const;

  PublicKey public_key() const;
  /// 64 bytes.
  std::string sign(std::string_view message) const;

 private:
  SigningKey() = default;

  std::array<std::uint8_t, 32> seed_{};
  std::array<std::uint8_t, 32> public_{};
};

}  // namespace berth::crypto
