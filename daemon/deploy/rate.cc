#include "daemon/deploy/rate.h"

#include <algorithm>
#include <cmath>

#include <fmt/core.h>

namespace berth::deploy {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

double seconds(milliseconds time) { return std::max(1.0, static_cast<double>(time.count())) / 1000; }

}  // namespace

double Growth::seen(const std::string& name, double value) {
  const auto [known, first] = last_.try_emplace(name, value);
  const double before = known->second;
  known->second = value;
  if (first) return 0;
  return value >= before ? value - before : value;
}

void RateMeter::add(Moment at, double count) {
  counts_.emplace_back(at, count);
  while (!counts_.empty() && counts_.front().first <= at - window_) counts_.pop_front();
}

double RateMeter::rate(Moment now) const {
  double sum = 0;
  for (const auto& [at, count] : counts_)
    if (at > now - window_) sum += count;
  return sum / seconds(window_);
}

milliseconds rate_window(milliseconds bake) { return std::clamp(bake, milliseconds(1s), milliseconds(30s)); }
milliseconds baseline_window(milliseconds bake) { return std::clamp(bake, milliseconds(1s), milliseconds(10s)); }
milliseconds rate_period(milliseconds bake) { return std::clamp(bake / 20, milliseconds(100ms), milliseconds(5s)); }

double highest_rate(double most, double before) { return most + 1.5 * before; }

std::string rate_text(double per_second) {
  return per_second >= 100 ? fmt::format("{:.0f}/s", per_second) : fmt::format("{:.3g}/s", per_second);
}

}  // namespace berth::deploy
