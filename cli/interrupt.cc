#include "cli/interrupt.h"

#include <cstdint>
#include <utility>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace berth::cli {
namespace {

constexpr int kInterrupted = 130;  ///< 128 and the number of the signal

void say(const std::string& text) { [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size()); }

bool is_somebody_there() { return ::isatty(STDIN_FILENO) == 1 && ::isatty(STDERR_FILENO) == 1; }

}  // namespace

Interrupt::Interrupt(Words words, std::function<void()> cancel) : words_(std::move(words)), cancel_(std::move(cancel)) {
  sigset_t interrupt;
  ::sigemptyset(&interrupt);
  ::sigaddset(&interrupt, SIGINT);
  ::pthread_sigmask(SIG_BLOCK, &interrupt, &before_);
  signals_ = Fd(::signalfd(-1, &interrupt, SFD_CLOEXEC));
  ends_ = Fd(::eventfd(0, EFD_CLOEXEC));
  thread_ = std::thread([this] { wait(); });
}

Interrupt::~Interrupt() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(ends_.get(), &one, sizeof one);
  thread_.join();
  ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

void Interrupt::change(Words words) {
  const std::lock_guard guard(mutex_);
  if (asking_ && !words_.question.empty() && words.question.empty()) say("\n" + words.too_late);
  words_ = std::move(words);
}

void Interrupt::wait() {
  for (;;) {
    pollfd fds[] = {{signals_.get(), POLLIN, 0}, {ends_.get(), POLLIN, 0}};
    if (::poll(fds, 2, -1) < 0) continue;
    if ((fds[1].revents & POLLIN) != 0) return;
    if ((fds[0].revents & POLLIN) == 0) continue;
    signalfd_siginfo seen;
    [[maybe_unused]] const ssize_t got = ::read(signals_.get(), &seen, sizeof seen);
    std::unique_lock lock(mutex_);
    const std::string question = words_.question;
    lock.unlock();
    const Answer answer = question.empty() || !cancel_ || !is_somebody_there() ? Answer::leave : ask(question);
    if (answer == Answer::over) return;
    lock.lock();
    const bool too_late = words_.question.empty();
    lock.unlock();
    if (answer == Answer::cancel && !too_late) {
      cancel_();
      asking_ = false;
      continue;
    }
    lock.lock();
    say(words_.notice);
    ::_exit(kInterrupted);
  }
}

Interrupt::Answer Interrupt::ask(const std::string& question) {
  asking_ = true;
  say("\n" + question);
  for (;;) {
    pollfd fds[] = {{STDIN_FILENO, POLLIN, 0}, {signals_.get(), POLLIN, 0}, {ends_.get(), POLLIN, 0}};
    if (::poll(fds, 3, -1) < 0) continue;
    if ((fds[2].revents & POLLIN) != 0) return say("\n"), Answer::over;
    if ((fds[1].revents & POLLIN) != 0) return Answer::leave;
    char line[256] = {};
    const ssize_t got = ::read(STDIN_FILENO, line, sizeof line);
    return got > 0 && (line[0] == 'c' || line[0] == 'C') ? Answer::cancel : Answer::leave;
  }
}

}  // namespace berth::cli
