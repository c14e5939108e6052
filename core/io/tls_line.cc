#include <algorithm>
#include <cerrno>

#include <fmt/core.h>
#include <mbedtls/ssl.h>
#include <poll.h>
#include <sys/socket.h>

#include "core/io/certificates.h"
#include "core/io/ip_address.h"
#include "core/io/line.h"
#include "core/io/tls_rules.h"

namespace berth::io {
namespace {

constexpr const char* kSystemAuthorities = "/etc/ssl/certs/ca-certificates.crt";
constexpr std::size_t kRecord = 16u << 10;  // a record of TLS

constexpr mbedtls_ecp_group_id kCurves[] = {MBEDTLS_ECP_DP_CURVE25519, MBEDTLS_ECP_DP_SECP256R1, MBEDTLS_ECP_DP_SECP384R1, MBEDTLS_ECP_DP_SECP521R1,
                                            MBEDTLS_ECP_DP_NONE};

/// The socket, as mbedTLS sees it.
int send_some(void* socket, const unsigned char* bytes, std::size_t size) {
  const ssize_t sent = ::send(*static_cast<int*>(socket), bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent >= 0) return static_cast<int>(sent);
  return errno == EAGAIN || errno == EINTR ? MBEDTLS_ERR_SSL_WANT_WRITE : MBEDTLS_ERR_SSL_CONN_EOF;
}
int receive_some(void* socket, unsigned char* into, std::size_t size) {
  const ssize_t got = ::recv(*static_cast<int*>(socket), into, size, MSG_DONTWAIT);
  if (got >= 0) return static_cast<int>(got);
  return errno == EAGAIN || errno == EINTR ? MBEDTLS_ERR_SSL_WANT_READ : MBEDTLS_ERR_SSL_CONN_EOF;
}

/// What is to be done about a client certificate that was refused by an alert (RFC 5246, 7.2.2).
std::string advice_of(int alert, const mbedtls_x509_crt& own) {
  const mbedtls_x509_time& end = own.valid_to;
  if (mbedtls_x509_time_is_past(&end) != 0)
    return fmt::format("it ended at {:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z, so have a new one made, as 'berth ca sign' does", end.year, end.mon, end.day, end.hour, end.min, end.sec);
  switch (alert) {
    case MBEDTLS_SSL_ALERT_MSG_CERT_EXPIRED: return "it is not over yet by the clock here, so that one of the two clocks is wrong";
    case MBEDTLS_SSL_ALERT_MSG_UNSUPPORTED_CERT: return "it is not for clients, or of a kind of key that is not known there: have one made for clients, as 'berth ca sign --client' does";
    case MBEDTLS_SSL_ALERT_MSG_CERT_REVOKED: return "its authority has revoked it: have a new one made, as 'berth ca sign' does";
    case MBEDTLS_SSL_ALERT_MSG_CERT_UNKNOWN: return "nobody can tell there whether it was revoked (client_crl_file of its berthd.toml): berth status on that node says why";
    default: return "it is of no authority that is trusted there (client_ca_file of its berthd.toml says which are): have one made by such an authority, as 'berth ca sign' does";
  }
}

bool is_of_certificate(int alert) {
  constexpr int kAlerts[] = {MBEDTLS_SSL_ALERT_MSG_BAD_CERT,     MBEDTLS_SSL_ALERT_MSG_UNSUPPORTED_CERT, MBEDTLS_SSL_ALERT_MSG_CERT_REVOKED, MBEDTLS_SSL_ALERT_MSG_CERT_EXPIRED,
                             MBEDTLS_SSL_ALERT_MSG_CERT_UNKNOWN, MBEDTLS_SSL_ALERT_MSG_UNKNOWN_CA,       MBEDTLS_SSL_ALERT_MSG_ACCESS_DENIED};
  return std::ranges::find(kAlerts, alert) != std::end(kAlerts);
}

int check_name(void* host, mbedtls_x509_crt* certificate, int depth, std::uint32_t* flaws) {
  if (depth == 0 && !may_name(*certificate, *static_cast<std::string*>(host))) *flaws |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
  return 0;
}

class TlsLine final : public Line {
 public:
  TlsLine(Fd socket, std::string host, const Patience& patience)
      : socket_(std::move(socket)), descriptor_(socket_.get()), host_(std::move(host)), patience_(patience) {
    mbedtls_ssl_init(&ssl_);
    mbedtls_ssl_config_init(&config_);
  }
  ~TlsLine() override {
    if (agreed_) mbedtls_ssl_close_notify(&ssl_);
    mbedtls_ssl_free(&ssl_);
    mbedtls_ssl_config_free(&config_);
  }

