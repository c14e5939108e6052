#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <stop_token>

#include "core/result.h"

namespace berth::fetch {

/// Whether what failed may work the next time, and is worth another try: what could not be reached, stalled or broke off.
bool is_passing(const Error& error);

/// How a transfer is tried again.
struct Retries {
  int in_a_row = 4;                 ///< tries without much progress, the first included
  std::uint64_t much = 4u << 20;    ///< bytes; a server that hangs again and again after a few is given up too
  std::chrono::milliseconds first_wait{200};  ///< doubled after each failure in a row, with jitter, up to
  std::chrono::milliseconds longest_wait{3000};
};

/// The time before try `failures` + 1: half of the wait, and up to as much again by chance, so that the nodes of a fleet do not come back at once.
std::chrono::milliseconds retry_wait(const Retries& retries, int failures);

/// Sleeps for that time.
/// Fails with `Errc::cancelled` as soon as `stop` is requested.
Result<void> wait_before_retry(const Retries& retries, int failures, const std::stop_token& stop);

/// Sleeps; `Errc::cancelled` as soon as `stop` is requested.
Result<void> sleep_unless_stopped(std::chrono::milliseconds time, const std::stop_token& stop);

}  // namespace berth::fetch
