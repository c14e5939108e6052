#include "core/io/ip_address.h"

#include <cstring>
#include <memory>

#include <fmt/core.h>
#include <netdb.h>
#include <netinet/in.h>

namespace berth::io {

std::uint16_t IpAddress::port() const {
  if (family() == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in*>(&name)->sin_port);
  if (family() == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6*>(&name)->sin6_port);
  return 0;
}

std::string IpAddress::text() const {
  char host[NI_MAXHOST];
  if (family() != AF_INET && family() != AF_INET6) return {};
  if (::getnameinfo(get(), size, host, sizeof host, nullptr, 0, NI_NUMERICHOST) != 0) return {};
  return host;
}

Result<IpAddress> ip_address(const std::string& address, std::uint16_t port) {
  addrinfo wanted{};
  wanted.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (address.empty() || ::getaddrinfo(address.c_str(), std::to_string(port).c_str(), &wanted, &found) != 0)
    return fail(Errc::usage, fmt::format("'{}' is not a numeric IPv4 or IPv6 address", address));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owned(found, &::freeaddrinfo);
  IpAddress result;
  std::memcpy(&result.name, found->ai_addr, found->ai_addrlen);
  result.size = found->ai_addrlen;
  return result;
}

std::string with_port(const std::string& address, std::uint16_t port) {
  return address.find(':') == std::string::npos ? fmt::format("{}:{}", address, port) : fmt::format("[{}]:{}", address, port);
}

}  // namespace berth::io
