#pragma once

#include <cstdint>
#include <set>

#include "core/result.h"

namespace berth::store {

inline constexpr std::uint16_t kLowestPrivatePort = 20000;
inline constexpr std::uint16_t kHighestPrivatePort = 29999;

/// Whether nobody on this machine listens on the TCP port (connections that are closing do not count).
bool is_port_free(std::uint16_t port);

/// The first port after `last` (round and round, so that one just given back rests) that is neither `taken` nor in use on this machine.
/// `Errc::conflict` when there is none.
Result<std::uint16_t> pick_private_port(const std::set<std::uint16_t>& taken, std::uint16_t last);

}  // namespace berth::store
