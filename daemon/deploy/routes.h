#pragma once

#include <vector>

#include "daemon/deploy/node.h"

namespace berth::deploy {

/// The public ports of apps, and where new connections to them go.
class Routes {
 public:
  explicit Routes(Node& node) : node_(node) {}

  /// Claims the ports of a release that the app does not have yet. When one cannot be had, those that were new are given back.
  awaitable<Result<void>> claim(AppPtr app, ManifestPtr manifest);
  /// Gives up the ports that `kept` does not have; all of them where it is null.
  awaitable<void> give_up_but(AppPtr app, ManifestPtr kept);
  /// Leads new connections to the ready instances of the routed release, and to those that joined it; where none is ready, to all of them: an answer that is
  /// late or wrong tells more than a refusal, and a socket that is listened on keeps who comes waiting.
  awaitable<Result<void>> lead(AppPtr app);
  /// The same, unless the app is gone by then.
  awaitable<void> lead_later(AppPtr app);
  /// Waits until the instances, to which no new connection goes, have no established one, or `at_most` is over, or `unless_trouble`, a deployment, has trouble.
  awaitable<void> drain(AppPtr app, std::vector<InstanceId> ids, milliseconds at_most, RunPtr unless_trouble = nullptr);

 private:
  Node& node_;
};

}  // namespace berth::deploy
