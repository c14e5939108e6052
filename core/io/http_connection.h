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

/// A client that was accepted. The server closes and cancels it; its coroutine keeps it until it ended.
struct Connection {
  /// With `credentials` it speaks TLS, for which it agrees with the client first.
  Connection(boost::asio::any_io_executor executor, Fd socket, Peer its_peer, std::shared_ptr<TlsCredentials> its_credentials);

  /// By TLS where it is used.
  boost::asio::awaitable<Result<void>> agree(Steady::time_point deadline);
  boost::asio::awaitable<Result<std::size_t>> read(std::string* into, Steady::time_point deadline);
  boost::asio::awaitable<Result<void>> write(std::string_view bytes, milliseconds stall);
  boost::asio::awaitable<void> end_writing(milliseconds stall);

  Wire wire;
  Peer peer;
  std::shared_ptr<TlsCredentials> credentials;  ///< null: plain
  std::shared_ptr<const mbedtls_ssl_config> config;
  std::unique_ptr<TlsSession> tls;  ///< before what it refers to
  boost::asio::cancellation_signal cancel;
};

/// Who is at the other end of `socket`.
Peer peer_of(int socket);

/// Reads requests, has them handled and replies, until either side has enough.
boost::asio::awaitable<void> serve(std::shared_ptr<const Service> service, std::shared_ptr<Connection> connection);

}  // namespace berth::io
