#pragma once

#include <vector>

#include "core/result.h"
#include "daemon/route/listening_socket.h"
#include "daemon/route/socket_group.h"

namespace berth::route {

/// Asks the kernel for the order of a port's group, which nothing else tells a berthd that was away: a connection from `asking_address(i)` goes
/// to the socket at index i by every program of ours, whose filter drops its first packet, and its count of dropped packets says so. No program
/// sees anything. Each of `sockets` must listen, and have `deafness` or a `gate` for filter. Blocks for microseconds, 100 ms at most for each
/// socket that is not ours.
Result<SocketGroup> ask_order(std::uint16_t port, const std::vector<const ListeningSocket*>& sockets);

}  // namespace berth::route
