#include "core/io/packet_socket.h"

#include <cerrno>
#include <cstring>
#include <optional>

#include <fmt/core.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "core/io/readiness.h"
#include "core/io/unix_address.h"

namespace berth::io {
namespace {

namespace asio = boost::asio;

constexpr std::size_t kMostBytes = 1u << 20;
constexpr std::size_t kMostFds = 253;  // SCM_MAX_FD of the kernel

/// What a failed send or receive means for the connection.
std::unexpected<Error> fail_socket(std::string_view doing, int number) {
  if (number == EPIPE || number == ECONNRESET || number == ENOTCONN || number == ECONNREFUSED || number == EBADF)
    return fail(Errc::refused, std::string(doing) + ": the other end closed the connection");
  return fail_errno(doing, number);
}

std::vector<Fd> take_fds(msghdr& message) {
  std::vector<Fd> fds;
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof fd);
      fds.emplace_back(fd);
    }
  }
  return fds;
}

/// One message that is there already, or nothing yet.
Result<std::optional<Packet>> take_packet(int fd) {
  const ssize_t size = ::recv(fd, nullptr, 0, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
  if (size < 0) {
    if (errno == EAGAIN || errno == EINTR) return std::nullopt;
    return fail_socket("receive a message", errno);
  }
  Packet packet;
  packet.bytes.resize(std::min(static_cast<std::size_t>(size), kMostBytes));
  alignas(cmsghdr) char control[CMSG_SPACE(kMostFds * sizeof(int))];
  iovec bytes{.iov_base = packet.bytes.data(), .iov_len = packet.bytes.size()};
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t got = ::recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got < 0) {
    if (errno == EAGAIN || errno == EINTR) return std::nullopt;
    return fail_socket("receive a message", errno);
  }
  packet.fds = take_fds(message);
  if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
    return fail(Errc::protocol, fmt::format("receive a message: {} bytes are more than the {} allowed, or descriptors were lost", size, kMostBytes));
  if (got == 0 && packet.fds.empty()) return fail(Errc::refused, "receive a message: the other end closed the connection");
  packet.bytes.resize(static_cast<std::size_t>(got));
  return packet;
}

}  // namespace

struct PacketSocket::State {
  State(asio::any_io_executor executor, Fd its_socket)
      : socket(std::move(its_socket)), readiness(std::in_place, std::move(executor), socket.get()) {}
  Fd socket;
  std::optional<Readiness> readiness;
};

Result<PacketSocket> PacketSocket::connect(asio::any_io_executor executor, const std::string& path) {
  BERTH_TRY(const UnixAddress address, unix_address(path));
  Fd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return fail_errno("make a socket");
  // To a Unix socket this succeeds or fails at once; a full backlog is EAGAIN.
  if (::connect(socket.get(), address.get(), address.size) < 0) {
    if (errno == EAGAIN) return fail(Errc::timeout, fmt::format("connect to {}: too many wait for it already", path));
    if (errno == ECONNREFUSED) return fail(Errc::refused, fmt::format("connect to {}: nobody listens there", path));
    return fail_errno("connect to " + path);
  }
  return PacketSocket(std::move(executor), std::move(socket));
}

PacketSocket::PacketSocket(asio::any_io_executor executor, Fd socket)
    : state_(std::make_shared<State>(std::move(executor), std::move(socket))) {}
PacketSocket::~PacketSocket() { close(); }
PacketSocket::PacketSocket(PacketSocket&&) noexcept = default;
PacketSocket& PacketSocket::operator=(PacketSocket&& other) noexcept {
  if (this != &other) {
    close();
    state_ = std::move(other.state_);
  }
  return *this;
}

Result<void> PacketSocket::send(std::string_view bytes, const std::vector<int>& fds) {
  if (!state_ || !state_->socket) return fail(Errc::refused, "send a message: the connection is closed");
  if (fds.size() > kMostFds) return fail(Errc::usage, fmt::format("send a message: {} descriptors are more than {}", fds.size(), kMostFds));
  iovec part{.iov_base = const_cast<char*>(bytes.data()), .iov_len = bytes.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(kMostFds * sizeof(int))] = {};
  if (!fds.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
    cmsghdr* rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    std::memcpy(CMSG_DATA(rights), fds.data(), fds.size() * sizeof(int));
  }
  while (::sendmsg(state_->socket.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
    if (errno == EINTR) continue;
    if (errno == EAGAIN) return fail(Errc::timeout, "send a message: the other end does not read, its buffer is full");
    return fail_socket("send a message", errno);
  }
  return {};
}

asio::awaitable<Result<Packet>> PacketSocket::receive(std::chrono::milliseconds at_most) {
  const auto state = state_;  // stays when the socket is closed, moved or destroyed meanwhile
  const auto deadline = deadline_in(at_most);
  while (true) {
    if (!state || !state->socket) co_return fail(Errc::refused, "receive a message: the connection is closed");
    auto packet = take_packet(state->socket.get());
    if (!packet) co_return std::unexpected(std::move(packet.error()));
    if (*packet) co_return std::move(**packet);
    const Woken woken = co_await state->readiness->wait(Want::read, deadline);
    if (!state->socket) continue;
    if (woken != Woken::ready) co_return fail_woken(woken, "receive a message");
  }
}

void PacketSocket::close() {
  if (!state_ || !state_->socket) return;
  state_->readiness->cancel();
  state_->readiness.reset();
  state_->socket.reset();
}

pid_t PacketSocket::peer_pid() const {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (!state_ || ::getsockopt(state_->socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) return 0;
  return peer.pid;
}

}  // namespace berth::io
