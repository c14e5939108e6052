#include <csignal>
#include <cstdio>
#include <cstdlib>

#include <sys/signalfd.h>

#include "core/files/fd.h"
#include "core/io/loop.h"
#include "core/io/readiness.h"

namespace berth::io {

namespace asio = boost::asio;

struct Signals::State {
  State(asio::any_io_executor executor, int its_fd) : fd(its_fd), readiness(std::move(executor), its_fd) {}
  Fd fd;
  Readiness readiness;
};

Signals::Signals(asio::any_io_executor executor, std::vector<int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : signals) sigaddset(&set, number);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  const int fd = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (fd < 0) {
    std::perror("berth: signalfd");
    std::abort();
  }
  state_ = std::make_unique<State>(std::move(executor), fd);
}

Signals::~Signals() = default;

asio::awaitable<int> Signals::next() {
  while (true) {
    signalfd_siginfo info{};
    if (::read(state_->fd.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) co_return static_cast<int>(info.ssi_signo);
    const Woken woken = co_await state_->readiness.wait(Want::read, deadline_in(milliseconds::max()));
    if (woken != Woken::ready) co_return 0;
  }
}

}  // namespace berth::io
