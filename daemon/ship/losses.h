#pragma once

#include <chrono>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "daemon/ship/gatherer.h"
#include "daemon/store/store.h"

namespace berth::ship {

/// "web/web.1: 12 lines (of 5 to 16, after 2026-…, before 2026-…) were removed before they were shipped: …".
std::string loss_text(const Loss& loss);

/// `logs.lost`, for the node's history.
store::Event loss_event(const Loss& loss, const std::string& sink);

/// Puts losses of an instance, and of a kind, together that follow each other quickly, so that whoever loses on and on fills neither log nor history.
class LossReport {
 public:
  static constexpr std::chrono::seconds kBetween{10};

  void add(const Loss& loss);
  /// What is to be told now: of each instance at most every 10 s.
  std::vector<Loss> due(std::chrono::steady_clock::time_point now);
  bool empty() const;

 private:
  struct Untold {
    Loss loss;
    bool waits = false;  ///< there is something to tell
    std::chrono::steady_clock::time_point told{};
  };
  std::map<std::pair<InstanceId, bool>, Untold> untold_;  ///< `is_torn` apart
};

}  // namespace berth::ship
