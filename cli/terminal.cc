#include "cli/terminal.h"

#include <cstdlib>

#include <fcntl.h>
#include <sys/ioctl.h>

namespace berth::cli {

Result<Pty> open_pty(int like) {
  Pty pty;
  pty.master.reset(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
  if (!pty.master) return fail_errno("make a terminal for the command");
  char name[128];
  if (::grantpt(pty.master.get()) != 0 || ::unlockpt(pty.master.get()) != 0 || ::ptsname_r(pty.master.get(), name, sizeof name) != 0)
    return fail_errno("make a terminal for the command");
  pty.slave.reset(::open(name, O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!pty.slave) return fail_errno("open the terminal of the command");
  copy_window_size(like, pty.master.get());
  return pty;
}

void copy_window_size(int like, int master) {
  winsize size{};
  if (::ioctl(like, TIOCGWINSZ, &size) == 0) ::ioctl(master, TIOCSWINSZ, &size);
}

bool is_controlled(int master) {
  pid_t group = 0;
  return ::ioctl(master, TIOCGPGRP, &group) == 0 && group > 0;
}

RawTerminal::RawTerminal(int terminal) : terminal_(terminal) {
  if (::tcgetattr(terminal_, &before_) != 0) return;
  termios raw = before_;
  ::cfmakeraw(&raw);
  raw.c_lflag |= ISIG;
  changed_ = ::tcsetattr(terminal_, TCSANOW, &raw) == 0;
}

void RawTerminal::pass_signals() {
  if (!changed_ || passes_) return;
  termios raw = before_;
  ::cfmakeraw(&raw);
  passes_ = ::tcsetattr(terminal_, TCSANOW, &raw) == 0;
}

RawTerminal::~RawTerminal() {
  if (changed_) ::tcsetattr(terminal_, TCSADRAIN, &before_);
}

}  // namespace berth::cli
