// A worker as an attacker would have it: it does what the lines of its blob say, within whatever is left to it, and tells what came of each.
// Only for tests; it is started as berth-unpack is.

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <sstream>
#include <string>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "core/files/files.h"
#include "daemon/unpack/job.h"
#include "daemon/unpack/sandbox.h"

namespace {

using namespace berth::unpack;

/// "socket: EPERM", or "socket: done".
void tell(const std::string& order, long result) {
  const std::string words = order + ": " + (result >= 0 ? "done" : ::strerrorname_np(errno)) + "; ";
  [[maybe_unused]] const ssize_t told = ::write(kWords, words.data(), words.size());
}

long make_file(const std::string& path, unsigned mode, const std::string& content) {
  const auto file = berth::files::open_below(kTarget, path, O_WRONLY | O_CREAT | O_EXCL, mode);
  if (!file) return -1;
  const long written = ::write(file->get(), content.data(), content.size());
  if ((mode & 07000) != 0) ::fchmod(file->get(), mode);  // writing took those bits away
  return written;
}

long grab_memory(std::size_t bytes) {
  void* const memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? -1 : 0;
}

long make_code() { return ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0; }

/// A child that outlives its parent, if it may.
long leave_a_child() {
  const pid_t child = ::fork();
  if (child != 0) return child;
  for (;;) ::pause();
}

long obey(const std::string& order, std::istream& line) {
  std::string first, second, third;
  line >> first >> second >> third;
  const auto mode = [&second] { return static_cast<unsigned>(std::strtoul(second.c_str(), nullptr, 8)); };
  if (order == "sandbox") return enter_sandbox(kTarget) ? 0 : -1;
  if (order == "file") return make_file(first, mode(), third);
  if (order == "folder") return ::mkdirat(kTarget, first.c_str(), mode());
  if (order == "symlink") return ::symlinkat(second.c_str(), kTarget, first.c_str());
  if (order == "link") return ::linkat(kTarget, first.c_str(), kTarget, second.c_str(), 0);
  if (order == "pipe") return ::mkfifoat(kTarget, first.c_str(), 0644);
  if (order == "device") return ::mknodat(kTarget, first.c_str(), S_IFCHR | 0666, 0x103);
  if (order == "xattr") return ::fsetxattr(kTarget, "user.berth", "x", 1, 0);
  if (order == "read") return ::open(first.c_str(), O_RDONLY | O_CLOEXEC);
  if (order == "create") return ::open(first.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (order == "above") return ::openat(kTarget, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (order == "socket") return ::socket(AF_INET, SOCK_STREAM, 0);
  if (order == "fork") return leave_a_child();
  if (order == "kill") return ::kill(std::atoi(first.c_str()), 0);
  if (order == "trace") return ::ptrace(PTRACE_ATTACH, std::atoi(first.c_str()), nullptr, nullptr);
  if (order == "become_root") return ::syscall(SYS_setuid, 0);
  if (order == "mount") return ::syscall(SYS_unshare, 0x10000000);  // a user namespace, the usual first step
  if (order == "memory") return grab_memory(std::strtoull(first.c_str(), nullptr, 10));
  if (order == "code") return make_code();
  if (order == "say") return ::write(kWords, "\x1b[2J\xff\nmore", 10);
  if (order == "progress") return ::write(kProgress, "..", 2);
  if (order == "spin") {
    while (::write(kProgress, ".", 1) == 1) {
    }
    return -1;
  }
  if (order == "stall")
    for (;;) ::pause();
  if (order == "wait_in_sandbox") {  // a call that a sandbox allows, and that does not return
    int word = 0;
    for (;;) ::syscall(SYS_futex, &word, 0 /* FUTEX_WAIT */, 0, nullptr, nullptr, 0);
  }
  if (order == "exit") ::_exit(std::atoi(first.c_str()));
  errno = EINVAL;
  return -1;
}

}  // namespace

int main() {
  const auto orders = berth::files::read(kBlob, "orders", 1u << 20);
  if (!orders) return 99;
  std::istringstream lines(*orders);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string order;
    words >> order;
    const long result = obey(order, words);
    if (order != "say" && order != "progress") tell(order, result);
  }
  return 0;
}
