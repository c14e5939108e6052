#pragma once

#include <cstdint>
#include <mutex>

#include "core/io/patience.h"
#include "core/io/readiness.h"
#include "core/result.h"

namespace berth::io {

/// Keeps transfers to a number of bytes a second, all that use it together, by waiting where they are ahead; the peer then waits for us. From any thread.
class Pace {
 public:
  explicit Pace(std::uint64_t bytes_per_second) : bytes_per_second_(bytes_per_second) {}

  /// `bytes` came. Waits, as `patience` allows, until they may have.
  Result<void> took(std::size_t bytes, const Patience& patience);

 private:
  std::uint64_t bytes_per_second_;
  std::mutex mutex_;
  Steady::time_point paid_until_{};  ///< when what came so far will have had its time
};

}  // namespace berth::io
