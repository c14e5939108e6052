#pragma once

#include <stdint.h>
#include <sys/random.h>
#include <unistd.h>

namespace berth::keeper {

/// Another number in each keeper, and each time.
inline uint32_t chance() {
  uint32_t number = 0;
  if (getrandom(&number, sizeof number, GRND_NONBLOCK) == static_cast<ssize_t>(sizeof number)) return number;
  return static_cast<uint32_t>(getpid()) * 2654435761u;  // spreads pids over all numbers there are
}

}  // namespace berth::keeper
