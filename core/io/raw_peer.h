#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <string_view>
#include <thread>

#include <poll.h>
#include <sys/socket.h>

#include "core/files/fd.h"
#include "core/io/listen.h"
#include "core/io/unix_address.h"

namespace berth::io {

/// For tests: sends all of `bytes`, or what the peer takes.
inline void send_raw(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

/// Reads until `end` was read, or the peer closed, or nothing came for ten seconds.
inline std::string read_raw(int fd, std::string_view end = {}) {
  std::string bytes;
  while (end.empty() || !bytes.ends_with(end)) {
    pollfd item{.fd = fd, .events = POLLIN, .revents = 0};
    if (::poll(&item, 1, 10'000) <= 0) return bytes + " (nothing came)";
    char piece[4096];
    const ssize_t got = ::recv(fd, piece, end.empty() ? sizeof piece : 1, 0);
    if (got <= 0) break;
    bytes.append(piece, static_cast<std::size_t>(got));
  }
  return bytes;
}

inline std::string read_head(int fd) { return read_raw(fd, "\r\n\r\n"); }

/// A blocking connection to a Unix socket.
inline Fd connect_raw(const std::string& path) {
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto address = unix_address(path);
  if (::connect(socket.get(), address->get(), address->size) < 0) return {};
  return socket;
}

inline Fd connect_raw(std::uint16_t port, const std::string& to = "127.0.0.1") {
  const auto address = ip_address(to, port);
  Fd socket(::socket(address->family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(socket.get(), address->get(), address->size) < 0) return {};
  return socket;
}

/// A server of one thread that treats each connection, one after the other, as it is told: the tests' own bytes, right or wrong.
class RawPeer {
 public:
  using Treat = std::function<void(int connection)>;

  explicit RawPeer(Treat treat, const std::string& address = "127.0.0.1") : RawPeer(std::move(*listen_at_address(address, 0)), std::move(treat)) {}
  RawPeer(Fd listener, Treat treat) : listener_(std::move(listener)), treat_(std::move(treat)), port_(local_address(listener_.get()).port()) {
    thread_ = std::thread([this] { run(); });
  }
  ~RawPeer() {
    ending_ = true;
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }
  RawPeer(const RawPeer&) = delete;
  RawPeer& operator=(const RawPeer&) = delete;

  std::uint16_t port() const { return port_; }

  /// Answers each request with these bytes and closes.
  static Treat answer(std::string bytes) {
    return [bytes = std::move(bytes)](int connection) {
      read_head(connection);
      send_raw(connection, bytes);
    };
  }

 private:
  void run() {
    while (!ending_) {
      pollfd item{.fd = listener_.get(), .events = POLLIN, .revents = 0};
      if (::poll(&item, 1, -1) < 0) continue;
      const Fd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (connection) treat_(connection.get());
    }
  }

  Fd listener_;
  Treat treat_;
  std::uint16_t port_;
  std::atomic<bool> ending_{false};
  std::thread thread_;
};

/// Says `first` to a connection and then holds it until the client closes.
class Silent {
 public:
  explicit Silent(std::string first = {})
      : peer_([this, first = std::move(first)](int connection) {
          send_raw(connection, first);
          read_raw(connection);
          closed = true;
        }) {}
  std::uint16_t port() const { return peer_.port(); }
  std::atomic<bool> closed{false};

 private:
  RawPeer peer_;
};

}  // namespace berth::io
