#include "daemon/keeper/client.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/keeper/text.h"

namespace berth::keeper {

void Client::take(const int* fds) {
  let_go_of_files();
  close_connection();
  memcpy(files_, fds, sizeof files_);
  connection_ = fds[attached::kFiles];
}

void Client::let_go_of_files() {
  for (int& fd : files_) {
    if (fd >= 0) close(fd);
    fd = -1;
  }
}

int Client::hear() {
  attached::Signal said;
  const ssize_t n = recv(connection_, &said, sizeof said, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
  if (n <= 0) {
    close_connection();
    return -1;
  }
  const bool right = n == sizeof said && said.version == attached::kVersion && said.number > 0 && said.number < 65;
  return right ? said.number : 0;
}

void Client::tell(int exit, const char* message) {
  if (connection_ < 0) return;
  attached::End end{attached::kVersion, exit, {}};
  Text(end.message, sizeof end.message).add(message);
  (void)!send(connection_, &end, sizeof end, MSG_DONTWAIT | MSG_NOSIGNAL);
  close_connection();
}

void Client::close_connection() {
  if (connection_ >= 0) close(connection_);
  connection_ = -1;
}

}  // namespace berth::keeper
