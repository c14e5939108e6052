#pragma once

#include "daemon/deploy/node.h"

namespace berth::deploy {

/// Events that the disk did not take are written when it does, though nothing else happens.
class WaitingEvents {
 public:
  explicit WaitingEvents(Node& node) : node_(node) {}

  void watch();

 private:
  awaitable<void> write();

  Node& node_;
  bool writing_ = false;
};

}  // namespace berth::deploy
