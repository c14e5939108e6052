#pragma once

#include <cstdint>
#include <set>
#include <vector>

#include <sys/types.h>

#include "core/result.h"

namespace berth::route {

/// Cookies of connections whose handshake on a port is under way.
Result<std::set<std::uint64_t>> handshakes(std::uint16_t port);

/// Connections to a port that nobody shares: established ones, those that the peer has half closed, and those whose handshake is under way.
Result<int> connections_of_port(std::uint16_t private_port);

/// One instance's share of a port that several listen on.
struct SocketShare {
  std::uint64_t listener = 0;            ///< cookie; 0 where there is none any more
  std::vector<pid_t> pids;               ///< its processes
  std::set<std::uint64_t> handshakes;    ///< that may end at it
};
/// Those that wait in its accept queue, those that its processes have open, and its handshakes that are still under way.
Result<int> connections_of_share(std::uint16_t port, SocketShare share);

}  // namespace berth::route
