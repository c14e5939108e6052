#include "core/io/least_rate.h"

#include <algorithm>

#include <fmt/core.h>

namespace berth::io {

LeastRate::LeastRate(const FetchOptions& options) : bytes_per_second_(options.least_bytes_per_second), over_(options.least_over) {
  if (options.bytes_per_second > 0) bytes_per_second_ = std::min(bytes_per_second_, options.bytes_per_second / 2);
}

Result<void> LeastRate::took(std::uint64_t bytes, std::chrono::nanoseconds waited) {
  bytes_ += bytes;
  waited_ += waited;
  if (bytes_per_second_ == 0 || waited_ < over_) return {};
  const double seconds = std::chrono::duration<double>(waited_).count();
  if (static_cast<double>(bytes_) < static_cast<double>(bytes_per_second_) * seconds)
    return fail(Errc::timeout, fmt::format("only {} bytes came in {:.1f} s, and {} in a second are the least", bytes_, seconds, bytes_per_second_));
  bytes_ = 0;
  waited_ = {};
  return {};
}

}  // namespace berth::io
