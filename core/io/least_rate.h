#pragma once

#include <chrono>
#include <cstdint>

#include "core/io/http.h"
#include "core/result.h"

namespace berth::io {

/// Tells a peer that sends just enough not to stall from one that is slow: a byte now and then would hold a transfer for hours. What counts is the time
/// that was spent on waiting for the peer; what whoever takes the bytes needs for himself is not its fault.
class LeastRate {
 public:
  /// As `FetchOptions` says. Where fewer bytes are taken than `bytes_per_second` allows twice over, half of that rate is enough.
  explicit LeastRate(const FetchOptions& options);

  /// `bytes` came after `waited` of waiting. `Errc::timeout` where it were too few over the time that counts.
  Result<void> took(std::uint64_t bytes, std::chrono::nanoseconds waited);

 private:
  std::uint64_t bytes_per_second_;  ///< 0: any is enough
  milliseconds over_;
  std::uint64_t bytes_ = 0;         ///< since the present time began
  std::chrono::nanoseconds waited_{0};
};

}  // namespace berth::io
