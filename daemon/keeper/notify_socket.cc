#include "daemon/keeper/notify_socket.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/keeper/processes.h"
#include "daemon/keeper/unix_socket.h"

namespace berth::keeper {
namespace {

constexpr int kMostPassed = 16;         ///< descriptors of one message
constexpr int kMostInARow = 64;         ///< messages of strangers

struct Sender {
  pid_t pid = 0;
};

/// Takes a message's credentials, and closes its descriptors.
Sender take_ancillary(msghdr* head) {
  Sender sender;
  for (cmsghdr* c = CMSG_FIRSTHDR(head); c != nullptr; c = CMSG_NXTHDR(head, c)) {
    if (c->cmsg_level != SOL_SOCKET) continue;
    if (c->cmsg_type == SCM_CREDENTIALS) {
      ucred credentials;
      memcpy(&credentials, CMSG_DATA(c), sizeof credentials);
      sender.pid = credentials.pid;
    }
    if (c->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; i++) {
      int fd;
      memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof fd);
      close(fd);
    }
  }
  return sender;
}

}  // namespace

bool NotifySocket::open_at(const char* path) {
  close_it();
  fd_ = bind_unix(path, SOCK_DGRAM, 0111);  // the folder says who may come here
  if (fd_ < 0) return false;
  const int yes = 1;
  setsockopt(fd_, SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes);
  return true;
}

void NotifySocket::close_it() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

void NotifySocket::go_on_with(int fd, unsigned long refused) {
  fd_ = fd;
  refused_ = refused;
}

size_t NotifySocket::receive(char* into, size_t room, pid_t app) {
  for (int i = 0; fd_ >= 0 && i < kMostInARow; i++) {
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(sizeof(int) * kMostPassed)];
    iovec part{into, room};
    msghdr head{};
    head.msg_iov = &part;
    head.msg_iovlen = 1;
    head.msg_control = control;
    head.msg_controllen = sizeof control;
    const ssize_t n = recvmsg(fd_, &head, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0) return 0;
    const Sender sender = take_ancillary(&head);
    const bool whole = (head.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0;
    const bool own = sender.pid > 0 && (sender.pid == app || descends_from(sender.pid, getpid()) || (app > 0 && descends_from(sender.pid, app)));
    if (whole && own && n > 0) return static_cast<size_t>(n);
    refused_++;
  }
  return 0;
}

}  // namespace berth::keeper
