#include <array>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/core.h>
#include <mbedtls/asn1.h>
#include <nettle/eddsa.h>

#include "core/crypto/der.h"
#include "core/crypto/encrypted_key.h"
#include "core/crypto/keys.h"
#include "core/crypto/pem.h"
#include "core/crypto/pk_context.h"
#include "core/crypto/private_key.h"
#include "core/crypto/sha256.h"
#include "core/files/fd.h"

namespace berth::crypto {
namespace {

constexpr std::string_view kSigningKeyLabel = "PRIVATE KEY";
constexpr std::string_view kEncryptedLabel = "ENCRYPTED PRIVATE KEY";
/// How forms older than PKCS#8 say that they are encrypted (RFC 1421).
constexpr std::string_view kOlderEncryption = "Proc-Type: 4,ENCRYPTED";

/// RFC 8410: what stands in front of the 32 bytes of an Ed25519 key in its PKCS#8 form.
constexpr std::string_view kEd25519Pkcs8("\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20", 16);

constexpr std::size_t kMostKeyFile = 16384;  ///< bytes; an RSA key of 8192 bits takes 6.5 KB

Result<void> write_and_sync(int fd, std::string_view data, const std::string& name) {
  while (!data.empty()) {
    const ssize_t wrote = ::write(fd, data.data(), data.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return fail_errno("write " + name);
    data.remove_prefix(static_cast<std::size_t>(wrote));
  }
  if (::fsync(fd) != 0) return fail_errno("fsync " + name);
  return {};
}

Result<void> sync_folder(const std::filesystem::path& folder) {
  const std::string name = folder.empty() ? "." : folder.string();
  const Fd fd(::open(name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) return fail_errno("sync " + name);
  return {};
}

bool has_block(std::string_view pem, std::string_view label) {
  return pem.find(fmt::format("-----BEGIN {}-----", label)) != std::string_view::npos;
}

Result<Secret> ask_for(const AskPassphrase& ask, std::string_view name) {
  if (!ask) return fail(Errc::usage, "is encrypted, and there is no passphrase");
  BERTH_TRY(std::string passphrase, ask(name));
  return Secret(std::move(passphrase));
}

/// The key in a PEM file as DER PKCS#8, whatever its form there.
Result<Secret> read_pem(std::string_view pem, std::string_view name, const AskPassphrase& ask) {
  if (has_block(pem, kEncryptedLabel)) {
    const auto der = crypto::from_pem(kEncryptedLabel, pem);
    if (!der) return fail(Errc::usage, fmt::format("is damaged ({})", der.error().message));
    BERTH_TRY(const Secret passphrase, ask_for(ask, name));
    return decrypt_key(*der, passphrase.view());
  }
  if (has_block(pem, "EC PRIVATE KEY") || has_block(pem, "RSA PRIVATE KEY")) {
    Secret passphrase;
    if (pem.find(kOlderEncryption) != std::string_view::npos) {
      BERTH_TRY(passphrase, ask_for(ask, name));
    }
    return read_older_pem(pem, passphrase.view());
  }
  auto der = crypto::from_pem(kSigningKeyLabel, pem);
  if (!der) return fail(Errc::usage, fmt::format("is not a private key in PEM ({})", der.error().message));
  return Secret(std::move(*der));
}

/// The 32 bytes of an Ed25519 key in DER PKCS#8; empty where it is of another kind.
std::string_view ed25519_seed(std::string_view pkcs8) {
  DerReader file(DerReader(pkcs8).take(kSequence));
  const int version = file.take_integer();
  const std::string_view algorithm = file.take(kSequence);
  const std::string_view seed = DerReader(file.take(MBEDTLS_ASN1_OCTET_STRING)).take(MBEDTLS_ASN1_OCTET_STRING);
  const bool known = (version == 0 || version == 1) && algorithm == kEd25519Algorithm.substr(2);
  return known && seed.size() == ED25519_KEY_SIZE ? seed : std::string_view();
}

PublicKey ed25519_public(std::string_view seed) {
  std::string key(ED25519_KEY_SIZE, '\0');
  ed25519_sha512_public_key(bytes_of(key), bytes_of(seed));
  return *PublicKey::ed25519(key);
}

std::string sign_ed25519(std::string_view seed, std::string_view public_key, std::string_view message) {
  std::string signature(ED25519_SIGNATURE_SIZE, '\0');
  ed25519_sha512_sign(bytes_of(public_key), bytes_of(seed), message.size(), bytes_of(message), bytes_of(signature));
  return signature;
}

Secret generate_ed25519() {
  const Secret seed(random_bytes(ED25519_KEY_SIZE));
  return Secret(std::string(kEd25519Pkcs8) + std::string(seed.view()));
}

Result<PublicKey> public_of(std::string_view pkcs8) {
  const std::string_view seed = ed25519_seed(pkcs8);
  return seed.empty() ? public_half(pkcs8) : ed25519_public(seed);
}

}  // namespace

SigningKey SigningKey::generate(KeyType type) {
  Secret pkcs8 = type == KeyType::ed25519 ? generate_ed25519() : generate_private_key(type);
  PublicKey half = *public_of(pkcs8.view());
  return SigningKey(std::move(pkcs8), std::move(half));
}

Result<SigningKey> SigningKey::from_pem(std::string_view pem, std::string_view name, const AskPassphrase& ask) {
  auto pkcs8 = read_pem(pem, name, ask);
  if (!pkcs8) return pass(pkcs8.error(), name);
  auto half = public_of(pkcs8->view());
  if (!half) return pass(half.error(), name);
  return SigningKey(std::move(*pkcs8), std::move(*half));
}

Result<SigningKey> SigningKey::load(const std::filesystem::path& file, const AskPassphrase& ask) {
  const std::string name = file.string();
  const Fd fd(::open(name.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail_errno("open key " + name);
  struct stat about {};
  if (::fstat(fd.get(), &about) != 0) return fail_errno("stat " + name);
  if ((about.st_mode & 077) != 0)
    return fail(Errc::permission, fmt::format("{}: others may read this private key; run `chmod 600 {}`", name, name));

  std::string pem(kMostKeyFile, '\0');
  const ssize_t got = ::read(fd.get(), pem.data(), pem.size());
  if (got < 0) return fail_errno("read " + name);
  auto key = from_pem(std::string_view(pem).substr(0, static_cast<std::size_t>(got)), name, ask);
  wipe(pem);
  return key;
}

Result<void> SigningKey::save(const std::filesystem::path& file, std::string_view passphrase) const {
  const std::string name = file.string();
  const Fd fd(::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd) return fail_errno("create key " + name);
  const Secret pem(passphrase.empty() ? to_pem(kSigningKeyLabel, pkcs8_.view()) : to_pem(kEncryptedLabel, encrypt_key(pkcs8_.view(), passphrase)));
  BERTH_CHECK(write_and_sync(fd.get(), pem.view(), name));
  return sync_folder(file.parent_path());
}

std::string SigningKey::sign(std::string_view message) const {
  if (public_.type() != KeyType::ed25519) return sign_with(pkcs8_.view(), message);
  return sign_ed25519(ed25519_seed(pkcs8_.view()), public_.bytes(), message);
}

}  // namespace berth::crypto
