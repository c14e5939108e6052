#include "cli/output/transfer_rate.h"

#include <cmath>

namespace berth::cli {
namespace {

/// How soon what was is forgotten: after so long it counts for a third.
constexpr double kMemorySeconds = 5;
constexpr std::chrono::seconds kLeastSeen{2};
/// Nobody waits for what takes longer to tell.
constexpr double kLongestSeconds = 99 * 3600.0;

double seconds(TransferRate::Clock::duration time) { return std::chrono::duration<double>(time).count(); }

}  // namespace

void TransferRate::saw(std::uint64_t done, Clock::time_point at) {
  if (!last_ || done < last_->done) {
    first_ = last_ = Seen{done, at};
    rate_ = 0;
    return;
  }
  const double passed = seconds(at - last_->at);
  if (passed <= 0) return;
  const double now = static_cast<double>(done - last_->done) / passed;
  // The first moments weigh as much as they lasted, so that what was before the first one counts for nothing.
  const double known = 1 - std::exp(-seconds(at - first_->at) / kMemorySeconds);
  const double weight = (1 - std::exp(-passed / kMemorySeconds)) / known;
  rate_ += (now - rate_) * weight;
  last_ = Seen{done, at};
}

std::optional<std::uint64_t> TransferRate::rate() const {
  if (!last_ || last_->at - first_->at < kLeastSeen) return {};
  return static_cast<std::uint64_t>(rate_);
}

std::optional<std::chrono::seconds> TransferRate::left(std::uint64_t total) const {
  if (!rate() || rate_ < 1 || total < last_->done) return {};
  const double left = static_cast<double>(total - last_->done) / rate_;
  if (left > kLongestSeconds) return {};
  return std::chrono::seconds(static_cast<std::int64_t>(std::ceil(left)));
}

}  // namespace berth::cli
