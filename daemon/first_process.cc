#include "daemon/first_process.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <optional>

#include <fmt/core.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/supervise/process_tree.h"

namespace berth {
namespace {

constexpr timespec kBeforeAnother{.tv_sec = 1, .tv_nsec = 0};  // as RestartSec of berthd.service
constexpr int kKilled = 128;                                   // as shells tell that a signal ended somebody: 128 and its number

sigset_t heeded() {
  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int signal : {SIGCHLD, SIGHUP, SIGINT, SIGTERM}) ::sigaddset(&signals, signal);
  return signals;
}

/// Buries all who have ended: how berthd did, if it is among them.
std::optional<int> bury(pid_t berthd) {
  std::optional<int> ended;
  for (;;) {
    int status = 0;
    const pid_t pid = ::waitpid(-1, &status, WNOHANG);
    if (pid == berthd) ended = status;
    if (pid == 0 || (pid < 0 && errno != EINTR)) return ended;
  }
}

/// Tells everyone whose parent this process is to end, and waits until they have. A keeper ends when its app has.
void end_all() {
  for (const auto& process : supervise::all_processes())
    if (process.parent == ::getpid()) ::kill(process.pid, SIGTERM);
  while (::waitpid(-1, nullptr, 0) > 0 || errno == EINTR) {}
}

/// Until berthd ends: how. `is_told` says whether somebody told it to.
int await(pid_t berthd, bool& is_told) {
  const sigset_t signals = heeded();
  for (;;) {
    const int signal = ::sigwaitinfo(&signals, nullptr);
    if (signal == SIGCHLD) {
      if (const auto status = bury(berthd)) return *status;
    } else if (signal > 0) {
      if (signal != SIGHUP) is_told = true;
      ::kill(berthd, signal);
    }
  }
}

}  // namespace

void be_first_process() {
  const sigset_t signals = heeded();
  sigset_t before;
  ::sigprocmask(SIG_BLOCK, &signals, &before);
  bool is_told = false;
  for (;;) {
    const pid_t berthd = ::fork();
    if (berthd < 0) {
      fmt::print(stderr, "berthd: cannot be started as a child of the first process: {}\n", std::strerror(errno));
      std::_Exit(1);
    }
    if (berthd == 0) {
      ::sigprocmask(SIG_SETMASK, &before, nullptr);
      return;
    }
    const int status = await(berthd, is_told);
    if (WIFEXITED(status) || is_told) {
      end_all();
      std::_Exit(WIFEXITED(status) ? WEXITSTATUS(status) : kKilled + WTERMSIG(status));
    }
    fmt::print(stderr, "berthd: ended by signal {}; it is started again, and takes over what runs\n", WTERMSIG(status));
    sigset_t end = signals;
    ::sigdelset(&end, SIGCHLD);
    ::sigdelset(&end, SIGHUP);
    if (::sigtimedwait(&end, nullptr, &kBeforeAnother) > 0) {
      end_all();
      std::_Exit(0);
    }
  }
}

}  // namespace berth
