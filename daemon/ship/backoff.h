#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace berth::ship {

/// How long a sink may ask to be left alone.
inline constexpr std::chrono::milliseconds kLongestAsked = std::chrono::minutes(10);

/// How long to wait before a batch is sent again that was not taken `failures` times in a row: from half a second on doubling, up to 30 s, each by up to a
/// quarter shorter or longer, so that the nodes of a fleet do not come back at once. Not before what the sink asked for, `asked`. `chance` is from 0 to 1.
inline std::chrono::milliseconds wait_before_retry(int failures, std::chrono::milliseconds asked, double chance) {
  const int doublings = std::clamp(failures - 1, 0, 6);
  const double wait = std::min(500.0 * (1 << doublings), 30'000.0) * (0.75 + 0.5 * chance);
  return std::max(std::chrono::milliseconds(static_cast<std::int64_t>(wait)), std::min(asked, kLongestAsked));
}

}  // namespace berth::ship
