#include <cerrno>

#include <fmt/core.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "core/io/ip_address.h"
#include "core/io/loop.h"
#include "core/io/unix_address.h"
#include "core/io/wire.h"

namespace berth::io {
namespace {

namespace asio = boost::asio;

constexpr milliseconds kFullBacklog{10};  ///< between attempts at a Unix socket whose queue is full

std::unexpected<Error> fail_connect(const std::string& name, int number) {
  switch (number) {
    case ECONNREFUSED: return fail(Errc::refused, "nothing listens at " + name);
    case ENOENT: return fail(Errc::not_found, "there is no socket " + name);
    case EHOSTUNREACH:
    case ENETUNREACH: return fail(Errc::unreachable, "there is no route to " + name);
    case ECONNRESET: return fail(Errc::protocol, name + " broke the connection");
    default: return fail_errno("connect to " + name, number);
  }
}

Result<Fd> socket_for(const Endpoint& to, int family) {
  Fd socket(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return fail_errno("make a socket");
  if (family == AF_UNIX) return socket;
  const int yes = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  if (to.from_address.empty()) return socket;
  BERTH_TRY(const IpAddress from, ip_address(to.from_address, 0));
  // The port is chosen when connecting, where the destination counts too: else many probes would use the ports up.
  ::setsockopt(socket.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes);
  if (::bind(socket.get(), from.get(), from.size) < 0) return fail_errno(fmt::format("connect to {} from {}", name_of(to), to.from_address));
  return socket;
}

/// A connection of a loopback port to itself, which happens where nothing listens there and the kernel picks that very port to connect from.
bool is_to_itself(int fd, const IpAddress& there) {
  IpAddress here;
  if (::getsockname(fd, here.get(), &here.size) < 0) return false;
  return here.port() == there.port() && here.text() == there.text();
}

asio::awaitable<Result<Wire>> connect_unix(Endpoint to, Steady::time_point deadline) {
  const auto address = unix_address(to.unix_path);
  if (!address) co_return std::unexpected(address.error());
  auto socket = socket_for(to, AF_UNIX);
  if (!socket) co_return std::unexpected(socket.error());
  while (::connect(socket->get(), address->get(), address->size) < 0) {
    if (errno == EINTR) continue;
    if (errno != EAGAIN) co_return fail_connect(to.unix_path, errno);
    if (Steady::now() >= deadline) co_return fail(Errc::timeout, fmt::format("connect to {}: too many wait for it already", to.unix_path));
    co_await sleep_for(kFullBacklog);
  }
  co_return Wire(co_await asio::this_coro::executor, std::move(*socket), to.unix_path);
}

asio::awaitable<Result<Wire>> connect_tcp(Endpoint to, Steady::time_point deadline) {
  const std::string name = name_of(to);
  const auto address = ip_address(to.address, to.port);
  if (!address) co_return std::unexpected(address.error());
  auto socket = socket_for(to, address->family());
  if (!socket) co_return std::unexpected(socket.error());
  const auto executor = co_await asio::this_coro::executor;
  if (::connect(socket->get(), address->get(), address->size) < 0) {
    if (errno != EINPROGRESS && errno != EINTR) co_return fail_connect(name, errno);
    // On this machine, the other end has mostly answered while the call was made.
    if (!is_ready_now(socket->get(), Want::write)) {
      Readiness readiness(executor, socket->get());
      const Woken woken = co_await readiness.wait(Want::write, deadline);
      if (woken != Woken::ready) co_return fail_woken(woken, "connect to " + name);
    }
    int number = 0;
    socklen_t size = sizeof number;
    ::getsockopt(socket->get(), SOL_SOCKET, SO_ERROR, &number, &size);
    if (number != 0) co_return fail_connect(name, number);
  }
  if (is_to_itself(socket->get(), *address)) co_return fail_connect(name, ECONNREFUSED);
  co_return Wire(executor, std::move(*socket), name);
}

}  // namespace

asio::awaitable<Result<Wire>> connect(Endpoint to, Steady::time_point deadline) {
  const bool to_unix = !to.unix_path.empty();
  auto connecting = to_unix ? connect_unix(std::move(to), deadline) : connect_tcp(std::move(to), deadline);
  co_return co_await std::move(connecting);
}

}  // namespace berth::io
