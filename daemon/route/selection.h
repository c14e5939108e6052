#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <linux/filter.h>

#include "core/ids.h"

namespace berth::route {

/// An IPv4 address, host byte order.
using Address = std::uint32_t;
std::string to_text(Address address);

/// The source address from which an instance is probed: below 127.128.0.0/10, and by the instance's name, so that it is the same after a restart of
/// berthd. Names may collide: then the next `attempt`.
Address probe_address(const InstanceId& id, int attempt);
/// The source address of a SYN that asks which socket stands at `index` of a group: below 127.192.0.0/16.
Address asking_address(std::uint16_t index);
/// Everything of the above, for rules that must leave it alone.
inline constexpr const char* kOwnSources = "127.128.0.0/9";

using Program = std::vector<sock_filter>;

/// Where a connection to a group goes, by index.
struct Selection {
  std::vector<std::uint16_t> serving;         ///< at random one of these; none: nobody is meant
  std::map<Address, std::uint16_t> by_source;  ///< probes
};

/// For SO_ATTACH_REUSEPORT_CBPF. Where it names no socket that is there, the kernel picks one by hash: hence `gate`.
Program selecting_program(const Selection& selection);

/// For SO_ATTACH_FILTER on a listening socket that does not serve: no connection begins but from `source`. Handshakes under way end as they began.
Program gate(Address source);
/// For a listening socket that may serve: all connections begin but those from asking addresses.
Program deafness();

}  // namespace berth::route
