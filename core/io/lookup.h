#pragma once

#include <string>
#include <vector>

#include "core/io/ip_address.h"
#include "core/io/patience.h"
#include "core/result.h"

namespace berth::io {

/// The addresses of `host`, best first. Asks the resolver in a thread of its own, which is left behind when the patience ends first: the C library
/// cannot be interrupted. `localhost` and names below it are this machine (RFC 6761, 6.3): nobody is asked for them.
Result<std::vector<IpAddress>> look_up(const std::string& host, std::uint16_t port, const Patience& patience);

}  // namespace berth::io
