// Every way out of a worker that its confinement is to close. The raw system calls: what a library refuses by itself says nothing of the kernel.

#include "daemon/fetch/rogue_attempts.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/openat2.h>
#include <linux/perf_event.h>
#include <linux/reboot.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "daemon/unpack/job.h"

namespace berth::fetch {
namespace {

using unpack::kTarget;
using Argument = const std::string&;

pid_t process(Argument argument) { return static_cast<pid_t>(std::atoi(argument.c_str())); }

/// A child that outlives its parent, if it may.
long leave_a_child(Argument) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  for (;;) ::pause();
}

long fork_bomb(Argument) {
  long made = 0;
  for (int i = 0; i < 100; ++i) {
    const long child = ::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (child == 0)
      for (;;) ::pause();
    if (child > 0) ++made;
  }
  return made > 0 ? made : -1;
}

long make_code(Argument) { return ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0; }

/// Of 127.0.0.1, where a test listens in its own network.
long connect_tcp(Argument port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  if (socket < 0) return -1;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(port.c_str())));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return ::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

long connect_abstract(Argument name) {
  const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
  if (socket < 0) return -1;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + 1, name.data(), name.size());
  return ::connect(socket, reinterpret_cast<const sockaddr*>(&address), static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size()));
}

long peek(Argument pid) {
  char byte = 0;
  iovec here{&byte, 1}, there{&byte, 1};
  return ::process_vm_readv(process(pid), &here, 1, &there, 1, 0);
}

long raise_limits(Argument) {
  const rlimit more{RLIM_INFINITY, RLIM_INFINITY};
  return ::setrlimit(RLIMIT_FSIZE, &more);
}

long set_clock(Argument) {
  const timespec then{};
  return ::clock_settime(CLOCK_REALTIME, &then);
}

long load_program(Argument) {
  bpf_attr attributes{};
  attributes.prog_type = BPF_PROG_TYPE_KPROBE;
  return ::syscall(SYS_bpf, BPF_PROG_LOAD, &attributes, sizeof attributes);
}

long watch_kernel(Argument) {
  perf_event_attr attributes{};
  attributes.size = sizeof attributes;
  attributes.type = PERF_TYPE_TRACEPOINT;
  return ::syscall(SYS_perf_event_open, &attributes, -1, 0, -1, 0);
}

long make_ring(Argument) {
  io_uring_params parameters{};
  return ::syscall(SYS_io_uring_setup, 4, &parameters);
}

long open_by_handle(Argument) {
  alignas(file_handle) char place[sizeof(file_handle) + 8] = {};
  auto* const handle = reinterpret_cast<file_handle*>(place);
  handle->handle_bytes = 8;
  handle->handle_type = 1;  // an inode's number and generation: 2 is the root of ext4
  place[sizeof(file_handle)] = 2;
  return ::open_by_handle_at(kTarget, handle, O_RDONLY);
}

/// In its own folder, by the call that a sandbox leaves it: what is opened so, no filter of calls can tell.
long open_own(Argument path, std::uint64_t flags) {
  open_how how{};
  how.flags = flags | O_CLOEXEC;
  return ::syscall(SYS_openat2, kTarget, path.c_str(), &how, sizeof how);
}

long run_something(Argument path) {
  char* const none[] = {nullptr};
  return ::execve(path.c_str(), none, none);
}

long make_socket_file(Argument name) { return ::mknodat(kTarget, name.c_str(), S_IFSOCK | 0666, 0); }

/// What `make_attribute` sets, on `path` in the folder.
long set_attribute(Argument path, const char* name, const void* value, std::size_t size) {
  const int file = ::openat(kTarget, path.c_str(), O_RDONLY);
  return file < 0 ? -1 : ::fsetxattr(file, name, value, size, 0);
}

constexpr unsigned char kCapabilities[] = {1, 0, 0, 2, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0, 0, 0, 0, 0, 0, 0};

struct Way {
  const char* name;
  long (*go)(Argument);
};

