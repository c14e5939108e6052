#pragma once

#include <cstdint>
#include <vector>

#include "core/result.h"

namespace berth::route {

/// A TCP socket as the kernel's sock_diag tells it.
struct TcpSocket {
  int family = 0;             ///< AF_INET6 also for IPv4 on a dual-stack socket
  int state = 0;              ///< TCP_ESTABLISHED, …
  std::uint64_t cookie = 0;   ///< stays with a connection from its first packet on
  std::uint32_t inode = 0;    ///< 0 until a program accepted it
  std::uint32_t queue = 0;    ///< of a listening one: connections that wait to be accepted
};

/// Every TCP socket of this network namespace with that local port, in one of `states` (bits `1 << TCP_…`). Takes some milliseconds.
Result<std::vector<TcpSocket>> tcp_sockets(std::uint16_t local_port, std::uint32_t states);

}  // namespace berth::route
