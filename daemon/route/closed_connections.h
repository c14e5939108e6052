#pragma once

#include <cstdint>
#include <set>

#include "core/result.h"

namespace berth::route {

/// Makes the kernel forget the closed connections that it redirected to these private ports; how many. It remembers where a connection went for 10 s after a
/// reset, and when the client uses its own port again within that time, it may be led there again, whatever the table says by then (nf_conntrack_proto_tcp.c:
/// only where the client reset it, or one side said FIN, is the first packet looked at anew). Connections that are open, or that close by FIN, go on as they are.
/// Blocks for some milliseconds. Needs CAP_NET_ADMIN, as nftables does. Fine where the kernel has no netlink for its connections: then nothing is forgotten.
Result<int> forget_closed_connections(const std::set<std::uint16_t>& private_ports);

}  // namespace berth::route
