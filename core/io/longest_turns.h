#pragma once

#include <algorithm>
#include <chrono>
#include <deque>

namespace berth::io {

/// The longest of what took time within the last minute, however seldom and however often somebody asks.
class LongestTurns {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kWindow{60};

  void add(std::chrono::microseconds took, Clock::time_point now) {
    const auto second = std::chrono::floor<std::chrono::seconds>(now);
    if (seconds_.empty() || seconds_.back().second != second) {
      forget(now);
      seconds_.push_back({second, took});
    } else {
      seconds_.back().most = std::max(seconds_.back().most, took);
    }
  }
  std::chrono::microseconds most(Clock::time_point now) {
    forget(now);
    return seconds_.empty() ? std::chrono::microseconds(0) : std::ranges::max_element(seconds_, {}, &OfSecond::most)->most;
  }

 private:
  struct OfSecond {
    Clock::time_point second;
    std::chrono::microseconds most;
  };
  void forget(Clock::time_point now) {
    while (!seconds_.empty() && now - seconds_.front().second > kWindow) seconds_.pop_front();
  }
  std::deque<OfSecond> seconds_;  ///< in which something was added, oldest first
};

}  // namespace berth::io
