#pragma once

#include <stddef.h>

#include "daemon/keeper/protocol.h"

namespace berth::keeper {

/// A message from berthd with its descriptors.
struct Message {
  static constexpr int kMostFds = kMostSockets + 3;

  alignas(8) char bytes[kMostAsked];
  size_t size;
  int fds[kMostFds];
  int fd_count;

  Type type() const { return reinterpret_cast<const Header*>(bytes)->type; }
  template <class T>
  const T* as() const { return size >= sizeof(T) ? reinterpret_cast<const T*>(bytes) : nullptr; }
  void close_fds();
};

/// The keeper's socket, and the one connection that it serves: a new one takes the place of the old.
class Control {
 public:
  /// Binds and listens at `path`, where a stale socket is replaced. False with `errno`.
  bool listen_at(const char* path);
  /// Goes on with what another program listened and was connected with.
  void go_on_with(const char* path, int listener, int connection);
  const char* path() const { return path_; }
  int listener() const { return listener_; }
  int connection() const { return connection_; }

  /// Whether the peer ended the connection, and no other came; one that was dropped did not.
  bool peer_left() const { return peer_left_; }

  bool accept_connection();
  /// False when there is none to handle; a peer that closed or broke the rules is dropped.
  bool receive(Message* message);
  /// A peer that does not read is dropped: when it connects again, it is told the state.
  void send(const void* bytes, size_t size, const int* fds = nullptr, int fd_count = 0);
  /// False where the peer has not read what it was told before; it is not dropped. For what can be told later.
  bool try_send(const void* bytes, size_t size);
  void drop();
  /// No further connections; the socket's name goes away.
  void close_all();

 private:
  const char* path_ = nullptr;
  int listener_ = -1;
  int connection_ = -1;
  bool peer_left_ = false;
};

}  // namespace berth::keeper
