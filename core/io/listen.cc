#include "core/io/listen.h"

#include <cerrno>

#include <fcntl.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/io/unix_address.h"

namespace berth::io {
namespace {

constexpr int kBacklog = 128;

bool somebody_listens(const UnixAddress& address, int type) {
  const Fd socket(::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return true;
  // A full queue (EAGAIN) belongs to somebody too.
  return ::connect(socket.get(), address.get(), address.size) == 0 || errno == EAGAIN;
}

/// Makes room at `path`.
Result<void> remove_old_socket(const std::string& path, const UnixAddress& address, int type) {
  struct stat there {};
  if (::lstat(path.c_str(), &there) < 0) {
    if (errno == ENOENT) return {};
    return fail_errno("listen at " + path);
  }
  if (!S_ISSOCK(there.st_mode)) return fail(Errc::exists, fmt::format("listen at {}: something that is no socket is there; move it away", path));
  if (somebody_listens(address, type)) return fail(Errc::conflict, fmt::format("listen at {}: another process listens there; end it first", path));
  if (::unlink(path.c_str()) < 0 && errno != ENOENT) return fail_errno("remove the old socket " + path);
  return {};
}

}  // namespace

Result<UnixListener> listen_at_path(const std::string& path, mode_t mode, gid_t group, int type) {
  BERTH_TRY(const UnixAddress address, unix_address(path));
  BERTH_CHECK(remove_old_socket(path, address, type));
  UnixListener listener{.socket = Fd(::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)), .path = path};
  if (!listener.socket) return fail_errno("make a socket");
  if (::bind(listener.socket.get(), address.get(), address.size) < 0) return fail_errno("listen at " + path);
  struct stat made {};
  if (::lstat(path.c_str(), &made) < 0) return fail_errno("listen at " + path);
  listener.device = made.st_dev;
  listener.inode = made.st_ino;
  // Until it listens, whoever connects is refused.
  const bool ready = (group == static_cast<gid_t>(-1) || ::lchown(path.c_str(), static_cast<uid_t>(-1), group) == 0) &&
                     ::chmod(path.c_str(), mode) == 0 && ::listen(listener.socket.get(), kBacklog) == 0;
  if (!ready) {
    const int number = errno;
    remove_name(listener);
    return fail_errno("listen at " + path, number);
  }
  return listener;
}

void remove_name(const UnixListener& listener) {
  struct stat there {};
  if (::lstat(listener.path.c_str(), &there) < 0) return;
  if (there.st_dev == listener.device && there.st_ino == listener.inode) ::unlink(listener.path.c_str());
}

Result<Fd> listen_at_address(const std::string& address, std::uint16_t port) {
  BERTH_TRY(const IpAddress name, ip_address(address, port));
  Fd socket(::socket(name.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return fail_errno("make a socket");
  const int yes = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  const std::string where = with_port(address, port);
  if (::bind(socket.get(), name.get(), name.size) < 0 || ::listen(socket.get(), kBacklog) < 0) {
    if (errno == EADDRINUSE) return fail(Errc::conflict, fmt::format("listen at {}: another process listens there", where));
    return fail_errno("listen at " + where);
  }
  return socket;
}

Result<void> adopt_listener(int fd) {
  const auto option = [fd](int name) {
    int value = -1;
    socklen_t size = sizeof value;
    return ::getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
  };
  if (option(SO_TYPE) != SOCK_STREAM || option(SO_ACCEPTCONN) != 1)
    return fail(Errc::usage, fmt::format("the passed descriptor {} is no listening stream socket (a socket unit has ListenStream=)", fd));
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || ::fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
    return fail_errno("take a passed socket");
  return {};
}

IpAddress local_address(int fd) {
  IpAddress address;
  if (::getsockname(fd, address.get(), &address.size) < 0) return {};
  return address;
}

}  // namespace berth::io
