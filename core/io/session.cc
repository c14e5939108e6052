#include "core/io/session.h"

#include <charconv>
#include <csignal>
#include <cstring>
#include <memory>
#include <set>

#include <dirent.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/files/fd.h"

namespace berth::io {
namespace {

/// Forking faster than we kill takes a few passes; a member that is dead but not reaped is seen again in each.
constexpr int kPasses = 8;

/// Kills `pid` if it is, still, of that session.
void kill_member(pid_t pid, pid_t session) {
  const Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd || ::getsid(pid) != session) return;
  ::syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0);
}

}  // namespace

void kill_session(pid_t leader) {
  ::kill(-leader, SIGKILL);
  std::set<pid_t> killed;
  for (int pass = 0; pass < kPasses; ++pass) {
    bool found = false;
    const std::unique_ptr<DIR, int (*)(DIR*)> processes(::opendir("/proc"), ::closedir);
    if (!processes) return;
    while (const dirent* entry = ::readdir(processes.get())) {
      pid_t pid = 0;
      const char* end = entry->d_name + std::strlen(entry->d_name);
      if (std::from_chars(entry->d_name, end, pid).ptr != end || ::getsid(pid) != leader) continue;
      if (!killed.insert(pid).second) continue;
      kill_member(pid, leader);
      found = true;
    }
    if (!found) return;
  }
}

}  // namespace berth::io
