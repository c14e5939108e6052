#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace berth::supervise {

/// How many connections of a listening socket wait to be accepted, out of text in the form of /proc/net/tcp or tcp6; empty where the socket
/// is not among its listening ones. `inode`: as fstat gives it.
std::optional<unsigned> waiting_connections(std::string_view table, std::string_view inode);

/// The same, as the kernel tells now. Reads no further than the listening sockets, which stand first.
std::optional<unsigned> waiting_connections(std::string_view inode);

/// The inode of a descriptor of this process, as text.
std::string inode_of(int fd);

}  // namespace berth::supervise
