#include "core/io/unverified_tls.h"

#include "core/io/certificates.h"
#include "core/io/tls_rules.h"
#include "core/io/tls_session.h"

namespace berth::io {
namespace {

namespace asio = boost::asio;

Error explain_to_probe(const TlsFailure& failure) {
  if (failure.code == MBEDTLS_ERR_SSL_INVALID_RECORD) return {Errc::protocol, "it does not speak TLS at that port"};
  if (failure.code == MBEDTLS_ERR_SSL_CONN_EOF || failure.code == 0) return {Errc::protocol, "it closed the connection in the midst of TLS"};
  if (failure.code == MBEDTLS_ERR_SSL_BAD_HS_PROTOCOL_VERSION || failure.received_alert() == MBEDTLS_SSL_ALERT_MSG_PROTOCOL_VERSION)
    return {Errc::protocol, "it offers no TLS 1.2, which probes speak"};
  return {Errc::protocol, "TLS: " + tls_error(failure.code)};
}

}  // namespace

struct UnverifiedTls::State {
  explicit State(Wire its_wire) : wire(std::move(its_wire)), session(wire, {.explain = explain_to_probe}) { mbedtls_ssl_config_init(&config); }
  ~State() { mbedtls_ssl_config_free(&config); }

  Result<void> prepare() {
    BERTH_CHECK(set_tls_rules(config, MBEDTLS_SSL_IS_CLIENT));
    mbedtls_ssl_conf_curves(&config, kQuickCurves);
    mbedtls_ssl_conf_authmode(&config, MBEDTLS_SSL_VERIFY_NONE);
    return {};
  }

  Wire wire;
  mbedtls_ssl_config config;
  TlsSession session;
};

UnverifiedTls::UnverifiedTls(std::unique_ptr<State> state) : state_(std::move(state)) {}
UnverifiedTls::~UnverifiedTls() = default;
UnverifiedTls::UnverifiedTls(UnverifiedTls&&) noexcept = default;

asio::awaitable<Result<UnverifiedTls>> UnverifiedTls::agree(Wire wire, Steady::time_point deadline) {
  auto state = std::make_unique<State>(std::move(wire));
  if (auto prepared = state->prepare(); !prepared) co_return std::unexpected(prepared.error());
  const auto agreed = co_await state->session.agree(state->config, deadline);
  if (!agreed) co_return std::unexpected(agreed.error());
  co_return UnverifiedTls(std::move(state));
}

asio::awaitable<Result<std::size_t>> UnverifiedTls::read(std::string* into, Steady::time_point deadline) { return state_->session.read(into, deadline); }

asio::awaitable<Result<void>> UnverifiedTls::write(std::string_view bytes, milliseconds stall, Steady::time_point deadline) {
  return state_->session.write(bytes, stall, deadline);
}

}  // namespace berth::io
