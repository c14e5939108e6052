#include "daemon/route/connection_count.h"

#include <netinet/tcp.h>

#include "daemon/route/port_owner.h"
#include "daemon/route/sock_diag.h"

namespace berth::route {
namespace {

/// A peer that closed its half may still await the answer.
constexpr std::uint32_t kOpen = 1u << TCP_ESTABLISHED | 1u << TCP_CLOSE_WAIT;
constexpr std::uint32_t kHandshake = 1u << TCP_SYN_RECV;

}  // namespace

Result<std::set<std::uint64_t>> handshakes(std::uint16_t port) {
  BERTH_TRY(const auto sockets, tcp_sockets(port, kHandshake));
  std::set<std::uint64_t> cookies;
  for (const TcpSocket& socket : sockets) cookies.insert(socket.cookie);
  return cookies;
}

Result<int> connections_of_port(std::uint16_t private_port) {
  BERTH_TRY(const auto sockets, tcp_sockets(private_port, kOpen | kHandshake));
  return static_cast<int>(sockets.size());
}

Result<int> connections_of_share(std::uint16_t port, SocketShare share) {
  // In the order that a connection takes, so that none is missed in between: handshake, queue, process.
  std::uint32_t count = 0;
  if (!share.handshakes.empty()) {
    BERTH_TRY(const auto under_way, handshakes(port));
    for (const std::uint64_t cookie : under_way) count += share.handshakes.contains(cookie) ? 1 : 0;
  }
  BERTH_TRY(const auto listening, tcp_sockets(port, 1u << TCP_LISTEN));
  for (const TcpSocket& socket : listening) count += socket.cookie == share.listener ? socket.queue : 0;
  const auto inodes = sockets_of(share.pids);
  BERTH_TRY(const auto open, tcp_sockets(port, kOpen));
  for (const TcpSocket& socket : open) count += inodes.contains(socket.inode) ? 1 : 0;
  return static_cast<int>(count);
}

}  // namespace berth::route
