#pragma once

#include <cstdint>

#include "daemon/ship/sink.h"

namespace berth::ship {

/// An entry's time as it is pushed to a server that takes two entries of one stream, time and text for one (Loki, also behind a collector): to the millisecond, and
/// below it the last six digits of its sequence number, in nanoseconds since 1970. So lines of one read, and those of an app that tells its own time by the second, are told
/// apart, stay in their order but for one millisecond in a million lines, and have the same time when they are sent again.
inline std::int64_t pushed_time(const Entry& entry) {
  constexpr std::int64_t kBelow = 1'000'000;
  const std::int64_t time = entry.time.time_since_epoch().count();
  return time - time % kBelow + static_cast<std::int64_t>(entry.sequence % kBelow);
}

}  // namespace berth::ship
