#include "core/io/unix_address.h"

#include <cstddef>
#include <cstring>

#include <fmt/core.h>

namespace berth::io {

Result<UnixAddress> unix_address(const std::string& path) {
  UnixAddress address;
  if (path.empty() || path.find('\0') != std::string::npos) return fail(Errc::usage, "a Unix socket needs a path");
  if (path.size() >= sizeof address.name.sun_path)
    return fail(Errc::usage, fmt::format("{}: {} bytes are too long for a Unix socket's path, which has at most {}; choose a shorter folder", path,
                                         path.size(), sizeof address.name.sun_path - 1));
  address.name.sun_family = AF_UNIX;
  std::memcpy(address.name.sun_path, path.c_str(), path.size() + 1);
  address.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  return address;
}

}  // namespace berth::io
