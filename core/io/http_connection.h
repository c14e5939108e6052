#pragma once

#include <memory>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include "core/files/fd.h"
#include "core/io/http.h"
#include "core/io/tls_credentials.h"
#include "core/io/tls_session.h"
#include "core/io/wire.h"

namespace berth::io {

/// What every connection of a server shares.
struct Service {
  Handler handler;
  ServerLimits limits;
};

/// What a listener has that speaks TLS.
struct TlsService {
  std::shared_ptr<TlsCredentials> credentials;  ///< null: plain
  Pool* pool = nullptr;
};

/// A client that was accepted. The server closes and cancels it; its coroutine keeps it until it ended.
struct Connection : std::enable_shared_from_this<Connection> {
  Connection(boost::asio::any_io_executor executor, Fd socket, Peer its_peer, const TlsService& its_service);

  /// By TLS where it is used.
  boost::asio::awaitable<Result<void>> agree(Steady::time_point deadline);
  boost::asio::awaitable<Result<std::size_t>> read(std::string* into, Steady::time_point deadline);
  boost::asio::awaitable<Result<void>> write(std::string_view bytes, milliseconds stall);
  boost::asio::awaitable<void> end_writing(milliseconds stall);

  Wire wire;
  Peer peer;
  std::string neighbourhood;  ///< what counts as one address
  bool upgraded = false;      ///< it speaks something else than HTTP now, and is let go of for nobody
  bool is_new = true;         ///< there is nothing of a request yet: TLS is not agreed on
  bool owes_answer = true;    ///< its first request is awaited, or one is at work that is answered by more than a stream
  Steady::time_point since = Steady::now();  ///< when it came, or its last request was answered
  TlsService service;
  std::shared_ptr<const mbedtls_ssl_config> config;
  std::unique_ptr<TlsSession> tls;  ///< before what it refers to
  boost::asio::cancellation_signal cancel;
};

/// Who is at the other end of `socket`.
Peer peer_of(int socket);

/// What one client has of addresses: one of IPv4, a /64 of IPv6; of a Unix socket its user. Empty: it is not counted.
std::string neighbourhood_of(const Peer& peer);

/// Reads requests, has them handled and replies, until either side has enough.
boost::asio::awaitable<void> serve(std::shared_ptr<const Service> service, std::shared_ptr<Connection> connection);

}  // namespace berth::io
