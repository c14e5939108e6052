#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "core/files/fd.h"
#include "core/io/http.h"
#include "core/io/readiness.h"
#include "core/result.h"

namespace berth::io {

/// A connected stream socket on a loop. One coroutine uses it at a time, but for `split`; it may be closed meanwhile, and outlives the coroutine.
class Wire {
 public:
  /// `socket` is non-blocking; `peer` is what messages call the other end.
  Wire(boost::asio::any_io_executor executor, Fd socket, std::string peer);
  Wire(Wire&&) noexcept = default;

  /// Appends what comes to `into` and gives its length, 0 at the end. `Errc::timeout` at `deadline`, also while bytes keep coming;
  /// `Errc::protocol` when the peer broke the connection.
  boost::asio::awaitable<Result<std::size_t>> read(std::string* into, Steady::time_point deadline);

  /// Writes all of it. `Errc::timeout` when the peer takes nothing for `stall`, or at `deadline`; `Errc::protocol` when it broke the connection.
  boost::asio::awaitable<Result<void>> write(std::string_view bytes, milliseconds stall, Steady::time_point deadline = Steady::time_point::max());

  /// From here on one coroutine may read while another one writes.
  Result<void> split();

  /// Whether the peer closed, as far as the kernel knows.
  bool gone() const;
  bool open() const { return static_cast<bool>(socket_); }
  bool waits_for_peer() const { return waits_for_peer_; }  ///< somebody reads, and nothing is there yet
  void end_writing();  ///< the peer sees the end of what is sent
  void close();        ///< whoever reads or writes gets `Errc::cancelled`

 private:
  Fd socket_;
  std::string peer_;
  Fd writing_;                          ///< the same socket, where another coroutine waits to write
  boost::asio::any_io_executor executor_;
  std::optional<Readiness> readiness_, to_write_;  // after the sockets: they go first
  unsigned turns_ = 0;                  ///< since others had theirs
  bool waits_for_peer_ = false;
};

/// What messages call an endpoint: "10.0.0.1:80", "/run/berth/api.sock".
std::string name_of(const Endpoint& endpoint);

/// Fails as `http_ask` says.
boost::asio::awaitable<Result<Wire>> connect(Endpoint to, Steady::time_point deadline);

}  // namespace berth::io
