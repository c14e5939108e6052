#pragma once

#include <stdint.h>
#include <time.h>

namespace berth::keeper {

inline int64_t clock_ms(clockid_t clock) {
  timespec t;
  clock_gettime(clock, &t);
  return int64_t{t.tv_sec} * 1000 + t.tv_nsec / 1000000;
}
inline int64_t monotonic_ms() { return clock_ms(CLOCK_MONOTONIC); }
inline int64_t wall_ms() { return clock_ms(CLOCK_REALTIME); }

/// A time that is `ms` or a little more away, never less: the clock's milliseconds are rounded down.
inline int64_t after(int64_t ms) { return monotonic_ms() + ms + 1; }

/// Writes `2026-11-24T09:00:00.123456789Z`, 30 characters, without a NUL.
void write_timestamp(char* to, const timespec& time);
/// The whole seconds since 1970 of what that wrote; -1 where `text`, of which 19 bytes are read, is none.
int64_t read_timestamp(const char* text);

}  // namespace berth::keeper
