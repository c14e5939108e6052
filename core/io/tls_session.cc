#include "core/io/tls_session.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/io/certificates.h"

namespace berth::io {
namespace {

namespace asio = boost::asio;

constexpr std::size_t kTlsPiece = 16u << 10;  // a record of TLS
constexpr std::size_t kMostUnsent = 1u << 20;
constexpr std::size_t kMostFirst = kTlsPiece;
constexpr milliseconds kHandshakeStall{60'000};  // within its deadline
constexpr std::size_t kAlertLength = 7;

/// A fatal alert before anything is encrypted.
std::string plain_alert(int alert) { return {'\x15', '\x03', '\x03', '\x00', '\x02', static_cast<char>(MBEDTLS_SSL_ALERT_LEVEL_FATAL), static_cast<char>(alert)}; }

bool ends_with_alert(std::string_view bytes) { return bytes.size() >= kAlertLength && bytes[bytes.size() - kAlertLength] == '\x15'; }

}  // namespace

int TlsFailure::received_alert() const { return code == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE ? context.in_msg[1] : 0; }

/// mbedTLS reads and writes strings; they are exchanged with the peer in between.
struct TlsSession::State {
  State(Wire& its_wire, TlsSide its_side) : wire(its_wire), side(its_side) { mbedtls_ssl_init(&ssl); }
  ~State() { mbedtls_ssl_free(&ssl); }

  static int put(void* self, const unsigned char* bytes, std::size_t size) {
    auto& unsent = static_cast<State*>(self)->unsent;
    if (unsent.size() > kMostUnsent) return MBEDTLS_ERR_SSL_WANT_WRITE;
    unsent.append(reinterpret_cast<const char*>(bytes), size);
    return static_cast<int>(size);
  }
  static int take(void* self, unsigned char* into, std::size_t size) {
    auto& state = *static_cast<State*>(self);
    const std::size_t count = std::min(size, state.received.size() - state.taken);
    if (count == 0) return state.ended ? 0 : MBEDTLS_ERR_SSL_WANT_READ;
    std::memcpy(into, state.received.data() + state.taken, count);
    state.taken += count;
    return static_cast<int>(count);
  }

  static int look_at(void* self, mbedtls_x509_crt* certificate, int depth, std::uint32_t* flaws) {
    static_cast<State*>(self)->look(*certificate, depth, *flaws);
    return 0;
  }

  bool handshake_over() const { return ssl.state == MBEDTLS_SSL_HANDSHAKE_OVER; }
  TlsFailure failure(int code) const { return {code, ssl, first}; }

  /// Of two that would send, the one that began sends what the other one has to say, too: records must not be torn.
  asio::awaitable<Result<void>> flush(milliseconds stall, Steady::time_point deadline) {
    if (unsent.empty()) co_return Result<void>();
    if (flushing) {
      co_await give_way();
      co_return Result<void>();
    }
    flushing = true;
    Result<void> sent;
    do {
      const std::string bytes = std::exchange(unsent, {});
      sent = co_await wire.write(bytes, stall, deadline);
    } while (sent && !unsent.empty());
    flushing = false;
    co_return sent;
  }

  /// The next step of the handshake, which may take milliseconds, or more where the peer likes it.
  asio::awaitable<int> step(Pool* pool) {
    const auto compute = [this] { return mbedtls_ssl_handshake_step(&ssl); };
    if (pool == nullptr) {
      co_await give_way();
      co_return compute();
    }
    const int code = co_await pool->run(compute);
    co_return code;
  }

  /// Does what mbedTLS asks for after it returned `code`.
  asio::awaitable<Result<void>> go_on(int code, milliseconds stall, Steady::time_point deadline) {
    auto sent = co_await flush(stall, deadline);
    if (!sent) co_return sent;
    if (code == MBEDTLS_ERR_SSL_WANT_WRITE) co_return Result<void>();
    if (code != MBEDTLS_ERR_SSL_WANT_READ) co_return std::unexpected(side.explain(failure(code)));
    received.erase(0, std::exchange(taken, 0));
    const std::size_t before = received.size();
    const auto got = co_await wire.read(&received, deadline);
    if (!got) co_return std::unexpected(got.error());
    ended = *got == 0;
    if (!handshake_over() && first.size() < kMostFirst) first.append(received, before, kMostFirst - first.size());
    co_return Result<void>();
  }