  Result<void> prepare(const TlsOptions& options);
  Result<void> shake_hands();
  Result<std::size_t> read(std::string* into) override;
  Result<void> write(std::string_view bytes) override;
  Result<void> end_writing() override;
  int descriptor() const override { return descriptor_; }

 private:
  Result<void> load(const TlsOptions& options);
  /// Waits for what mbedTLS wants; any other code is an error.
  Result<void> wait(int code) const;
  Error explain(int code) const;

  Fd socket_;
  int descriptor_;
  std::string host_, ca_name_, certificate_file_;
  const Patience& patience_;
  Certificates authorities_, own_;
  PrivateKey key_;
  mbedtls_ssl_context ssl_;
  mbedtls_ssl_config config_;
  bool agreed_ = false;
};

Result<void> TlsLine::load(const TlsOptions& options) {
  ca_name_ = options.ca_name;
  certificate_file_ = options.certificate_file;
  BERTH_CHECK(authorities_.load(options.ca_file.empty() ? kSystemAuthorities : options.ca_file));
  mbedtls_ssl_conf_ca_chain(&config_, authorities_.get(), nullptr);
  if (options.certificate_file.empty() && options.key_file.empty()) return {};
  if (options.certificate_file.empty() || options.key_file.empty())
    return fail(Errc::usage, "a client certificate needs both its file and the file of its key");
  BERTH_CHECK(own_.load(options.certificate_file));
  BERTH_CHECK(key_.load(options.key_file));
  if (mbedtls_pk_check_pair(&own_.get()->pk, key_.get()) != 0)
    return fail(Errc::usage, fmt::format("the key {} does not belong to the certificate {}", options.key_file, options.certificate_file));
  if (mbedtls_ssl_conf_own_cert(&config_, own_.get(), key_.get()) != 0) return fail(Errc::internal, "no memory for a client certificate");
  return {};
}

Result<void> TlsLine::prepare(const TlsOptions& options) {
  BERTH_CHECK(set_tls_rules(config_, MBEDTLS_SSL_IS_CLIENT));
  mbedtls_ssl_conf_curves(&config_, kCurves);
  mbedtls_ssl_conf_authmode(&config_, MBEDTLS_SSL_VERIFY_REQUIRED);
  mbedtls_ssl_conf_verify(&config_, &check_name, &host_);
  BERTH_CHECK(load(options));
  int failed = mbedtls_ssl_setup(&ssl_, &config_);
  // A numeric address is no server name (RFC 6066, 3); `check_name` compares it.
  if (failed == 0) failed = mbedtls_ssl_set_hostname(&ssl_, ip_address(host_, 0) ? nullptr : host_.c_str());
  if (failed != 0) return fail(Errc::internal, "TLS: " + tls_error(failed));
  mbedtls_ssl_set_bio(&ssl_, &descriptor_, &send_some, &receive_some, nullptr);
  return {};
}

Result<void> TlsLine::wait(int code) const {
  if (code == MBEDTLS_ERR_SSL_WANT_READ) return patience_.wait(descriptor_, POLLIN);
  if (code == MBEDTLS_ERR_SSL_WANT_WRITE) return patience_.wait(descriptor_, POLLOUT);
  return std::unexpected(explain(code));
}

Error TlsLine::explain(int code) const {
  constexpr std::string_view kSpeaks = "berth speaks TLS 1.2 with ECDHE and AES-GCM or ChaCha20-Poly1305, and knows RSA and ECDSA certificates";
  if (code == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED) return {Errc::unreachable, "its certificate is refused" + certificate_flaws(mbedtls_ssl_get_verify_result(&ssl_), host_, ca_name_)};
  if (code == MBEDTLS_ERR_SSL_BAD_HS_PROTOCOL_VERSION)
    return {Errc::unreachable, "it offers only TLS older than 1.2, and berth speaks TLS 1.2: enable that at the server"};
  if (code == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE) {
    const int alert = ssl_.in_msg[1];
    if (alert == MBEDTLS_SSL_ALERT_MSG_PROTOCOL_VERSION)
      return {Errc::unreachable, "it offers no TLS 1.2 (only TLS 1.3?), and berth speaks TLS 1.2: enable that at the server"};
    if (alert == MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE)
      return {Errc::unreachable, fmt::format("no cipher or kind of certificate in common (only TLS 1.3 or 1.1, or an Ed25519 certificate?): {}; "
                                             "or it wants a client certificate", kSpeaks)};
    if (is_of_certificate(alert) && !certificate_file_.empty())
      return {Errc::unreachable, fmt::format("{}{} by {}: {}", kCertificateRefused, certificate_file_, tls_alert_text(alert), advice_of(alert, *own_.get()))};
    return {Errc::unreachable, fmt::format("it ended TLS by {}; if it asks for a client certificate, that is missing or refused", tls_alert_text(alert))};
  }
  if (code == MBEDTLS_ERR_SSL_CONN_EOF || code == 0)
    return {Errc::unreachable, agreed_ ? "the connection broke" : "it closed the connection during the TLS handshake"};
  if (code == MBEDTLS_ERR_SSL_INVALID_RECORD) return {Errc::unreachable, "it does not speak TLS at that port"};
  return {Errc::unreachable, "TLS: " + tls_error(code)};
}

Result<void> TlsLine::shake_hands() {
  while (true) {
    BERTH_CHECK(patience_.check());
    const int code = mbedtls_ssl_handshake(&ssl_);
    if (code == 0) break;
    BERTH_CHECK(wait(code));
  }
  agreed_ = true;
  return {};
}

Result<std::size_t> TlsLine::read(std::string* into) {
  unsigned char piece[kRecord];
  while (true) {
    BERTH_CHECK(patience_.check());
    const int got = mbedtls_ssl_read(&ssl_, piece, sizeof piece);
    if (got == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) return 0;
    if (got > 0) {
      into->append(reinterpret_cast<const char*>(piece), static_cast<std::size_t>(got));
      return static_cast<std::size_t>(got);
    }
    // 0 is an end without a farewell: somebody on the way may have cut it.
    BERTH_CHECK(wait(got));
  }
}

Result<void> TlsLine::write(std::string_view bytes) {
  while (!bytes.empty()) {
    BERTH_CHECK(patience_.check());
    const int sent = mbedtls_ssl_write(&ssl_, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
    if (sent > 0) bytes.remove_prefix(static_cast<std::size_t>(sent));
    else BERTH_CHECK(wait(sent));
  }
  return {};
}

Result<void> TlsLine::end_writing() {
  while (true) {
    BERTH_CHECK(patience_.check());
    const int code = mbedtls_ssl_close_notify(&ssl_);
    if (code == 0) break;
    BERTH_CHECK(wait(code));
  }
  agreed_ = false;  // it has been said
  ::shutdown(descriptor_, SHUT_WR);
  return {};
}

}  // namespace

Result<std::unique_ptr<Line>> open_tls(Fd socket, const std::string& host, const TlsOptions& options, const Patience& patience) {
  auto line = std::make_unique<TlsLine>(std::move(socket), host, patience);
  BERTH_CHECK(line->prepare(options));
  BERTH_CHECK(line->shake_hands());
  return line;
}

}  // namespace berth::io
