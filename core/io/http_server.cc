#include <algorithm>
#include <cerrno>
#include <list>
#include <optional>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "core/io/http_connection.h"
#include "core/io/http_text.h"
#include "core/io/listen.h"
#include "core/io/loop.h"
#include "core/io/readiness.h"
#include "core/io/task_end.h"

namespace berth::io {
namespace {

namespace asio = boost::asio;

constexpr milliseconds kOutOfFiles{100};  ///< until accepting is tried again

/// A listening socket; closed by the server, kept by its coroutine until that ended.
struct Listener {
  Listener(asio::any_io_executor executor, UnixListener its_name, TlsService its_tls)
      : name(std::move(its_name)), tls(std::move(its_tls)), readiness(std::in_place, std::move(executor), name.socket.get()) {}

  void close() {
    if (!name.socket) return;
    if (!name.path.empty()) remove_name(name);
    readiness->cancel();
    readiness.reset();
    name.socket.reset();
  }

  UnixListener name;  ///< its path is empty for a TCP or a passed socket
  TlsService tls;
  std::optional<Readiness> readiness;
};

/// Tells a client that there are too many; it has to be quick.
void turn_away(int socket) {
  const ServerReply reply = problem_reply(503, "too many connections; try again later");
  const std::string bytes = reply_head(reply, Framing::length, false) + reply.body;
  (void)::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  ::shutdown(socket, SHUT_WR);
}

}  // namespace

struct HttpServer::State : std::enable_shared_from_this<State> {
  State(asio::any_io_executor its_executor, Handler handler, ServerLimits limits)
      : executor(std::move(its_executor)), service(std::make_shared<const Service>(Service{std::move(handler), limits})) {}

  void listen(UnixListener name, TlsService tls = {});
  void start(Fd socket, const TlsService& tls);
  bool has_room_for(const Peer& peer) const;
  bool is_full() const;
  bool is_full_of(const std::string& neighbourhood) const;
  bool make_room_for(const Peer& peer);
  void stop_listening();
  void close();
  static asio::awaitable<void> accept_all(std::shared_ptr<State> state, std::shared_ptr<Listener> listener);

