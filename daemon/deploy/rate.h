#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <string>

#include "core/spec/deploy.h"

namespace berth::deploy {

using Moment = std::chrono::steady_clock::time_point;

/// How much counters grew, each of which may begin anew.
class Growth {
 public:
  /// By how much the counter of that name grew since it was last seen; 0 for one that is seen for the first time. One that fell began anew.
  double seen(const std::string& name, double value);

 private:
  std::map<std::string, double> last_;
};

/// How often a second something happened over the last while.
class RateMeter {
 public:
  explicit RateMeter(std::chrono::milliseconds window) : window_(window) {}

  void add(Moment at, double count);
  /// Over the whole window, also where that is longer than anybody looked: a few at the very beginning are no rate yet.
  double rate(Moment now) const;

 private:
  std::chrono::milliseconds window_;
  std::deque<std::pair<Moment, double>> counts_;
};

/// The window over which a bake of that length is judged.
std::chrono::milliseconds rate_window(std::chrono::milliseconds bake);
/// For how long the release before is looked at.
std::chrono::milliseconds baseline_window(std::chrono::milliseconds bake);
/// How often a bake looks.
std::chrono::milliseconds rate_period(std::chrono::milliseconds bake);

/// What is too much: `most` a second more than one and a half times what there was before. So a trouble that was there already reverts nothing.
double highest_rate(double most, double before);

/// "3.21/s", "0.05/s".
std::string rate_text(double per_second);

}  // namespace berth::deploy
