#pragma once

#include <string>

#include "daemon/deploy/node.h"

namespace berth::deploy {

/// Whether instances of the deployment's release are judged now: in a bake, and from the decision on, or with `recreate` from when all were ready. Not in a bake
/// that waits until they are ready: what they do then counts as in a deployment's start.
bool is_judged(const Run& run);

/// Judges instances that end, are killed for their memory or fail their probes in a bake, or between the decision and it. They are compared, kind by kind, with what the instances of the release
/// before did in as long a time before the deployment touched anything, so that a trouble that was there already reverts nothing.
class TroubleJudge {
 public:
  explicit TroubleJudge(Node& node) : node_(node) {}

  /// Keeps how the app was before anything of it is touched. That stays where the deployment is begun again. Of the time before this berthd, events tell.
  awaitable<void> note_before(AppPtr app, RunPtr run);
  /// In the state that the deployment is in, what instances of its release do tells against it from now on. What they did before is known.
  void begin(const App& app, Run& run) const;
  /// What an instance did by itself goes into the app's record, and is judged where its release is.
  void on_change(App& app, const supervise::InstanceChange& change);
  /// Instances of a release that is judged may have ended while berthd was away, or carried another deployment: the last end of each is known. In a bake that waits those
  /// are forgiven.
  void look_back(App& app);
  /// At the end of a bake: what serves from now on has to be whole, also where nothing was seen to happen. `Errc::timeout`: it is not.
  awaitable<Result<void>> whole_after(AppPtr app, RunPtr run);
  /// Counts outlive berthd.
  awaitable<void> save(RunPtr run);

 private:
  void judge(App& app, const InstanceId& id, Trouble kind, std::string what);
  void judge_end(App& app, const InstanceId& id);
  awaitable<std::vector<store::Event>> told_before(AppPtr app, milliseconds within);

  Node& node_;
  const Moment began_ = io::Steady::now();
  const std::int64_t last_before_ = node_.store.last_event();  ///< the last one that a berthd before told of
};

}  // namespace berth::deploy
