#pragma once

#include <algorithm>
#include <chrono>
#include <deque>

#include "core/io/loop.h"

namespace berth {

/// The longest of what was seen within the last minute.
class MostOfMinute {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kWindow{60};

  void add(std::chrono::microseconds seen, Clock::time_point now) {
    const auto second = std::chrono::floor<std::chrono::seconds>(now);
    if (seconds_.empty() || seconds_.back().second != second) seconds_.push_back({second, seen});
    else seconds_.back().most = std::max(seconds_.back().most, seen);
    while (now - seconds_.front().second > kWindow) seconds_.pop_front();
  }
  std::chrono::microseconds most() const {
    return seconds_.empty() ? std::chrono::microseconds(0) : std::ranges::max_element(seconds_, {}, &OfSecond::most)->most;
  }

 private:
  struct OfSecond {
    Clock::time_point second;
    std::chrono::microseconds most;
  };
  std::deque<OfSecond> seconds_;  ///< in which something was added, oldest first
};

/// The longest turns of the event loop, for several who ask: whoever scrapes takes nothing from another.
class LoopLag {
 public:
  explicit LoopLag(io::Loop& loop) : loop_(loop) {}

  /// The longest since the last look, or call of `most`.
  std::chrono::microseconds look() {
    const auto longest = loop_.take_longest_turn();
    recent_.add(longest, MostOfMinute::Clock::now());
    return longest;
  }
  /// The longest within the last minute, or a little more.
  std::chrono::microseconds most() {
    look();
    return recent_.most();
  }

 private:
  io::Loop& loop_;
  MostOfMinute recent_;
};

}  // namespace berth