  asio::any_io_executor executor;
  std::shared_ptr<const Service> service;
  std::list<std::shared_ptr<Listener>> listeners;
  std::list<std::shared_ptr<Connection>> connections;
  std::uint16_t port = 0;
  bool closed = false;
};

void HttpServer::State::listen(UnixListener name, TlsService tls) {
  auto listener = std::make_shared<Listener>(executor, std::move(name), std::move(tls));
  listeners.push_back(listener);
  asio::co_spawn(executor, accept_all(shared_from_this(), std::move(listener)),
                 [](const std::exception_ptr& thrown) { end_of_task("listener of a web server", thrown); });
}

asio::awaitable<void> HttpServer::State::accept_all(std::shared_ptr<State> state, std::shared_ptr<Listener> listener) {
  while (listener->name.socket) {
    Fd socket(::accept4(listener->name.socket.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    const int number = errno;
    if (socket) {
      state->start(std::move(socket), listener->tls);
      co_await give_way();
    } else if (number == EAGAIN) {
      const Woken woken = co_await listener->readiness->wait(Want::read, deadline_in(milliseconds::max()));
      if (woken == Woken::failed) co_return;
    } else if (number == EMFILE || number == ENFILE || number == ENOBUFS || number == ENOMEM) {
      co_await sleep_for(kOutOfFiles);
    } else {
      co_await give_way();  // a connection that is broken already
    }
  }
}

bool HttpServer::State::has_room_for(const Peer& peer) const {
  return !is_full() && !is_full_of(neighbourhood_of(peer));
}

bool HttpServer::State::is_full() const {
  const auto count = std::ranges::count_if(connections, [](const auto& one) { return one->wire.open(); });
  return static_cast<std::size_t>(count) >= service->limits.most_connections;
}

bool HttpServer::State::is_full_of(const std::string& neighbourhood) const {
  if (service->limits.most_per_address == 0 || neighbourhood.empty()) return false;
  const auto count = std::ranges::count_if(connections, [&](const auto& one) { return one->wire.open() && one->neighbourhood == neighbourhood; });
  return static_cast<std::size_t>(count) >= service->limits.most_per_address;
}

/// Lets go of the one that has kept us waiting longest for TLS, for a request, or for the rest of one. None is let go of whose request is at work.
bool HttpServer::State::make_room_for(const Peer& peer) {
  const std::string from = neighbourhood_of(peer);
  const bool its_own = is_full_of(from);
  Connection* longest = nullptr;
  for (const auto& one : connections) {
    if (!one->wire.open() || one->upgraded || !(one->is_new || one->wire.waits_for_peer()) || (its_own && one->neighbourhood != from)) continue;
    if (longest == nullptr || one->since < longest->since) longest = one.get();
  }
  if (longest == nullptr) return false;
  longest->wire.close();
  return has_room_for(peer);
}

void HttpServer::State::start(Fd socket, const TlsService& tls) {
  Peer peer = peer_of(socket.get());
  if (!has_room_for(peer) && !make_room_for(peer)) {
    if (tls.credentials) return tls.credentials->refused(peer.address + ": too many connections");
    return turn_away(socket.get());
  }
  const int yes = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);  // fails on a Unix socket, which needs none
  if (tls.credentials) tls.credentials->refresh();
  const auto connection = std::make_shared<Connection>(executor, std::move(socket), std::move(peer), tls);
  connections.push_back(connection);
  auto when_ended = [state = shared_from_this(), connection](const std::exception_ptr& thrown) {
    connection->wire.close();
    state->connections.remove(connection);
    end_of_task("connection of a web server", thrown);
  };
  asio::co_spawn(executor, serve(service, connection), asio::bind_cancellation_slot(connection->cancel.slot(), std::move(when_ended)));
}

void HttpServer::State::stop_listening() {
  for (const auto& listener : listeners) listener->close();
  listeners.clear();
}

void HttpServer::State::close() {
  stop_listening();
  const auto all = connections;  // each takes itself off the list
  for (const auto& connection : all) {
    connection->wire.close();
    connection->cancel.emit(asio::cancellation_type::terminal);
  }
}

HttpServer::HttpServer(asio::any_io_executor executor, Handler handler, ServerLimits limits)
    : state_(std::make_shared<State>(std::move(executor), std::move(handler), limits)) {}

HttpServer::~HttpServer() { state_->close(); }

Result<void> HttpServer::listen_unix(const std::string& path, mode_t mode, gid_t group) {
  BERTH_TRY(UnixListener listener, listen_at_path(path, mode, group));
  state_->listen(std::move(listener));
  return {};
}

Result<void> HttpServer::listen_tcp(const std::string& address, std::uint16_t port) {
  BERTH_TRY(Fd socket, listen_at_address(address, port));
  return listen_on(std::move(socket));
}

Result<void> HttpServer::listen_tls(const std::string& address, std::uint16_t port, std::shared_ptr<TlsCredentials> credentials, Pool& pool) {
  BERTH_TRY(Fd socket, listen_at_address(address, port));
  return listen_tls_on(std::move(socket), std::move(credentials), pool);
}

Result<void> HttpServer::listen_on(Fd socket) {
  BERTH_CHECK(adopt_listener(socket.get()));
  state_->port = local_address(socket.get()).port();
  state_->listen(UnixListener{.socket = std::move(socket)});
  return {};
}

Result<void> HttpServer::listen_tls_on(Fd socket, std::shared_ptr<TlsCredentials> credentials, Pool& pool) {
  BERTH_CHECK(adopt_listener(socket.get()));
  state_->port = local_address(socket.get()).port();
  state_->listen(UnixListener{.socket = std::move(socket)}, {.credentials = std::move(credentials), .pool = &pool});
  return {};
}

void HttpServer::stop_listening() { state_->stop_listening(); }

bool HttpServer::owes_answers() const {
  return std::ranges::any_of(state_->connections, [](const auto& one) { return one->owes_answer && one->wire.open(); });
}

std::function<void()> HttpServer::dropping_connections() {
  std::vector<std::weak_ptr<Connection>> open(state_->connections.begin(), state_->connections.end());
  return [open = std::move(open)] {
    for (const auto& one : open)
      if (const auto connection = one.lock()) connection->wire.close();
  };
}

std::uint16_t HttpServer::tcp_port() const { return state_->port; }

}  // namespace berth::io
