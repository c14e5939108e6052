#include "cli/taken_signals.h"

#include <sys/signalfd.h>
#include <unistd.h>

namespace berth::cli {
namespace {

constexpr int kTaken[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM, SIGWINCH};

}  // namespace

TakenSignals::TakenSignals() {
  sigset_t taken;
  sigemptyset(&taken);
  for (const int number : kTaken) sigaddset(&taken, number);
  ::sigprocmask(SIG_BLOCK, &taken, &before_);
  fd_.reset(::signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK));
  pipe_ = std::signal(SIGPIPE, SIG_IGN);
}

TakenSignals::~TakenSignals() {
  ::sigprocmask(SIG_SETMASK, &before_, nullptr);
  std::signal(SIGPIPE, pipe_);
}

int TakenSignals::next() const {
  signalfd_siginfo info{};
  return ::read(fd_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info) ? static_cast<int>(info.ssi_signo) : 0;
}

}  // namespace berth::cli
