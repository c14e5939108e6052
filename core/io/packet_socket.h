#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "core/files/fd.h"
#include "core/result.h"

namespace berth::io {

/// One message of a SOCK_SEQPACKET socket with the descriptors that came along.
struct Packet {
  std::string bytes;
  std::vector<Fd> fds;
};

/// A connected Unix SEQPACKET socket: how berthd talks to a keeper.
class PacketSocket {
 public:
  /// Connects to `path`. `Errc::not_found` where no socket is, `Errc::refused` where nobody listens.
  static Result<PacketSocket> connect(boost::asio::any_io_executor executor, const std::string& path);
  PacketSocket(boost::asio::any_io_executor executor, Fd socket);
  ~PacketSocket();
  PacketSocket(PacketSocket&&) noexcept;
  PacketSocket& operator=(PacketSocket&&) noexcept;

  /// Sends at once or fails (the peer's buffer is full: `Errc::timeout`; it is gone: `Errc::refused`).
  Result<void> send(std::string_view bytes, const std::vector<int>& fds = {});
  /// The next message; `Errc::refused` when the peer closed, `Errc::timeout` after `at_most`.
  boost::asio::awaitable<Result<Packet>> receive(std::chrono::milliseconds at_most);
  /// Whoever receives gets `Errc::refused`.
  void close();
  pid_t peer_pid() const;  ///< from SO_PEERCRED

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace berth::io
