#include "core/io/line.h"

#include <cerrno>

#include <fmt/core.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "core/io/lookup.h"
#include "core/io/proxy.h"

namespace berth::io {
namespace {

constexpr std::size_t kLinePiece = 64u << 10;

class PlainLine final : public Line {
 public:
  PlainLine(Fd socket, const Patience& patience) : socket_(std::move(socket)), patience_(patience) {}

  /// The connection, for somebody else to go on with.
  Fd take() { return std::move(socket_); }

  Result<std::size_t> read(std::string* into) override {
    char piece[kLinePiece];
    while (true) {
      BERTH_CHECK(patience_.check());
      const ssize_t got = ::recv(socket_.get(), piece, sizeof piece, MSG_DONTWAIT);
      if (got >= 0) {
        into->append(piece, static_cast<std::size_t>(got));
        return static_cast<std::size_t>(got);
      }
      if (errno != EAGAIN && errno != EINTR) return broken(errno);
      BERTH_CHECK(patience_.wait(socket_.get(), POLLIN));
    }
  }

  Result<void> write(std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (sent >= 0) bytes.remove_prefix(static_cast<std::size_t>(sent));
      else if (errno != EAGAIN && errno != EINTR) return broken(errno);
      else BERTH_CHECK(patience_.wait(socket_.get(), POLLOUT));
    }
    return {};
  }

  Result<void> end_writing() override {
    if (::shutdown(socket_.get(), SHUT_WR) < 0) return broken(errno);
    return {};
  }

  int descriptor() const override { return socket_.get(); }

 private:
  static std::unexpected<Error> broken(int number) {
    return fail(Errc::unreachable, fmt::format("the connection broke: {}", fail_errno("", number).error().message.substr(2)));
  }

  Fd socket_;
  const Patience& patience_;
};

Result<Fd> connect_to(const IpAddress& address, const Patience& patience) {
  const std::string name = with_port(address.text(), address.port());
  Fd socket(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return fail_errno("make a socket");
  const int yes = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  int number = ::connect(socket.get(), address.get(), address.size) == 0 ? 0 : errno;
  if (number == EINPROGRESS || number == EINTR) {
    BERTH_CHECK(patience.wait(socket.get(), POLLOUT));
    socklen_t size = sizeof number;
    ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &number, &size);
  }
  if (number == ECONNREFUSED) return fail(Errc::unreachable, "nothing listens at " + name);
  if (number != 0) return fail(Errc::unreachable, fail_errno("connect to " + name, number).error().message);
  return socket;
}

/// Tries one address after the other; each may use its share of the time that is left.
Result<Fd> connect_to_any(const std::vector<IpAddress>& addresses, Patience& patience) {
  const auto end = patience.connect_deadline();
  Result<Fd> socket = fail(Errc::unreachable, "it has no address");
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    const auto left = std::max(end - Steady::now(), Steady::duration(0));
    patience.set_connect_deadline(Steady::now() + left / static_cast<int>(addresses.size() - i));
    socket = connect_to(addresses[i], patience);
    if (socket || socket.error().code == Errc::cancelled) break;
  }
  patience.set_connect_deadline(end);
  return socket;
}

}  // namespace

Result<std::unique_ptr<Line>> open_line(const Url& url, const std::optional<Proxy>& proxy, const TlsOptions& tls, Patience& patience) {
  patience.connecting();
  const Url& first = proxy ? proxy->at : url;
  auto addresses = look_up(first.host, first.port, patience);
  auto socket = addresses ? connect_to_any(*addresses, patience) : std::unexpected(std::move(addresses.error()));
  if (!socket) return pass(std::move(socket.error()), proxy ? proxy->name() : std::string());
  auto line = std::make_unique<PlainLine>(std::move(*socket), patience);
  if (!url.https) {
    patience.connected();
    return line;
  }
  if (proxy) BERTH_CHECK(ask_for_tunnel(*line, url, *proxy));
  BERTH_TRY(auto secure, open_tls(line->take(), url.host, tls, patience));
  patience.connected();
  return secure;
}

}  // namespace berth::io
