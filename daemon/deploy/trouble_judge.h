#pragma once

#include <string>

#include "daemon/deploy/node.h"

namespace berth::deploy {

/// Judges instances that end, are killed for their memory or fail their probes in a bake. They are compared, kind by kind, with what the instances of the release
/// before did in as long a time before the deployment touched anything, so that a trouble that was there already reverts nothing.
class TroubleJudge {
 public:
  explicit TroubleJudge(Node& node) : node_(node) {}

  /// Keeps how the app was before anything of it is touched. What is known of that stays where the deployment is begun again, since a berthd that comes back
  /// knows less.
  void note_before(const App& app, Run& run) const;
  /// What an instance did by itself goes into the app's record, and is judged where its release bakes.
  void on_change(App& app, const supervise::InstanceChange& change);
  /// Instances of a release in its bake may have ended while berthd was away, or carried another deployment: the last end of each is known.
  void look_back(App& app, const std::string& since);
  /// At the end of a bake in which something happened that reverts nothing: what serves from now on has to be whole. `Errc::timeout`: it is not.
  awaitable<Result<void>> whole_after(AppPtr app, RunPtr run);
  /// Counts outlive berthd.
  awaitable<void> save(RunPtr run);

 private:
  void judge(App& app, const InstanceId& id, Trouble kind, std::string what);
  void judge_end(App& app, const InstanceId& id);

  Node& node_;
};

}  // namespace berth::deploy
