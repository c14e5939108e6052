#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <vector>

#include <sys/types.h>

namespace berth::route {

/// Calls `each` with the inode of every socket that a process, a folder of /proc, has open, until it returns false. Nothing for a process that is gone.
void for_sockets(const std::filesystem::path& process, const std::function<bool(std::uint32_t)>& each);

/// The processes that have the socket open, as `proc` shows them.
std::vector<pid_t> holders_of(std::uint32_t socket_inode, const std::filesystem::path& proc = "/proc");

}  // namespace berth::route
