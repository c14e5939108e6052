#pragma once

#include <csignal>
#include <stdexcept>

#include <sys/types.h>

namespace berth {

/// For tests: a signal to one process. Where a test does not know it, since something failed before, that is an exception and no signal to whoever runs the tests,
/// whom the numbers 0 and -1 stand for.
inline int kill_one(pid_t pid, int signal) {
  if (pid <= 0) throw std::invalid_argument("the process that is to get a signal is not known");
  return ::kill(pid, signal);
}

}  // namespace berth
