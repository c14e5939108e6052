#include "daemon/route/listening_socket.h"

#include <array>
#include <cerrno>

#include <arpa/inet.h>
#include <fmt/core.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace berth::route {
namespace {

constexpr int kBacklog = 4096;

Result<void> set_option(int fd, int level, int option, int value, const char* name) {
  if (::setsockopt(fd, level, option, &value, sizeof value) != 0) return fail_errno(fmt::format("set {} on a socket", name));
  return {};
}

template <class T>
Result<T> get_option(int fd, int option, const char* name) {
  T value{};
  socklen_t size = sizeof value;
  if (::getsockopt(fd, SOL_SOCKET, option, &value, &size) != 0) return fail_errno(fmt::format("get {} of a socket", name));
  return value;
}

Result<void> attach(int fd, int option, const Program& program, const char* name) {
  const sock_fprog code{static_cast<unsigned short>(program.size()), const_cast<sock_filter*>(program.data())};
  if (::setsockopt(fd, SOL_SOCKET, option, &code, sizeof code) != 0) return fail_errno(fmt::format("set {} on a socket", name));
  return {};
}

int bind_all(int fd, int family, std::uint16_t port) {
  if (family == AF_INET6) {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(port);
    return ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  return ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

/// The family and port it is bound to.
Result<std::pair<int, std::uint16_t>> bound_to(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return fail_errno("ask a socket for its address");
  if (address.ss_family == AF_INET6) return std::pair(AF_INET6, ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port));
  if (address.ss_family == AF_INET) return std::pair(AF_INET, ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port));
  return fail(Errc::not_found, "it is no TCP socket");
}

}  // namespace

Result<ListeningSocket> ListeningSocket::bind(std::uint16_t port) {
  int family = AF_INET6;
  Fd socket(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket && errno == EAFNOSUPPORT) socket.reset(::socket(family = AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return fail_errno("make a socket");
  if (family == AF_INET6) BERTH_CHECK(set_option(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, 0, "IPV6_V6ONLY"));
  // The first lets us bind beside closed connections that linger, the second beside our other sockets.
  BERTH_CHECK(set_option(socket.get(), SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR"));
  BERTH_CHECK(set_option(socket.get(), SOL_SOCKET, SO_REUSEPORT, 1, "SO_REUSEPORT"));
  if (bind_all(socket.get(), family, port) != 0) {
    if (errno == EADDRINUSE) return fail(Errc::conflict, fmt::format("port {} is taken by another program", port));
    return fail_errno(fmt::format("bind port {}", port));
  }
  BERTH_TRY(const std::uint64_t cookie, get_option<std::uint64_t>(socket.get(), SO_COOKIE, "SO_COOKIE"));
  return ListeningSocket(std::move(socket), cookie, family);
}

Result<ListeningSocket> ListeningSocket::adopt(Fd socket, std::uint16_t port) {
  BERTH_TRY(const auto bound, bound_to(socket.get()));
  if (bound.second != port) return fail(Errc::not_found, fmt::format("its socket is of port {}, not of {}", bound.second, port));
  BERTH_TRY(const int shared, get_option<int>(socket.get(), SO_REUSEPORT, "SO_REUSEPORT"));
  BERTH_TRY(const std::uint64_t cookie, get_option<std::uint64_t>(socket.get(), SO_COOKIE, "SO_COOKIE"));
  ListeningSocket adopted(std::move(socket), cookie, bound.first);
  if (shared == 0 || !adopted.listens()) return fail(Errc::not_found, fmt::format("its socket of port {} does not listen any more", port));
  return adopted;
}

Result<void> ListeningSocket::hold() { return set_option(fd(), SOL_SOCKET, SO_REUSEADDR, 0, "SO_REUSEADDR"); }

Result<void> ListeningSocket::listen() {
  if (::listen(fd(), kBacklog) != 0) return fail_errno("listen");
  return {};
}

void ListeningSocket::end() { ::shutdown(fd(), SHUT_RDWR); }

bool ListeningSocket::listens() const { return get_option<int>(fd(), SO_ACCEPTCONN, "SO_ACCEPTCONN").value_or(0) != 0; }

Result<void> ListeningSocket::select_by(const Program& program) const {
  return attach(fd(), SO_ATTACH_REUSEPORT_CBPF, program, "SO_ATTACH_REUSEPORT_CBPF");
}

Result<void> ListeningSocket::filter(const Program& program) const { return attach(fd(), SO_ATTACH_FILTER, program, "SO_ATTACH_FILTER"); }

void ListeningSocket::unfilter() const {
  const int none = 0;
  ::setsockopt(fd(), SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof none);  // fails only where there is no filter
}

Result<std::uint32_t> ListeningSocket::drops() const {
  BERTH_TRY(const auto counts, (get_option<std::array<std::uint32_t, SK_MEMINFO_VARS>>(fd(), SO_MEMINFO, "SO_MEMINFO")));
  return counts[SK_MEMINFO_DROPS];
}

Result<void> can_select() {
  const Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return fail_errno("make a socket");
  auto able = set_option(socket.get(), SOL_SOCKET, SO_REUSEPORT, 1, "SO_REUSEPORT");
  if (able) able = attach(socket.get(), SO_ATTACH_REUSEPORT_CBPF, selecting_program({}), "SO_ATTACH_REUSEPORT_CBPF");
  if (able) return {};
  return fail(Errc::usage, fmt::format("this kernel cannot route by `socket` ({}): use `port`, or the strategy `recreate` without a route",
                                       able.error().message));
}

}  // namespace berth::route
