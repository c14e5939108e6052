#include "daemon/fetch/trust_clock.h"

#include <algorithm>

#include <fmt/core.h>

#include "core/files/files.h"

namespace berth::fetch {
namespace {

constexpr const char* kFile = "last_success";

}  // namespace

TrustClock::TrustClock(std::filesystem::path folder, trust::WallTime build_time) : folder_(std::move(folder)), build_time_(build_time) {
  auto text = files::read(folder_ / kFile, 100);
  if (!text) return;
  if (text->ends_with('\n')) text->pop_back();
  if (const auto time = trust::parse_time(*text)) last_success_ = *time;
}

trust::WallTime TrustClock::believed(trust::WallTime clock) const { return std::max({clock, build_time_, last_success_}); }

std::string TrustClock::complaint(trust::WallTime clock) const {
  const trust::WallTime used = believed(clock);
  // The file knows whole seconds only, and a clock is set back by a little all the time.
  if (used - clock < std::chrono::minutes(1)) return {};
  return fmt::format("this node's clock says {}, which is before {}; it is not believed, and {} is used: set the clock", trust::to_string(clock),
                     used == build_time_ ? "berthd was built" : "the last refresh", trust::to_string(used));
}

Result<void> TrustClock::succeeded(trust::WallTime clock) {
  last_success_ = believed(clock);
  return files::replace(folder_ / kFile, trust::to_string(last_success_) + "\n");
}

std::string TrustClock::last_success() const { return last_success_ == trust::WallTime() ? std::string() : trust::to_string(last_success_); }

}  // namespace berth::fetch
