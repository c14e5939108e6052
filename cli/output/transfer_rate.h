#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace berth::cli {

/// How quickly something comes, smoothed, from what had come at the moments that it was looked at.
class TransferRate {
 public:
  using Clock = std::chrono::steady_clock;

  /// `done` bytes were there at `at`. Where that is fewer than before, something else is being transferred, and it begins anew.
  void saw(std::uint64_t done, Clock::time_point at);

  /// Bytes a second; nothing as long as that is a guess: until two seconds were seen.
  std::optional<std::uint64_t> rate() const;
  /// How long the rest of `total` takes; nothing without a rate, and where next to nothing comes.
  std::optional<std::chrono::seconds> left(std::uint64_t total) const;

 private:
  struct Seen {
    std::uint64_t done = 0;
    Clock::time_point at;
  };
  std::optional<Seen> first_, last_;
  double rate_ = 0;
};

}  // namespace berth::cli
