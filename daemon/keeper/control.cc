#include "daemon/keeper/control.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/keeper/unix_socket.h"

namespace berth::keeper {
namespace {

/// Touched only while descriptors are passed.
alignas(cmsghdr) char control_buffer[CMSG_SPACE(sizeof(int) * Message::kMostFds)];

/// What a peer says is read where its version is known: a keeper of version 1 knows no other.
bool is_known(uint16_t version) { return kProtocolVersion == 1 ? version == 1 : version > 0; }

}  // namespace

void Message::close_fds() {
  for (int i = 0; i < fd_count; i++) {
    if (fds[i] >= 0) close(fds[i]);
  }
  fd_count = 0;
}

bool Control::listen_at(const char* path) {
  path_ = path;
  listener_ = bind_unix(path, SOCK_SEQPACKET, 0177);
  return listener_ >= 0 && listen(listener_, 4) == 0;
}

void Control::go_on_with(const char* path, int listener, int connection) {
  path_ = path;
  listener_ = listener;
  connection_ = connection;
}

bool Control::accept_connection() {
  const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) return false;
  drop();
  connection_ = fd;
  peer_left_ = false;
  return true;
}

bool Control::receive(Message* message) {
  message->fd_count = 0;
  iovec part{message->bytes, sizeof message->bytes};
  msghdr head{};
  head.msg_iov = &part;
  head.msg_iovlen = 1;
  head.msg_control = control_buffer;
  head.msg_controllen = sizeof control_buffer;
  const ssize_t n = recvmsg(connection_, &head, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  for (cmsghdr* c = n > 0 ? CMSG_FIRSTHDR(&head) : nullptr; c != nullptr; c = CMSG_NXTHDR(&head, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; i++) {
      int fd;
      memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof fd);
      if (message->fd_count < Message::kMostFds) message->fds[message->fd_count++] = fd;
      else close(fd);
    }
  }
  peer_left_ = n == 0 || (n < 0 && errno == ECONNRESET);
  message->size = n > 0 ? static_cast<size_t>(n) : 0;
  const Header* header = reinterpret_cast<const Header*>(message->bytes);
  if (n < static_cast<ssize_t>(sizeof(Header)) || (head.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) || header->size != message->size ||
      !is_known(header->version)) {
    message->close_fds();
    drop();
    return false;
  }
  return true;
}

void Control::send(const void* bytes, size_t size, const int* fds, int fd_count) {
  if (connection_ < 0) return;
  iovec part{const_cast<void*>(bytes), size};
  msghdr head{};
  head.msg_iov = &part;
  head.msg_iovlen = 1;
  if (fd_count > 0) {
    head.msg_control = control_buffer;
    head.msg_controllen = CMSG_SPACE(sizeof(int) * static_cast<size_t>(fd_count));
    memset(control_buffer, 0, head.msg_controllen);
    cmsghdr* c = CMSG_FIRSTHDR(&head);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = static_cast<unsigned>(CMSG_LEN(sizeof(int) * static_cast<size_t>(fd_count)));
    memcpy(CMSG_DATA(c), fds, sizeof(int) * static_cast<size_t>(fd_count));
  }
  if (sendmsg(connection_, &head, MSG_DONTWAIT | MSG_NOSIGNAL) == static_cast<ssize_t>(size)) return;
  peer_left_ = errno == EPIPE || errno == ECONNRESET;
  drop();
}

bool Control::try_send(const void* bytes, size_t size) {
  if (connection_ < 0) return true;
  if (::send(connection_, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL) == static_cast<ssize_t>(size)) return true;
  if (errno == EAGAIN || errno == ENOBUFS) return false;
  peer_left_ = errno == EPIPE || errno == ECONNRESET;
  drop();
  return true;
}

void Control::drop() {
  if (connection_ >= 0) close(connection_);
  connection_ = -1;
}

void Control::close_all() {
  unlink(path_);
  drop();
  close(listener_);
  listener_ = -1;
}

}  // namespace berth::keeper
