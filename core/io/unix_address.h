#pragma once

#include <string>

#include <sys/socket.h>
#include <sys/un.h>

#include "core/result.h"

namespace berth::io {

/// The address of a Unix socket's path.
struct UnixAddress {
  sockaddr_un name{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&name); }
};

/// Fails with `Errc::usage` for a path that the kernel has no room for (108 bytes) and an empty one.
Result<UnixAddress> unix_address(const std::string& path);

}  // namespace berth::io
