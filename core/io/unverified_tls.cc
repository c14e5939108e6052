#include "core/io/unverified_tls.h"

#include <algorithm>
#include <cstring>

#include <mbedtls/ssl.h>

#include "core/io/certificates.h"
#include "core/io/tls_random.h"
#include "core/io/tls_suites.h"

namespace berth::io {
namespace {

constexpr mbedtls_ecp_group_id kQuickCurves[] = {MBEDTLS_ECP_DP_CURVE25519, MBEDTLS_ECP_DP_SECP256R1, MBEDTLS_ECP_DP_SECP384R1, MBEDTLS_ECP_DP_NONE};

namespace asio = boost::asio;

constexpr std::size_t kTlsPiece = 16u << 10;  // a record of TLS
constexpr std::size_t kMostUnsent = 1u << 20;

}  // namespace

/// mbedTLS reads and writes strings; they are exchanged with the peer in between.
struct UnverifiedTls::State {
  explicit State(Wire its_wire) : wire(std::move(its_wire)) {
    mbedtls_ssl_init(&ssl);
    mbedtls_ssl_config_init(&config);
  }
  ~State() {
    mbedtls_ssl_free(&ssl);
    mbedtls_ssl_config_free(&config);
  }

  static int put(void* self, const unsigned char* bytes, std::size_t size) {
    auto& unsent = static_cast<State*>(self)->unsent;
    if (unsent.size() > kMostUnsent) return MBEDTLS_ERR_SSL_WANT_WRITE;
    unsent.append(reinterpret_cast<const char*>(bytes), size);
    return static_cast<int>(size);
  }
  static int take(void* self, unsigned char* into, std::size_t size) {
    auto& state = *static_cast<State*>(self);
    if (state.received.empty()) return state.ended ? 0 : MBEDTLS_ERR_SSL_WANT_READ;
    const std::size_t count = std::min(size, state.received.size());
    std::memcpy(into, state.received.data(), count);
    state.received.erase(0, count);
    return static_cast<int>(count);
  }

  Result<void> prepare() {
    int failed = mbedtls_ssl_config_defaults(&config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);
    mbedtls_ssl_conf_min_version(&config, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
    mbedtls_ssl_conf_max_version(&config, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
    // The same as elsewhere; and curves whose handshake does not hold the event loop up.
    mbedtls_ssl_conf_ciphersuites(&config, kTlsSuites);
    mbedtls_ssl_conf_curves(&config, kQuickCurves);
    mbedtls_ssl_conf_renegotiation(&config, MBEDTLS_SSL_RENEGOTIATION_DISABLED);
    mbedtls_ssl_conf_authmode(&config, MBEDTLS_SSL_VERIFY_NONE);
    mbedtls_ssl_conf_rng(&config, &random_for_tls, nullptr);
    if (failed == 0) failed = mbedtls_ssl_setup(&ssl, &config);
    if (failed != 0) return fail(Errc::internal, "TLS: " + tls_error(failed));
    mbedtls_ssl_set_bio(&ssl, this, &put, &take, nullptr);
    return {};
  }

  std::unexpected<Error> explain(int code) const {
    if (code == MBEDTLS_ERR_SSL_INVALID_RECORD) return fail(Errc::protocol, "it does not speak TLS at that port");
    if (code == MBEDTLS_ERR_SSL_CONN_EOF || code == 0) return fail(Errc::protocol, "it closed the connection in the midst of TLS");
    if (code == MBEDTLS_ERR_SSL_BAD_HS_PROTOCOL_VERSION || (code == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE && ssl.in_msg[1] == MBEDTLS_SSL_ALERT_MSG_PROTOCOL_VERSION))
      return fail(Errc::protocol, "it offers no TLS 1.2, which probes speak");
    return fail(Errc::protocol, "TLS: " + tls_error(code));
  }

  /// Does what mbedTLS asks for after it returned `code`.
  asio::awaitable<Result<void>> go_on(int code, Steady::time_point deadline) {
    auto sent = co_await flush(deadline);
    if (!sent) co_return sent;
    if (code == MBEDTLS_ERR_SSL_WANT_WRITE) co_return Result<void>();
    if (code != MBEDTLS_ERR_SSL_WANT_READ) co_return explain(code);
    const auto got = co_await wire.read(&received, deadline);
    if (!got) co_return std::unexpected(got.error());
    ended = *got == 0;
    co_return Result<void>();
  }
  asio::awaitable<Result<void>> flush(Steady::time_point deadline) {
    const std::string bytes = std::exchange(unsent, {});
    auto sent = co_await wire.write(bytes, milliseconds(60'000), deadline);
    co_return sent;
  }

  Wire wire;
  std::string received, unsent;
  bool ended = false;
  mbedtls_ssl_context ssl;
  mbedtls_ssl_config config;
};

UnverifiedTls::UnverifiedTls(std::unique_ptr<State> state) : state_(std::move(state)) {}
UnverifiedTls::~UnverifiedTls() = default;
UnverifiedTls::UnverifiedTls(UnverifiedTls&&) noexcept = default;

asio::awaitable<Result<UnverifiedTls>> UnverifiedTls::agree(Wire wire, Steady::time_point deadline) {
  auto state = std::make_unique<State>(std::move(wire));
  if (auto prepared = state->prepare(); !prepared) co_return std::unexpected(prepared.error());
  while (true) {
    const int code = mbedtls_ssl_handshake(&state->ssl);
    if (code == 0) break;
    const auto gone_on = co_await state->go_on(code, deadline);
    if (!gone_on) co_return std::unexpected(gone_on.error());
  }
  const auto sent = co_await state->flush(deadline);
  if (!sent) co_return std::unexpected(sent.error());
  co_return UnverifiedTls(std::move(state));
}

asio::awaitable<Result<std::size_t>> UnverifiedTls::read(std::string* into, Steady::time_point deadline) {
  unsigned char piece[kTlsPiece];
  while (true) {
    const int got = mbedtls_ssl_read(&state_->ssl, piece, sizeof piece);
    if (got > 0) {
      into->append(reinterpret_cast<const char*>(piece), static_cast<std::size_t>(got));
      co_return static_cast<std::size_t>(got);
    }
    // Servers that close without a farewell are told nothing here that would need it.
    if (got == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY || got == 0) co_return 0;
    const auto gone_on = co_await state_->go_on(got, deadline);
    if (!gone_on) co_return std::unexpected(gone_on.error());
  }
}

asio::awaitable<Result<void>> UnverifiedTls::write(std::string_view bytes, milliseconds, Steady::time_point deadline) {
  while (!bytes.empty()) {
    const int taken = mbedtls_ssl_write(&state_->ssl, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
    if (taken > 0) bytes.remove_prefix(static_cast<std::size_t>(taken));
    const int came = taken > 0 ? MBEDTLS_ERR_SSL_WANT_WRITE : taken;
    const auto gone_on = co_await state_->go_on(came, deadline);
    if (!gone_on) co_return gone_on;
  }
  co_return Result<void>();
}

}  // namespace berth::io
