#include "core/io/wire.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <sys/socket.h>

namespace berth::io {
namespace {

namespace asio = boost::asio;

constexpr std::size_t kPiece = 64u << 10;
constexpr unsigned kTurns = 16;  ///< pieces in a row before others of the loop have their turn

/// What a failed system call on a connection means.
std::unexpected<Error> fail_wire(const std::string& peer, int number) {
  if (number == EPIPE || number == ECONNRESET || number == ENOTCONN) return fail(Errc::protocol, peer + " broke the connection");
  return fail_errno(peer, number);
}

/// What is there: its length, 0 at the end, nothing when there is nothing yet.
Result<std::optional<std::size_t>> take_bytes(int fd, std::string* into, const std::string& peer) {
  char piece[kPiece];
  const ssize_t got = ::recv(fd, piece, sizeof piece, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return std::nullopt;
  if (got < 0) return fail_wire(peer, errno);
  into->append(piece, static_cast<std::size_t>(got));
  return static_cast<std::size_t>(got);
}

}  // namespace

Wire::Wire(asio::any_io_executor executor, Fd socket, std::string peer)
    : socket_(std::move(socket)), peer_(std::move(peer)), executor_(std::move(executor)), readiness_(std::in_place, executor_, socket_.get()) {}

Result<void> Wire::split() {
  // A descriptor is watched for one waiting coroutine; the duplicate is watched for the other.
  writing_.reset(::fcntl(socket_.get(), F_DUPFD_CLOEXEC, 0));
  if (!writing_) return fail_errno(peer_);
  to_write_.emplace(executor_, writing_.get());
  return {};
}

asio::awaitable<Result<std::size_t>> Wire::read(std::string* into, Steady::time_point deadline) {
  if (++turns_ % kTurns == 0) co_await give_way();
  while (true) {
    if (!socket_) co_return fail_woken(Woken::cancelled, peer_);
    if (Steady::now() >= deadline) co_return fail_woken(Woken::timeout, peer_);
    const auto got = take_bytes(socket_.get(), into, peer_);
    if (!got) co_return std::unexpected(got.error());
    if (*got) co_return **got;
    waits_for_peer_ = true;
    const Woken woken = co_await readiness_->wait(Want::read, deadline);
    waits_for_peer_ = false;
    if (woken != Woken::ready) co_return fail_woken(woken, peer_);
  }
}

asio::awaitable<Result<void>> Wire::write(std::string_view bytes, milliseconds stall, Steady::time_point deadline) {
  if (++turns_ % kTurns == 0) co_await give_way();
  while (!bytes.empty()) {
    if (!socket_) co_return fail_woken(Woken::cancelled, peer_);
    const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) co_return fail_wire(peer_, errno);
    Readiness& room = to_write_ ? *to_write_ : *readiness_;
    const Woken woken = co_await room.wait(Want::write, std::min(deadline_in(stall), deadline));
    if (woken != Woken::ready) co_return fail_woken(woken, peer_);
  }
  co_return Result<void>();
}

bool Wire::gone() const {
  if (!socket_) return true;
  // A peer that only ended its writing still reads. Of TCP the kernel cannot tell that from a closed one, which is the usual case.
  int family = 0;
  socklen_t size = sizeof family;
  ::getsockopt(socket_.get(), SOL_SOCKET, SO_DOMAIN, &family, &size);
  const short closed = family == AF_UNIX ? POLLHUP : POLLHUP | POLLRDHUP;
  pollfd item{.fd = socket_.get(), .events = closed, .revents = 0};
  return ::poll(&item, 1, 0) > 0 && (item.revents & (closed | POLLERR | POLLNVAL)) != 0;
}

void Wire::end_writing() {
  if (socket_) ::shutdown(socket_.get(), SHUT_WR);
}

void Wire::close() {
  if (!socket_) return;
  for (auto* one : {&readiness_, &to_write_}) {
    if (*one) (*one)->cancel();
    one->reset();
  }
  socket_.reset();
  writing_.reset();
}

}  // namespace berth::io
