#include "calls.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <map>

#ifndef SO_ATTACH_REUSEPORT_CBPF
#define SO_ATTACH_REUSEPORT_CBPF 51
#endif

namespace inject {
namespace {

using Call = __ptrace_syscall_info;

std::string link_of(const std::string& proc) {
  char target[PATH_MAX];
  const ssize_t n = readlink(proc.c_str(), target, sizeof target);
  return n < 0 ? "" : std::string(target, static_cast<std::size_t>(n));
}

std::string file_of(pid_t pid, int fd) { return link_of("/proc/" + std::to_string(pid) + "/fd/" + std::to_string(fd)); }

std::string text_at(pid_t thread, std::uint64_t address) {
  std::string text;
  char block[256];
  while (address != 0 && text.size() < PATH_MAX) {
    const std::size_t want = sizeof block - address % sizeof block;  // never across a page that may not be there
    iovec local{block, want}, remote{reinterpret_cast<void*>(address), want};
    const ssize_t n = process_vm_readv(thread, &local, 1, &remote, 1, 0);
    if (n <= 0) return text;
    if (const void* end = std::memchr(block, 0, static_cast<std::size_t>(n))) return text.append(static_cast<const char*>(block), static_cast<const char*>(end));
    text.append(block, static_cast<std::size_t>(n));
    address += static_cast<std::uint64_t>(n);
  }
  return text;
}

std::uint64_t word_at(pid_t thread, std::uint64_t address) {
  std::uint64_t word = 0;
  iovec local{&word, sizeof word}, remote{reinterpret_cast<void*>(address), sizeof word};
  process_vm_readv(thread, &local, 1, &remote, 1, 0);
  return word;
}

/// The path that `name` means beside the folder `fd`.
std::string path_at(pid_t pid, pid_t thread, int fd, std::uint64_t name) {
  const std::string text = text_at(thread, name);
  if (!text.empty() && text[0] == '/') return text;
  const std::string folder = fd == AT_FDCWD ? link_of("/proc/" + std::to_string(pid) + "/cwd") : file_of(pid, fd);
  return text.empty() ? folder : folder + "/" + text;
}

bool is_below(const std::string& path, const std::vector<std::string>& below) {
  for (const auto& folder : below)
    if (path.compare(0, folder.size(), folder) == 0 && (path.size() == folder.size() || path[folder.size()] == '/')) return true;
  return false;
}

/// Our own duplicate of a descriptor of the process.
int borrow(pid_t pid, int fd) {
  const int process = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (process < 0) return -1;
  const int copy = static_cast<int>(syscall(SYS_pidfd_getfd, process, fd, 0));
  close(process);
  return copy;
}

/// A name for what a message on this socket does to others, or nothing: "nftables", "keeper".
std::string receiver_of(pid_t pid, int fd) {
  const int copy = borrow(pid, fd);
  int domain = 0, type = 0, protocol = 0;
  socklen_t size = sizeof(int);
  getsockopt(copy, SOL_SOCKET, SO_DOMAIN, &domain, &size);
  getsockopt(copy, SOL_SOCKET, SO_TYPE, &type, &size);
  getsockopt(copy, SOL_SOCKET, SO_PROTOCOL, &protocol, &size);
  close(copy);
  if (domain == AF_NETLINK && protocol == NETLINK_NETFILTER) return "nftables";
  if (domain == AF_UNIX && type == SOCK_SEQPACKET) return "keeper";
  return {};
}

/// Whether a TCP socket of the process, which listens already if `listens`: one that clients reach apps by, unless it is of berthd's own pages.
bool is_public_socket(pid_t pid, int fd, bool listens) {
  const int copy = borrow(pid, fd);
  int domain = 0, accepts = 0;
  socklen_t size = sizeof(int);
  getsockopt(copy, SOL_SOCKET, SO_DOMAIN, &domain, &size);
  getsockopt(copy, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &size);
  close(copy);
  return (domain == AF_INET || domain == AF_INET6) && (accepts != 0 || !listens);
}

/// What a socket is told about which connections and packets it takes.
const std::map<std::uint64_t, const char*> kSocketOptions = {
    {SO_ATTACH_REUSEPORT_CBPF, "SO_ATTACH_REUSEPORT_CBPF"},
    {SO_ATTACH_FILTER, "SO_ATTACH_FILTER"},
    {SO_DETACH_FILTER, "SO_DETACH_FILTER"},
};

const std::map<std::uint64_t, const char*> kOnDescriptor = {
    {SYS_fsync, "fsync"},         {SYS_fdatasync, "fdatasync"}, {SYS_syncfs, "syncfs"},     {SYS_sync_file_range, "sync_file_range"},
    {SYS_write, "write"},         {SYS_pwrite64, "pwrite64"},   {SYS_writev, "writev"},     {SYS_pwritev, "pwritev"},
    {SYS_ftruncate, "ftruncate"}, {SYS_fallocate, "fallocate"}, {SYS_fchmod, "fchmod"},     {SYS_fchown, "fchown"},
    {SYS_pwritev2, "pwritev2"},   {SYS_fsetxattr, "fsetxattr"},
};

const std::map<std::uint64_t, const char*> kAtFolder = {
    {SYS_mkdirat, "mkdirat"},   {SYS_unlinkat, "unlinkat"},   {SYS_fchmodat, "fchmodat"},
    {SYS_fchownat, "fchownat"}, {SYS_utimensat, "utimensat"}, {SYS_mknodat, "mknodat"},
};

const std::map<std::uint64_t, const char*> kByPath = {
#ifdef SYS_mkdir
    {SYS_mkdir, "mkdir"}, {SYS_rmdir, "rmdir"}, {SYS_unlink, "unlink"}, {SYS_chmod, "chmod"},
    {SYS_chown, "chown"}, {SYS_lchown, "lchown"}, {SYS_creat, "creat"},
#endif
    {SYS_truncate, "truncate"},
};

Point durable(std::string text) { return {Kind::durable, std::move(text)}; }
Point effect(std::string text) { return {Kind::effect, std::move(text)}; }

std::optional<Point> on_descriptor(const char* name, pid_t pid, const Call& call, const std::vector<std::string>& below) {
  const std::string path = file_of(pid, static_cast<int>(call.entry.args[0]));
  if (!is_below(path, below)) return {};
  return durable(std::string(name) + " " + path);
}

std::optional<Point> on_path(const char* name, const std::string& path, const std::vector<std::string>& below) {
  if (!is_below(path, below)) return {};
  return durable(std::string(name) + " " + path);
}

std::optional<Point> on_two_paths(const char* name, const std::string& from, const std::string& to, const std::vector<std::string>& below) {
  if (!is_below(from, below) && !is_below(to, below)) return {};
  return durable(std::string(name) + " " + from + " -> " + to);
}

/// Renames, links and opens, whose paths stand in different places.
std::optional<Point> on_names(pid_t pid, pid_t thread, const Call& call, const std::vector<std::string>& below) {
  const auto& a = call.entry.args;
  const auto at = [&](int fd, int name) { return path_at(pid, thread, static_cast<int>(a[fd]), a[name]); };
  const auto here = [&](int name) { return path_at(pid, thread, AT_FDCWD, a[name]); };
  switch (call.entry.nr) {
#ifdef SYS_rename
    case SYS_rename: return on_two_paths("rename", here(0), here(1), below);
    case SYS_link: return on_two_paths("link", here(0), here(1), below);
    case SYS_symlink: return on_two_paths("symlink", text_at(thread, a[0]), here(1), below);
    case SYS_open: return (a[1] & O_CREAT) != 0 ? on_path("open", here(0), below) : std::nullopt;
#endif
    case SYS_renameat:
    case SYS_renameat2: return on_two_paths("rename", at(0, 1), at(2, 3), below);
    case SYS_linkat: return on_two_paths("link", at(0, 1), at(2, 3), below);
    case SYS_symlinkat: return on_two_paths("symlink", text_at(thread, a[0]), at(1, 2), below);
    case SYS_openat: return (a[2] & O_CREAT) != 0 ? on_path("openat", at(0, 1), below) : std::nullopt;
    case SYS_openat2: return (word_at(thread, a[2]) & O_CREAT) != 0 ? on_path("openat2", at(0, 1), below) : std::nullopt;
    case SYS_copy_file_range: return on_path("copy_file_range", file_of(pid, static_cast<int>(a[2])), below);
    default: return {};
  }
}

/// Calls that read a file or a folder, and opens that make nothing.
std::optional<Point> on_reading(pid_t pid, pid_t thread, const Call& call, const std::vector<std::string>& below) {
  const auto& a = call.entry.args;
  const auto read_from = [&](const char* name) -> std::optional<Point> {
    const std::string path = file_of(pid, static_cast<int>(a[0]));
    if (!is_below(path, below)) return {};
    return Point{Kind::read, std::string(name) + " " + path};
  };
  switch (call.entry.nr) {
    case SYS_read: return read_from("read");
    case SYS_pread64: return read_from("pread64");
    case SYS_getdents64: return read_from("getdents64");
#ifdef SYS_open
    case SYS_open:
#endif
    case SYS_openat:
    case SYS_openat2: {
      const bool has_folder = call.entry.nr == SYS_openat || call.entry.nr == SYS_openat2;
      const std::string path = has_folder ? path_at(pid, thread, static_cast<int>(a[0]), a[1]) : path_at(pid, thread, AT_FDCWD, a[0]);
      if (!is_below(path, below)) return {};
      return Point{Kind::read, "open " + path};
    }
    default: return {};
  }
}

/// What others see of berthd.
std::optional<Point> on_others(pid_t pid, pid_t thread, const Call& call) {
  const auto& a = call.entry.args;
  switch (call.entry.nr) {
    case SYS_setsockopt: {
      const auto option = kSocketOptions.find(a[2]);
      if (a[1] != SOL_SOCKET || option == kSocketOptions.end()) return {};
      return effect(std::string("setsockopt ") + option->second);
    }
    case SYS_listen: return is_public_socket(pid, static_cast<int>(a[0]), false) ? std::optional(effect("listen")) : std::nullopt;
    case SYS_shutdown: return is_public_socket(pid, static_cast<int>(a[0]), true) ? std::optional(effect("shutdown of a listening socket")) : std::nullopt;
    case SYS_sendmsg:
    case SYS_sendto: {
      const std::string receiver = receiver_of(pid, static_cast<int>(a[0]));
      if (receiver.empty()) return {};
      return effect("send to " + receiver);
    }
    case SYS_clone:
      if ((a[0] & CLONE_THREAD) != 0) return {};
      return effect("clone a process");
    case SYS_clone3:
      if ((word_at(thread, a[0]) & CLONE_THREAD) != 0) return {};
      return effect("clone a process");
#ifdef SYS_fork
    case SYS_fork:
    case SYS_vfork: return effect("fork a process");
#endif
    case SYS_kill:
    case SYS_pidfd_send_signal: return effect("send a signal");
    default: return {};
  }
}

}  // namespace

std::optional<Point> crash_point(pid_t pid, pid_t thread, const Call& call, const std::vector<std::string>& below, bool reads) {
  if (const auto it = kOnDescriptor.find(call.entry.nr); it != kOnDescriptor.end()) return on_descriptor(it->second, pid, call, below);
  if (const auto it = kAtFolder.find(call.entry.nr); it != kAtFolder.end())
    return on_path(it->second, path_at(pid, thread, static_cast<int>(call.entry.args[0]), call.entry.args[1]), below);
  if (const auto it = kByPath.find(call.entry.nr); it != kByPath.end())
    return on_path(it->second, path_at(pid, thread, AT_FDCWD, call.entry.args[0]), below);
  if (auto point = on_names(pid, thread, call, below)) return point;
  if (reads) {
    if (auto point = on_reading(pid, thread, call, below)) return point;
  }
  return on_others(pid, thread, call);
}

const char* word_for(Kind kind) { return kind == Kind::durable ? "durable" : kind == Kind::effect ? "effect" : "read"; }

bool can_fail_with(int error, const Point& point) {
  const std::string call = point.text.substr(0, point.text.find(' '));
  if (point.kind == Kind::effect) return false;
  if (error == EMFILE) return call.starts_with("open");
  if (error == EIO) return true;
  if (point.kind == Kind::read) return false;
  if (error != ENOSPC && error != EDQUOT) return true;
  return call != "unlink" && call != "unlinkat" && call != "rmdir" && !call.starts_with("fch") && !call.starts_with("ch") && call != "lchown" &&
         call != "utimensat";
}

int error_named(const std::string& name) {
  static const std::map<std::string, int> known = {{"ENOSPC", ENOSPC}, {"EIO", EIO}, {"EROFS", EROFS}, {"EDQUOT", EDQUOT}, {"EMFILE", EMFILE}};
  const auto it = known.find(name);
  return it == known.end() ? -1 : it->second;
}

}  // namespace inject
