#pragma once

#include <cstdint>
#include <map>

#include "daemon/deploy/node.h"

namespace berth::deploy {

/// Tells of instances that run and are not ready any more, and of their being ready again. What is to be so, while an operator or a deployment stops or
/// starts them, is not told, nor is an exit, which has an event of its own.
class ReadinessEvents {
 public:
  explicit ReadinessEvents(Node& node) : node_(node) {}

  void on_change(const AppPtr& app, const supervise::InstanceChange& change);

 private:
  /// An instance of which it was told that it is not ready.
  struct Unready {
    io::Steady::time_point since;
    int times = 1;              ///< that it became so
    std::uint64_t changes = 0;  ///< of its readiness since
  };
  awaitable<void> tell_ready_again(InstanceId id, std::uint64_t change);

  Node& node_;
  std::map<InstanceId, Unready> unready_;
};

}  // namespace berth::deploy
