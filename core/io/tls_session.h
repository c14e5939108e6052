#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <boost/asio/awaitable.hpp>
#include <mbedtls/ssl.h>

#include "core/io/loop.h"
#include "core/io/wire.h"
#include "core/result.h"

namespace berth::io {

/// What mbedTLS gave up with.
struct TlsFailure {
  int code = 0;
  const mbedtls_ssl_context& context;
  std::string_view first;  ///< what the peer said first, as far as it was kept: the record with its hello

  /// The alert that the peer sent and mbedTLS ended with; 0: it was something else.
  int received_alert() const;
};

/// Which end of a session this is, and how it tells of failures.
struct TlsSide {
  Error (*explain)(const TlsFailure& failure);
  /// The alert that the peer is to get, in the place of what mbedTLS sends; 0: that one. Null: always that one.
  int (*alert)(const TlsFailure& failure) = nullptr;
};

/// A session of TLS over a Wire. Used as the Wire is: by one coroutine at a time, or, of a Wire that is split, by one that reads and one that writes. The Wire and the
/// configuration outlive it.
class TlsSession {
 public:
  TlsSession(Wire& wire, TlsSide side);
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  /// A look at each certificate of the peer's chain, the peer's own with the depth 0, that may find more wrong with it; by the thread that computes.
  using Look = std::function<void(const mbedtls_x509_crt& certificate, int depth, std::uint32_t& flaws)>;
  void look_at_certificates(Look look);

  /// Agrees with the peer by `config`, or tells it by an alert why not. `pool`, which outlives it, does what is to be computed, since a peer's keys may make that
  /// take seconds; without one the loop does. Fails as the side explains it, with `Errc::timeout` at `deadline`, and as a Wire does.
  boost::asio::awaitable<Result<void>> agree(const mbedtls_ssl_config& config, Steady::time_point deadline, Pool* pool = nullptr);

  boost::asio::awaitable<Result<std::size_t>> read(std::string* into, Steady::time_point deadline);
  boost::asio::awaitable<Result<void>> write(std::string_view bytes, milliseconds stall, Steady::time_point deadline = Steady::time_point::max());
  /// Tells the peer that nothing more will be sent. Reading goes on.
  boost::asio::awaitable<void> end_writing(milliseconds stall);

  const mbedtls_ssl_context& context() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace berth::io
