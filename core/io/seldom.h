#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include <fmt/core.h>

#include "core/io/loop.h"

namespace berth::io {

/// Lets a line through once a while, and counts the others.
class Seldom {
 public:
  explicit Seldom(std::chrono::milliseconds between) : between_(between) {}

  /// The line, with how many there were in between; or nothing, since there was one just now.
  std::optional<std::string> take(const std::string& line, Steady::time_point now) {
    if (last_ && now - *last_ < between_) {
      ++untold_;
      return {};
    }
    last_ = now;
    const auto untold = std::exchange(untold_, 0);
    return untold == 0 ? line : fmt::format("{} (and {} more since the last one)", line, untold);
  }

 private:
  std::chrono::milliseconds between_;
  std::optional<Steady::time_point> last_;
  std::uint64_t untold_ = 0;
};

}  // namespace berth::io
