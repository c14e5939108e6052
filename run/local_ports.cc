#include "run/local_ports.h"

#include <algorithm>
#include <cerrno>

#include <arpa/inet.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace berth::run {
namespace {

constexpr int kUp = 8000;  ///< from a port that is root's to one that is not
constexpr int kBacklog = 511;

/// A socket that is bound, or errno.
using Bound = std::expected<Fd, int>;

Bound bind_to(int family, const sockaddr* address, socklen_t size, bool ipv6_only = false) {
  Fd fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return std::unexpected(errno);
  const int yes = 1, only = ipv6_only ? 1 : 0;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (family == AF_INET6) ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only);
  if (::bind(fd.get(), address, size) != 0) return std::unexpected(errno);
  return fd;
}

/// At that port of `address`; 0 is any that is free.
Bound bound(std::uint16_t port, in_addr_t address) {
  const sockaddr_in at{.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(address)}};
  return bind_to(AF_INET, reinterpret_cast<const sockaddr*>(&at), sizeof at);
}

/// At that port of all addresses, as on a node: servers that are told where they listen look whether this is that.
Bound bound_everywhere(std::uint16_t port) {
  const sockaddr_in6 at{.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_any};
  auto socket = bind_to(AF_INET6, reinterpret_cast<const sockaddr*>(&at), sizeof at);
  const bool has_no_ipv6 = !socket && (socket.error() == EAFNOSUPPORT || socket.error() == EADDRNOTAVAIL);
  return has_no_ipv6 ? bound(port, INADDR_ANY) : std::move(socket);
}

Result<std::uint16_t> free_port() {
  const auto socket = bound(0, INADDR_LOOPBACK);
  if (!socket) return fail_errno("find a free port", socket.error());
  sockaddr_in at{};
  socklen_t size = sizeof at;
  if (::getsockname(socket->get(), reinterpret_cast<sockaddr*>(&at), &size) != 0) return fail_errno("find a free port");
  return ntohs(at.sin_port);
}

/// Why it cannot be had.
std::unexpected<Error> refuse(const std::string& name, std::uint16_t port, int error) {
  if (error != EADDRINUSE) return fail_errno(fmt::format("{}: bind port {}", name, port), error);
  return fail(Errc::conflict, fmt::format("{}: port {} is taken by another program: end that one ('ss -ltnp' shows who it is; where that shows nobody, a berthd of this machine keeps "
                                         "it for its app), or choose others with --port NUMBER", name, port));
}

/// That nobody has it, of IPv4 or IPv6: a server that listens at `::` takes either, and fails where somebody has one. Who is told to use it binds it itself.
Result<void> check_free(const std::string& name, std::uint16_t port) {
  const auto probed = bound(port, INADDR_ANY);
  if (!probed) return refuse(name, port, probed.error());
  const sockaddr_in6 at{.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_any};
  const auto by_ipv6 = bind_to(AF_INET6, reinterpret_cast<const sockaddr*>(&at), sizeof at, true);
  if (!by_ipv6 && by_ipv6.error() == EADDRINUSE) return refuse(name, port, EADDRINUSE);
  return {};
}

bool is_for_root(std::uint16_t port) {
  const auto probed = bound(port, INADDR_ANY);
  return !probed && probed.error() == EACCES;
}

/// The same port, or where only root may have it the one above; that is noted.
std::uint16_t allowed(std::uint16_t port, std::string& note) {
  if (port + kUp > 65'535 || !is_for_root(port)) return port;
  note = fmt::format("port {} in the place of {}, which needs root", port + kUp, port);
  return static_cast<std::uint16_t>(port + kUp);
}

}  // namespace

bool is_taken(std::uint16_t port) {
  const auto free = check_free("it", port);
  return !free && free.error().code == Errc::conflict;
}

Result<std::uint16_t> LocalPorts::numbered(const std::string& name, int number, std::string& note) const {
  const auto place = std::ranges::find(order_, name) - order_.begin();
  const int asked = *base_ + kPortsOfAProcess * static_cast<int>(place) + number - 1;
  if (number > kPortsOfAProcess) return fail(Errc::usage, fmt::format("{}.{}: a process has {} ports here", name, number, kPortsOfAProcess));
  if (asked > 65'535) return fail(Errc::usage, fmt::format("{}.{} would have the port {}: let them begin lower, with --port", name, number, asked));
  const std::uint16_t port = allowed(static_cast<std::uint16_t>(asked), note);
  BERTH_CHECK(check_free(name, port));
  return port;
}

Result<std::uint16_t> LocalPorts::public_port(const std::string& name, const spec::Process& process, int number, std::string& note) const {
  if (base_) return numbered(name, process.routing == spec::Routing::socket ? 1 : number, note);
  if (number > 1 && process.routing == spec::Routing::port) return free_port();
  const std::uint16_t port = allowed(process.public_port, note);
  BERTH_CHECK(check_free(name, port));
  return port;
}

Result<InstancePorts> LocalPorts::of(const std::string& name, const spec::Process& process, int number) {
  const auto known = given_.find({name, number});
  if (known != given_.end()) return known->second;
  InstancePorts ports;
  if (process.routing == spec::Routing::socket && number > 1) {
    BERTH_TRY(const auto first, of(name, process, 1));
    ports.main = first.main;
  } else if (process.routing != spec::Routing::none) {
    BERTH_TRY(ports.main, public_port(name, process, number, ports.note));
  }
  const std::string main = process.routing == spec::Routing::none ? spec::main_port(process) : std::string();
  for (const auto& [port_name, rules] : process.private_ports) {
    BERTH_TRY(ports.named[port_name], base_ && port_name == main ? numbered(name, number, ports.note) : free_port());
  }
  given_[{name, number}] = ports;
  return ports;
}

Result<int> LocalPorts::listener(const std::string& name, const spec::Process& process) {
  if (const auto known = listeners_.find(name); known != listeners_.end()) return known->second.get();
  BERTH_TRY(const auto ports, of(name, process, 1));
  auto socket = bound_everywhere(ports.main);
  if (!socket) return refuse(name, ports.main, socket.error());
  if (::listen(socket->get(), kBacklog) != 0) return fail_errno(fmt::format("{}: listen at port {}", name, ports.main));
  return listeners_.emplace(name, std::move(*socket)).first->second.get();
}

}  // namespace berth::run
