#pragma once

#include <termios.h>

#include "core/files/fd.h"
#include "core/result.h"

namespace berth::cli {

/// A new pseudo-terminal.
struct Pty {
  Fd master, slave;
};

/// As large as the terminal `like`. The master does not block.
Result<Pty> open_pty(int like);

/// Gives the terminal behind `master` the size of the terminal `like`; whoever has it in its foreground is told by SIGWINCH.
void copy_window_size(int like, int master);

/// Whether something has the terminal behind `master` as its own: keys that mean a signal reach it.
bool is_controlled(int master);

/// While it lives, what is typed at the terminal comes byte by byte and unchanged, unshown; but Ctrl-C and its like mean a signal for this program, until
/// `pass_signals`. Afterwards the terminal is as it was.
class RawTerminal {
 public:
  explicit RawTerminal(int terminal);
  /// From now on Ctrl-C and its like are bytes as well.
  void pass_signals();
  ~RawTerminal();
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;

 private:
  int terminal_;
  termios before_{};
  bool changed_ = false, passes_ = false;
};

}  // namespace berth::cli