const Way kWays[] = {
    // other processes
    {"fork", leave_a_child},
    {"fork_bomb", fork_bomb},
    {"thread", [](Argument) -> long { return ::syscall(SYS_clone3, nullptr, 0); }},
    {"run", run_something},
    {"kill", [](Argument pid) -> long { return ::kill(process(pid), 0); }},
    {"kill_all", [](Argument) -> long { return ::kill(-1, 0); }},
    {"trace", [](Argument pid) -> long { return ::ptrace(PTRACE_ATTACH, process(pid), nullptr, nullptr); }},
    {"peek", peek},
    {"borrow", [](Argument pid) -> long { return ::syscall(SYS_pidfd_open, process(pid), 0); }},
    // rights
    {"become_root", [](Argument) -> long { return ::syscall(SYS_setuid, 0); }},
    {"become_root_group", [](Argument) -> long { return ::syscall(SYS_setgid, 0); }},
    {"join_groups", [](Argument) -> long { const gid_t root = 0; return ::syscall(SYS_setgroups, 1, &root); }},
    {"user_namespace", [](Argument) -> long { return ::unshare(CLONE_NEWUSER); }},
    {"raise_limits", raise_limits},
    {"code", make_code},
    // network
    {"socket", [](Argument) -> long { return ::socket(AF_INET, SOCK_STREAM, 0); }},
    {"packets", [](Argument) -> long { return ::socket(AF_PACKET, SOCK_RAW, 0); }},
    {"connect", connect_tcp},
    {"connect_abstract", connect_abstract},
    // files
    {"mount", [](Argument) -> long { return ::mount("proc", "/", "proc", 0, nullptr); }},
    {"leave_root", [](Argument) -> long { return ::chroot("."); }},
    {"open_by_handle", open_by_handle},
    {"above", [](Argument) -> long { return ::openat(kTarget, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC); }},
    {"read", [](Argument path) -> long { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); }},
    {"read_own", [](Argument path) -> long { return open_own(path, O_RDONLY); }},
    {"list_own", [](Argument path) -> long { return open_own(path, O_RDONLY | O_DIRECTORY); }},
    {"cut_own", [](Argument path) -> long { return open_own(path, O_WRONLY | O_TRUNC); }},
    {"create", [](Argument path) -> long { return ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644); }},
    {"rename", [](Argument path) -> long { return ::renameat(kTarget, path.c_str(), kTarget, "renamed"); }},
    {"remove", [](Argument path) -> long { return ::unlinkat(kTarget, path.c_str(), 0); }},
    {"setuid_bit", [](Argument path) -> long { return ::fchmodat(kTarget, path.c_str(), 04755, 0); }},
    {"pipe", [](Argument name) -> long { return ::mkfifoat(kTarget, name.c_str(), 0644); }},
    {"socket_file", make_socket_file},
    {"device", [](Argument name) -> long { return ::mknodat(kTarget, name.c_str(), S_IFCHR | 0666, 0x103); }},
    {"attribute", [](Argument path) -> long { return set_attribute(path, "user.berth", "x", 1); }},
    {"capabilities", [](Argument path) -> long { return set_attribute(path, "security.capability", kCapabilities, sizeof kCapabilities); }},
    // the machine
    {"ring", make_ring},
    {"load_program", load_program},
    {"watch_kernel", watch_kernel},
    {"load_module", [](Argument) -> long { return ::syscall(SYS_init_module, "", 0, ""); }},
    {"keys", [](Argument) -> long { return ::syscall(SYS_add_key, "user", "berth", "x", 1, -3); }},
    {"faults", [](Argument) -> long { return ::syscall(SYS_userfaultfd, 0); }},
    {"set_clock", set_clock},
    {"set_name", [](Argument) -> long { return ::sethostname("owned", 5); }},
    {"reboot", [](Argument) -> long { return ::syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_CAD_OFF, nullptr); }},
};

}  // namespace

std::optional<long> attempt(const std::string& name, const std::string& argument) {
  for (const Way& way : kWays)
    if (name == way.name) return way.go(argument);
  return std::nullopt;
}

}  // namespace berth::fetch
