#include "core/io/pace.h"

#include <algorithm>
#include <memory>
#include <thread>

namespace berth::io {

std::shared_ptr<Pace> shared_pace(std::uint64_t bytes_per_second) { return std::make_shared<Pace>(bytes_per_second); }

Result<void> Pace::took(std::size_t bytes, const Patience& patience) {
  if (bytes_per_second_ == 0) return {};
  const auto cost = std::chrono::nanoseconds(static_cast<std::int64_t>(static_cast<double>(bytes) * 1e9 / static_cast<double>(bytes_per_second_)));
  Steady::time_point until;
  {
    const std::lock_guard guard(mutex_);
    // Time that was not used, because the peer was slow, is not made up for later.
    until = paid_until_ = std::max(paid_until_, Steady::now()) + cost;
  }
  for (;;) {
    BERTH_CHECK(patience.check());
    const auto left = until - Steady::now();
    if (left <= Steady::duration(0)) return {};
    std::this_thread::sleep_for(std::min<Steady::duration>(left, kSlice));
  }
}

}  // namespace berth::io
