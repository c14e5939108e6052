#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <set>
#include <string>

#include <sys/types.h>

#include "core/result.h"

namespace berth::route {

/// "nginx (pid 123)": a program that holds the socket, as /proc tells. The first process of all is named only where no other one has it: systemd has what it passes to services.
std::string holder_of(std::uint32_t socket_inode, const std::filesystem::path& proc = "/proc");

/// Fails with `Errc::conflict`, naming it, when a program listens on the port by a socket of which `is_ours(cookie)` does not hold.
Result<void> no_stranger_listens(std::uint16_t port, const std::function<bool(std::uint64_t)>& is_ours);

/// The inodes of the sockets that these processes have open.
std::set<std::uint32_t> sockets_of(const std::vector<pid_t>& pids);

}  // namespace berth::route
