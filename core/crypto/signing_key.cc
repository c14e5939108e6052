#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/core.h>
#include <mbedtls/platform_util.h>
#include <nettle/eddsa.h>

#include "core/crypto/keys.h"
#include "core/crypto/pem.h"
#include "core/crypto/sha256.h"
#include "core/files/fd.h"

namespace berth::crypto {
namespace {

constexpr std::string_view kLabel = "PRIVATE KEY";

/// RFC 8410: what stands in front of the 32 bytes of an Ed25519 key in its PKCS#8 form.
constexpr std::string_view kEd25519Pkcs8("\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20", 16);

constexpr std::size_t kMostKeyFile = 4096;

void wipe(std::string& secret) { mbedtls_platform_zeroize(secret.data(), secret.size()); }

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

}  // namespace

SigningKey SigningKey::generate() {
  SigningKey key;
  std::string seed = random_bytes(key.seed_.size());
  std::memcpy(key.seed_.data(), seed.data(), key.seed_.size());
  wipe(seed);
  ed25519_sha512_public_key(key.public_.data(), key.seed_.data());
  return key;
}

Result<SigningKey> SigningKey::from_pem(std::string_view pem, std::string_view name) {
  auto der = crypto::from_pem(kLabel, pem);
  if (!der) return fail(Errc::usage, fmt::format("{}: is not a private key in PEM ({})", name, der.error().message));
  SigningKey key;
  const bool known = der->size() == kEd25519Pkcs8.size() + key.seed_.size() && der->starts_with(kEd25519Pkcs8);
  if (known) {
    std::memcpy(key.seed_.data(), der->data() + kEd25519Pkcs8.size(), key.seed_.size());
    ed25519_sha512_public_key(key.public_.data(), key.seed_.data());
  }
  wipe(*der);
  if (!known) return fail(Errc::usage, fmt::format("{}: is not an Ed25519 key; make one by `openssl genpkey -algorithm ed25519`", name));
  return key;
}

Result<SigningKey> SigningKey::load(const std::filesystem::path& file) {
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
  auto key = from_pem(std::string_view(pem).substr(0, static_cast<std::size_t>(got)), name);
  wipe(pem);
  return key;
}

SigningKey::~SigningKey() { mbedtls_platform_zeroize(seed_.data(), seed_.size()); }

SigningKey::SigningKey(SigningKey&& other) noexcept : seed_(other.seed_), public_(other.public_) {
  mbedtls_platform_zeroize(other.seed_.data(), other.seed_.size());
}

SigningKey& SigningKey::operator=(SigningKey&& other) noexcept {
  if (this == &other) return *this;
  seed_ = other.seed_;
  public_ = other.public_;
  mbedtls_platform_zeroize(other.seed_.data(), other.seed_.size());
  return *this;
}

Result<void> SigningKey::save(const std::filesystem::path& file) const {
  const std::string name = file.string();
  const Fd fd(::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd) return fail_errno("create key " + name);
  std::string der = std::string(kEd25519Pkcs8) + std::string(seed_.begin(), seed_.end());
  std::string pem = to_pem(kLabel, der);
  const auto written = write_and_sync(fd.get(), pem, name);
  wipe(der);
  wipe(pem);
  BERTH_CHECK(written);
  return sync_folder(file.parent_path());
}

PublicKey SigningKey::public_key() const {
  return *PublicKey::ed25519(std::string_view(reinterpret_cast<const char*>(public_.data()), public_.size()));
}

std::string SigningKey::sign(std::string_view message) const {
  std::string signature(ED25519_SIGNATURE_SIZE, '\0');
  ed25519_sha512_sign(public_.data(), seed_.data(), message.size(), reinterpret_cast<const std::uint8_t*>(message.data()),
                      reinterpret_cast<std::uint8_t*>(signature.data()));
  return signature;
}

}  // namespace berth::crypto
