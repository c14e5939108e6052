#include "core/io/tls_credentials.h"

#include <fmt/core.h>
#include <sys/stat.h>

#include "core/io/certificates.h"
#include "core/io/tls_rules.h"

namespace berth::io {
namespace {

/// What a client's certificates may be made of: what a loop can verify in a few milliseconds.
constexpr mbedtls_x509_crt_profile kClientCertificates{
    .allowed_mds = MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA256) | MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA384) | MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA512),
    .allowed_pks = MBEDTLS_X509_ID_FLAG(MBEDTLS_PK_RSA) | MBEDTLS_X509_ID_FLAG(MBEDTLS_PK_ECKEY) | MBEDTLS_X509_ID_FLAG(MBEDTLS_PK_ECDSA) |
                   MBEDTLS_X509_ID_FLAG(MBEDTLS_PK_RSASSA_PSS),
    .allowed_curves = MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP256R1) | MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP384R1),
    .rsa_min_bitlen = 2048};

/// Another one for files that were written or put in place since.
std::string stamp_of(const std::string& file) {
  struct stat about{};
  if (::stat(file.c_str(), &about) != 0) return "-;";
  return fmt::format("{}.{}.{}.{}.{};", about.st_dev, about.st_ino, about.st_size, about.st_mtim.tv_sec, about.st_mtim.tv_nsec);
}

/// Of all but the lists of revoked certificates.
std::string stamp_of(const TlsServerFiles& files) { return stamp_of(files.certificate_file) + stamp_of(files.key_file) + stamp_of(files.client_ca_file); }

}  // namespace

struct TlsCredentials::Loaded {
  Loaded() { mbedtls_ssl_config_init(&config); }
  ~Loaded() { mbedtls_ssl_config_free(&config); }
  Loaded(const Loaded&) = delete;
  Loaded& operator=(const Loaded&) = delete;

  Certificates own, authorities;
  PrivateKey key;
  mbedtls_ssl_config config;
};

Result<std::shared_ptr<const TlsCredentials::Loaded>> TlsCredentials::read(const TlsServerFiles& files) {
  auto loaded = std::make_shared<Loaded>();
  BERTH_CHECK(loaded->own.load(files.certificate_file));
  BERTH_CHECK(loaded->key.load(files.key_file));
  if (!files.client_ca_file.empty()) BERTH_CHECK(loaded->authorities.load(files.client_ca_file, true));  // whose clients would be strangers, and nobody would say why
  if (mbedtls_pk_check_pair(&loaded->own.get()->pk, loaded->key.get()) != 0)
    return fail(Errc::usage, fmt::format("the key {} does not belong to the certificate {}", files.key_file, files.certificate_file));
  mbedtls_ssl_config& config = loaded->config;
  BERTH_CHECK(set_tls_rules(config, MBEDTLS_SSL_IS_SERVER));
  mbedtls_ssl_conf_curves(&config, kQuickCurves);
  mbedtls_ssl_conf_authmode(&config, files.client_ca_file.empty() ? MBEDTLS_SSL_VERIFY_NONE : MBEDTLS_SSL_VERIFY_REQUIRED);
  mbedtls_ssl_conf_cert_profile(&config, &kClientCertificates);
  if (!files.client_ca_file.empty()) mbedtls_ssl_conf_ca_chain(&config, loaded->authorities.get(), nullptr);
  if (mbedtls_ssl_conf_own_cert(&config, loaded->own.get(), loaded->key.get()) != 0) return fail(Errc::internal, "no memory for a certificate");
  return loaded;
}

Result<std::shared_ptr<TlsCredentials>> TlsCredentials::load(TlsServerFiles files, Tell tell) {
  std::string stamp = stamp_of(files);
  BERTH_TRY(auto loaded, read(files));
  return std::shared_ptr<TlsCredentials>(new TlsCredentials(std::move(files), std::move(tell), std::move(stamp), std::move(loaded)));
}

TlsCredentials::TlsCredentials(TlsServerFiles files, Tell tell, std::string stamp, std::shared_ptr<const Loaded> loaded)
    : files_(std::move(files)), tell_(std::move(tell)), stamp_(std::move(stamp)), loaded_(std::move(loaded)) {
  read_revocations();
}

TlsCredentials::~TlsCredentials() = default;

/// Also where the other files are wrong: what was taken back is, whatever else is the matter.
void TlsCredentials::read_revocations() {
  if (files_.client_crl_file.empty()) return;
  lists_stamp_ = stamp_of(files_.client_crl_file);
  revocations_ = std::make_shared<const Revocations>(files_.client_crl_file, *loaded_->authorities.get());
}

void TlsCredentials::refresh() {
  std::string stamp = stamp_of(files_);
  const bool others = stamp != stamp_, other_lists = revocations_ && stamp_of(files_.client_crl_file) != lists_stamp_;
  if (!others && !other_lists) return;
  stamp_ = std::move(stamp);
  const Result<std::shared_ptr<const Loaded>> loaded = others ? read(files_) : loaded_;
  if (loaded) loaded_ = *loaded;
  const auto before = revocations_;
  read_revocations();
  if (before && !revocations_->same_as(*before)) tell_(TlsNews::other_revocations, files_.client_crl_file);
  if (!loaded) return tell_(TlsNews::kept, loaded.error().message);
  if (others) tell_(TlsNews::exchanged, files_.certificate_file);
}

std::chrono::system_clock::time_point TlsCredentials::begins() const { return time_of(loaded_->own.get()->valid_from); }
std::chrono::system_clock::time_point TlsCredentials::ends() const { return time_of(loaded_->own.get()->valid_to); }

std::shared_ptr<const mbedtls_ssl_config> TlsCredentials::config() const { return {loaded_, &loaded_->config}; }

}  // namespace berth::io
