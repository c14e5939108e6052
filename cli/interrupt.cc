#include "cli/interrupt.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace berth::cli {
namespace {

// A signal handler can reach globals alone. The text is complete before the handler is set, and never changed under it.
char notice[1024];
std::size_t notice_size = 0;

extern "C" void on_interrupt(int) {
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, notice, notice_size);
  ::_exit(130);
}

}  // namespace

InterruptNotice::InterruptNotice(const std::string& text) {
  notice_size = std::min(text.size(), sizeof notice);
  std::memcpy(notice, text.data(), notice_size);
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  ::sigaction(SIGINT, &action, nullptr);
}

InterruptNotice::~InterruptNotice() {
  ::signal(SIGINT, SIG_DFL);
}

}  // namespace berth::cli
