#pragma once

#include <memory>
#include <string>

#include "daemon/deploy/node.h"

namespace berth::deploy {

/// What the app tells of itself in a bake: a counter at its metrics endpoint, and lines in its log. Both are compared with how it was before the switch, under
/// the release before, so that a trouble that was there already reverts nothing.
class BakeRates {
 public:
  explicit BakeRates(Node& node) : node_(node) {}

  /// Begins to look at the app as it is before anything of it is touched.
  awaitable<void> begin_baseline(AppPtr app, RunPtr run);
  /// Before the release before goes: it has been looked at for long enough to be compared with.
  awaitable<Result<void>> finish_baseline(AppPtr app, RunPtr run);
  /// Looks again and again while the deployment is in the state that it bakes in; what is too much is its trouble.
  awaitable<void> watch(AppPtr app, RunPtr run);

 private:
  awaitable<Result<double>> read_counter(AppPtr app, InstanceId id, spec::BakeMetric rules);
  awaitable<double> growth_of(AppPtr app, RunPtr run, std::string release, std::shared_ptr<Growth> growth);

  Node& node_;
};

}  // namespace berth::deploy
