#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "core/files/fd.h"
#include "core/io/packet_socket.h"
#include "core/result.h"
#include "daemon/keeper/launch_file.h"
#include "daemon/keeper/protocol.h"

namespace berth::supervise {

/// What a keeper holds for an instance.
struct HeldFiles {
  std::vector<std::pair<std::string, Fd>> sockets;
  std::vector<Fd> pipes;  ///< read ends of stdout and stderr; kept unread, they keep the app from SIGPIPE when its keeper is killed
};

/// A connection to one keeper. One coroutine reads at a time.
class KeeperLink {
 public:
  /// Errors as `io::PacketSocket::connect`.
  static Result<KeeperLink> connect(boost::asio::any_io_executor executor, const std::string& path);

  /// The next state that the keeper tells. `Errc::refused` when it closed, `Errc::timeout`, `Errc::protocol`.
  boost::asio::awaitable<Result<keeper::State>> next(std::chrono::milliseconds at_most);

  /// Told of what the app says by sd_notify, while somebody is in `next` or `held_files`.
  void on_notified(std::function<void(const keeper::Notified&)> listener) { listener_ = std::move(listener); }

  /// Asks for what it holds. States that come before the answer are kept for `next`.
  boost::asio::awaitable<Result<HeldFiles>> held_files();

  /// `client`: further descriptors, of the client of a one-off command.
  Result<void> launch(const keeper::LaunchMemory& memory, const std::vector<std::pair<std::string, int>>& sockets, const std::vector<int>& client = {});
  /// `grace`: negative for the launch's.
  Result<void> stop(std::chrono::milliseconds grace = std::chrono::milliseconds(-1));
  /// When stopped, it is to keep its sockets until it is told to leave. Keepers of an older version know neither, and leave at once.
  Result<void> hold();
  Result<void> leave();
  Result<void> restart(bool liveness, const std::string& reason);
  /// In place of the first launch: what was known of an instance whose keeper was killed, and what it held. Keepers of an older version refuse it
  /// (`Errc::conflict`).
  Result<void> take_over(keeper::TakeOver told, const keeper::LaunchMemory& memory, const std::vector<Fd>& pipes,
                         const std::vector<std::pair<std::string, int>>& sockets);
  /// It is to become `program`; how that went it says later (`Event::renewed`, `Event::not_renewed`). Keepers of an older version refuse it.
  Result<void> renew(const std::string& program);
  /// The app's startup probe passed. Nothing for keepers of an older version.
  Result<void> watch();

  void close() { socket_.close(); }
  pid_t keeper_pid() const { return socket_.peer_pid(); }
  /// What it is spoken to in: the lower of both versions of the protocol; the lowest until it said something.
  std::uint16_t version() const { return version_; }

 private:
  explicit KeeperLink(io::PacketSocket socket) : socket_(std::move(socket)) {}
  boost::asio::awaitable<Result<io::Packet>> receive(std::chrono::milliseconds at_most);
  template <class T>
  keeper::Header header_of(keeper::Type type) const { return {type, version_, sizeof(T)}; }

  io::PacketSocket socket_;
  std::uint16_t version_ = 1;
  std::deque<keeper::State> early_;
  std::function<void(const keeper::Notified&)> listener_ = [](const keeper::Notified&) {};
};

}  // namespace berth::supervise
