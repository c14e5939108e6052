#pragma once

#include <csignal>

#include "core/files/fd.h"

namespace berth::cli {

/// The signals of this program, which are for a command that runs elsewhere, as a descriptor, until its end; before, they are as they were.
class TakenSignals {
 public:
  TakenSignals();
  ~TakenSignals();
  TakenSignals(const TakenSignals&) = delete;
  TakenSignals& operator=(const TakenSignals&) = delete;

  int fd() const { return fd_.get(); }
  /// The next one that came, SIGWINCH among them; 0: none.
  int next() const;

 private:
  sigset_t before_{};
  Fd fd_;
  void (*pipe_)(int) = SIG_DFL;
};

}  // namespace berth::cli
