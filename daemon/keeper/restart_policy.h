#pragma once

// When an instance that ended is started again. Pure, and usable with nothing but libc's headers.

#include <stdint.h>

namespace berth::keeper {

enum class RestartWhen : uint8_t { always, on_failure, never };

struct RestartPolicy {
  int64_t early_ms = 1000;     ///< an exit before this much running is early
  int64_t first_ms = 100;      ///< the wait after the first early exit; each further one doubles it
  int64_t longest_ms = 30000;
};

/// How long to wait before starting again. An instance that ran for a while comes back at once; one that keeps ending waits longer each time.
/// `early_exits` counts the exits in a row that have it wait, this one included. `chance`, any number, makes it up to a fifth more or less, so that instances
/// that lost something together do not all come back in one moment; never less than the first wait, nor more than the longest.
constexpr int64_t wait_before_start(const RestartPolicy& policy, int early_exits, uint32_t chance) {
  if (early_exits <= 0) return 0;
  int64_t wait = policy.first_ms;
  for (int i = 1; i < early_exits && wait < policy.longest_ms; i++) wait *= 2;
  if (wait > policy.longest_ms) wait = policy.longest_ms;
  int64_t least = wait - wait / 5, most = wait + wait / 5;
  if (least < policy.first_ms) least = policy.first_ms;
  if (most > policy.longest_ms) most = policy.longest_ms;
  if (least >= most) return most;
  return least + static_cast<int64_t>((static_cast<uint64_t>(most - least + 1) * chance) >> 32);
}

/// Whether the policy starts it again after it ended so. `failed`: by a signal, or with another code than 0, or never started.
constexpr bool starts_again(RestartWhen when, bool failed) {
  return when == RestartWhen::always || (when == RestartWhen::on_failure && failed);
}

/// Tells an instance that keeps ending from one that did so once: five exits within a minute, each before it was up for ten seconds; until it is up for
/// so long.
struct CrashLoop {
  static constexpr int kExits = 5;
  static constexpr int64_t kWithinMs = 60000;
  static constexpr int64_t kSettledMs = 10000;

  int64_t at[kExits] = {};  ///< times of the last early exits, a ring
  int next = 0;
  int count = 0;
  bool looping = false;

  constexpr void early_exit(int64_t now_ms) {
    at[next] = now_ms;
    next = (next + 1) % kExits;
    if (count < kExits) count++;
    if (count == kExits && now_ms - at[next] <= kWithinMs) looping = true;
  }
  /// It is up for kSettledMs.
  constexpr void settled() { *this = CrashLoop{}; }
  /// It ended by itself after it ran for so long.
  constexpr void exited(int64_t now_ms, int64_t ran_ms) {
    if (ran_ms >= kSettledMs) settled();
    else early_exit(now_ms);
  }
};

/// Whether the next start waits: the instance ended early, or it keeps ending, however long it takes each time.
constexpr bool waits_for_next_start(const RestartPolicy& policy, const CrashLoop& loop, int64_t ran_ms) {
  return ran_ms < policy.early_ms || loop.looping;
}

}  // namespace berth::keeper
