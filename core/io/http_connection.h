#pragma once

#include <memory>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include "core/files/fd.h"
#include "core/io/http.h"
#include "core/io/wire.h"

namespace berth::io {

/// What every connection of a server shares.
struct Service {
  Handler handler;
  ServerLimits limits;
};

/// A client that was accepted. The server closes and cancels it; its coroutine keeps it until it ended.
struct Connection {
  Connection(boost::asio::any_io_executor executor, Fd socket, Peer its_peer);

  Wire wire;
  Peer peer;
  boost::asio::cancellation_signal cancel;
};

/// Who is at the other end of `socket`.
Peer peer_of(int socket);

/// Reads requests, has them handled and replies, until either side has enough.
boost::asio::awaitable<void> serve(std::shared_ptr<const Service> service, std::shared_ptr<Connection> connection);

}  // namespace berth::io