  /// Tells the peer why there is nothing to agree on, as far as it listens.
  asio::awaitable<Error> give_up(int code, Steady::time_point deadline) {
    Error why = side.explain(failure(code));
    if (const int alert = side.alert != nullptr ? side.alert(failure(code)) : 0; alert != 0) {
      if (ends_with_alert(unsent)) unsent.resize(unsent.size() - kAlertLength);
      unsent += plain_alert(alert);
    }
    co_await flush(kHandshakeStall, deadline);
    co_return why;
  }

  Wire& wire;
  TlsSide side;
  std::string received, unsent;
  std::size_t taken = 0;  ///< of what was received
  std::string first;
  bool ended = false;
  bool flushing = false;
  Look look;
  mbedtls_ssl_context ssl;
};

TlsSession::TlsSession(Wire& wire, TlsSide side) : state_(std::make_unique<State>(wire, side)) {}
TlsSession::~TlsSession() = default;

void TlsSession::look_at_certificates(Look look) { state_->look = std::move(look); }

asio::awaitable<Result<void>> TlsSession::agree(const mbedtls_ssl_config& config, Steady::time_point deadline, Pool* pool) {
  State& state = *state_;
  const int failed = mbedtls_ssl_setup(&state.ssl, &config);
  if (failed != 0) co_return fail(Errc::internal, "TLS: " + tls_error(failed));
  mbedtls_ssl_set_bio(&state.ssl, &state, &State::put, &State::take, nullptr);
  if (state.look) mbedtls_ssl_set_verify(&state.ssl, &State::look_at, &state);
  while (!state.handshake_over()) {
    const int code = co_await state.step(pool);
    if (code == 0) continue;
    if (code != MBEDTLS_ERR_SSL_WANT_READ && code != MBEDTLS_ERR_SSL_WANT_WRITE) {
      Error why = co_await state.give_up(code, deadline);
      co_return std::unexpected(std::move(why));
    }
    const auto gone_on = co_await state.go_on(code, kHandshakeStall, deadline);
    if (!gone_on) co_return std::unexpected(gone_on.error());
  }
  std::string().swap(state.first);
  auto sent = co_await state.flush(kHandshakeStall, deadline);
  co_return sent;
}

asio::awaitable<Result<std::size_t>> TlsSession::read(std::string* into, Steady::time_point deadline) {
  unsigned char piece[kTlsPiece];
  while (true) {
    const int got = mbedtls_ssl_read(&state_->ssl, piece, sizeof piece);
    if (got > 0) {
      into->append(reinterpret_cast<const char*>(piece), static_cast<std::size_t>(got));
      co_return static_cast<std::size_t>(got);
    }
    // Who closes without a farewell is told nothing here that would need it.
    if (got == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY || got == 0) co_return 0;
    const auto gone_on = co_await state_->go_on(got, kHandshakeStall, deadline);
    if (!gone_on) co_return std::unexpected(gone_on.error());
  }
}

asio::awaitable<Result<void>> TlsSession::write(std::string_view bytes, milliseconds stall, Steady::time_point deadline) {
  while (!bytes.empty()) {
    const int taken = mbedtls_ssl_write(&state_->ssl, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
    if (taken > 0) bytes.remove_prefix(static_cast<std::size_t>(taken));
    const int came = taken > 0 ? MBEDTLS_ERR_SSL_WANT_WRITE : taken;
    const auto gone_on = co_await state_->go_on(came, stall, deadline);
    if (!gone_on) co_return gone_on;
  }
  co_return Result<void>();
}

asio::awaitable<void> TlsSession::end_writing(milliseconds stall) {
  if (state_->handshake_over()) mbedtls_ssl_close_notify(&state_->ssl);  // which is put, and never waits
  co_await state_->flush(stall, Steady::time_point::max());
  state_->wire.end_writing();
}

const mbedtls_ssl_context& TlsSession::context() const { return state_->ssl; }

}  // namespace berth::io
