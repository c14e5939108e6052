#pragma once

#include <cstdint>

#include "core/files/fd.h"
#include "core/result.h"
#include "daemon/route/selection.h"

namespace berth::route {

/// A TCP socket of a public port's SO_REUSEPORT group: bound to all addresses, IPv6 and IPv4 where the machine has IPv6. It joins the group when
/// it listens.
class ListeningSocket {
 public:
  /// Bound, not yet listening. `Errc::conflict` when another program has the port to itself.
  static Result<ListeningSocket> bind(std::uint16_t port);
  /// One that another process kept. Fails with `Errc::not_found` unless it listens on `port` in a group.
  static Result<ListeningSocket> adopt(Fd socket, std::uint16_t port);

  /// Keeps other programs from the port without listening.
  Result<void> hold();
  /// Joins the group.
  Result<void> listen();
  /// Leaves the group, whoever else holds it. Connections that nobody accepted are reset.
  void end();

  bool listens() const;
  int fd() const { return socket_.get(); }
  std::uint64_t cookie() const { return cookie_; }
  int family() const { return family_; }

  /// Sets the program of the socket's whole group.
  Result<void> select_by(const Program& program) const;
  /// Lets only those packets through that `program` passes.
  Result<void> filter(const Program& program) const;
  void unfilter() const;
  /// How many packets it dropped so far, those that its filter refused included.
  Result<std::uint32_t> drops() const;

 private:
  ListeningSocket(Fd socket, std::uint64_t cookie, int family) : socket_(std::move(socket)), cookie_(cookie), family_(family) {}

  Fd socket_;
  std::uint64_t cookie_;
  int family_;
};

/// Whether this kernel lets a program pick among the sockets of a group; `Errc::usage` with what to do.
Result<void> can_select();

}  // namespace berth::route
