#pragma once

#include <algorithm>
#include <chrono>
#include <utility>

#include "core/io/loop.h"

namespace berth {

/// The longest turns of the event loop, for several who ask.
class LoopLag {
 public:
  explicit LoopLag(io::Loop& loop) : loop_(loop) {}

  /// The longest since the last look.
  std::chrono::microseconds look() {
    const auto longest = loop_.take_longest_turn();
    since_scrape_ = std::max(since_scrape_, longest);
    return longest;
  }
  /// The longest since the last call of this.
  std::chrono::microseconds take() {
    look();
    return std::exchange(since_scrape_, std::chrono::microseconds(0));
  }

 private:
  io::Loop& loop_;
  std::chrono::microseconds since_scrape_{0};
};

}  // namespace berth
