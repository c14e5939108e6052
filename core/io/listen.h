#pragma once

#include <cstdint>
#include <string>

#include <sys/socket.h>
#include <sys/types.h>

#include "core/files/fd.h"
#include "core/io/ip_address.h"
#include "core/result.h"

namespace berth::io {

/// A Unix socket that listens, and its name in the file system.
struct UnixListener {
  Fd socket;
  std::string path;
  dev_t device = 0;
  ino_t inode = 0;
};

/// Listens at `path` with that mode and group (-1: as it is); nobody can connect before both hold. A socket left there by a dead process is removed;
/// `Errc::conflict` where somebody listens, `Errc::exists` where something else is.
Result<UnixListener> listen_at_path(const std::string& path, mode_t mode, gid_t group, int type = SOCK_STREAM);

/// Removes the socket's name, unless another one has it by now.
void remove_name(const UnixListener& listener);

/// Listens at a numeric address.
Result<Fd> listen_at_address(const std::string& address, std::uint16_t port);

/// Makes a passed descriptor fit for the loop; fails with `Errc::usage` when it is no listening stream socket.
Result<void> adopt_listener(int fd);

/// Where a socket is bound.
IpAddress local_address(int fd);

}  // namespace berth::io
