#include "daemon/store/private_port.h"

#include <fmt/core.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "core/files/fd.h"

namespace berth::store {

namespace {

bool can_bind(const sockaddr* address, socklen_t size) {
  const Fd socket(::socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return errno == EAFNOSUPPORT;  // nobody can listen on what the machine has not
  const int on = 1;
  const int off = 0;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);  // TIME_WAIT is no use of the port
  if (address->sa_family == AF_INET6) ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  return ::bind(socket.get(), address, size) == 0 || errno == EADDRNOTAVAIL;
}

}  // namespace

bool is_port_free(std::uint16_t port) {
  sockaddr_in four{};
  four.sin_family = AF_INET;
  four.sin_port = htons(port);
  sockaddr_in6 six{};
  six.sin6_family = AF_INET6;
  six.sin6_port = htons(port);
  return can_bind(reinterpret_cast<const sockaddr*>(&four), sizeof four) && can_bind(reinterpret_cast<const sockaddr*>(&six), sizeof six);
}

Result<std::uint16_t> pick_private_port(const std::set<std::uint16_t>& taken, std::uint16_t last) {
  constexpr int kCount = kHighestPrivatePort - kLowestPrivatePort + 1;
  const int begin = last >= kLowestPrivatePort && last < kHighestPrivatePort ? last + 1 - kLowestPrivatePort : 0;
  for (int step = 0; step < kCount; ++step) {
    const auto port = static_cast<std::uint16_t>(kLowestPrivatePort + (begin + step) % kCount);
    if (!taken.contains(port) && is_port_free(port)) return port;
  }
  return fail(Errc::conflict, fmt::format("every port from {} to {} is in use: run fewer instances, or free some", kLowestPrivatePort, kHighestPrivatePort));
}

}  // namespace berth::store
