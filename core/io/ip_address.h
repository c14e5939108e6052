#pragma once

#include <cstdint>
#include <string>

#include <sys/socket.h>

#include "core/result.h"

namespace berth::io {

/// An IPv4 or IPv6 address with a port, as the kernel wants it.
struct IpAddress {
  sockaddr_storage name{};
  socklen_t size = sizeof(sockaddr_storage);

  sockaddr* get() { return reinterpret_cast<sockaddr*>(&name); }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&name); }
  int family() const { return name.ss_family; }
  std::uint16_t port() const;
  std::string text() const;  ///< the address without the port; empty for another family
};

/// `address` is numeric, such as "127.0.0.1", "::1" or "fe80::1%eth0"; else it fails with `Errc::usage`.
Result<IpAddress> ip_address(const std::string& address, std::uint16_t port);

/// "127.0.0.1:80", "[::1]:80".
std::string with_port(const std::string& address, std::uint16_t port);

}  // namespace berth::io
