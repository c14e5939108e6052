#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "daemon/deploy/jobs.h"
#include "daemon/deploy/routes.h"

namespace berth::deploy {

/// For how long connections to the app's instances may go on that are to be stopped.
milliseconds drain_of(const App& app);

/// The instances of apps that berthd keeps: which there are to be, their start and their end.
class Members {
 public:
  Members(Node& node, Routes& routes, Jobs& jobs) : node_(node), routes_(routes), jobs_(jobs), starts_(node.executor, node.options.start_at_once) {}

  /// How many instances a process is to have: what `berth scale` said, while the spec says the number that it said then.
  awaitable<Result<int>> wanted_of(AppPtr app, ManifestPtr manifest, std::string process);
  awaitable<Result<std::map<std::string, int>>> wanted_by_process(AppPtr app, ManifestPtr manifest);
  /// Whether a process of an instance of the release runs now.
  bool runs(const App& app, const std::string& release) const;
  /// Whether an instance of the release was ever executed here, of those that are known.
  bool ever_ran(const App& app, const std::string& release) const;
  /// Whether each process could be planned: its secrets are there, its programs, and what its templates name of the node. Nothing is started for that, so a release that fails here is not
  /// rejected: it may do once the node has what is missing.
  awaitable<Result<void>> check_plans(AppPtr app, ManifestPtr manifest);

  /// Makes the release's instances run, those that run already included; returns when each was started. `run`: the deployment that does, or null.
  awaitable<Result<void>> start_release(AppPtr app, ManifestPtr manifest, RunPtr run);
  awaitable<Result<void>> start(AppPtr app, ManifestPtr manifest, InstanceId id);
  /// Restarts an instance; while there are others of its kind, no new connection goes to it meanwhile.
  awaitable<Result<void>> restart(AppPtr app, ManifestPtr manifest, InstanceId id, std::string reason);
  /// Waits until every instance of the release, or of `processes` of it, is ready. `run` is told how far it is, and ends the waiting where it is cancelled; it
  /// may be null.
  awaitable<Result<void>> wait_ready(AppPtr app, std::string release, RunPtr run, milliseconds at_most, std::vector<std::string> processes = {});
  /// Waits until the processes are ready that `process` comes after. `run`: the deployment that starts it, or null.
  awaitable<Result<void>> await_processes(AppPtr app, ManifestPtr manifest, std::string process, RunPtr run);
  /// What was waited for in vain, where that stops nothing.
  awaitable<void> tell_unawaited(AppPtr app, Error error);

  /// Takes instances out of the route, waits for their connections to end, stops them, all at once, and forgets them. `unless_trouble`: a deployment whose
  /// trouble until then leaves them as they are.
  awaitable<void> stop(AppPtr app, std::vector<InstanceId> ids, milliseconds drain, RunPtr unless_trouble = nullptr);
  awaitable<void> stop_release(AppPtr app, std::string release, milliseconds drain);
  awaitable<void> stop_all_but(AppPtr app, std::string release, milliseconds drain, RunPtr unless_trouble = nullptr);
  /// Stops what runs of the app and is no member: what a crash left between two steps.
  awaitable<void> stop_strangers(AppPtr app);
  /// Stops single instances whose rows say so: they stay known, and stopped until somebody starts them or a deployment comes.
  awaitable<Result<void>> pause(AppPtr app, std::vector<InstanceId> ids);

  /// After a try to start the active release, unasked or by somebody's command: what could not be started is tried again until it could, and what runs is told
  /// of where it could not be started anew. A failure comes back as one of the node: what was asked for is there.
  awaitable<Result<void>> begin_healing(AppPtr app, Result<void> outcome);
  /// Tries again to start what could not be started: a secret's file that is not there yet, a full disk.
  awaitable<void> heal(AppPtr app);

  /// While one lives, the node starts its apps: a few instances at a time.
  std::shared_ptr<StartingNode> begin_node() { return std::make_shared<StartingNode>(starting_); }

 private:
  struct Planned {
    supervise::InstancePlan plan;
    std::string lacks;  ///< why it is planned with the secrets that it was given, as it runs; empty: it has those that there are now
  };
  awaitable<Result<store::InstanceRow>> add(AppPtr app, ManifestPtr manifest, InstanceId id);
  awaitable<Result<Planned>> make_plan(AppPtr app, ManifestPtr manifest, store::InstanceRow row, bool adopts = false);
  awaitable<void> count_start(AppPtr app, InstanceId id, milliseconds at_most, Visits::Visit visit);
  awaitable<void> stop_one(AppPtr app, InstanceId id);
  awaitable<void> pause_one(AppPtr app, InstanceId id, std::shared_ptr<Result<void>> outcome);
  awaitable<Result<void>> end(AppPtr app, InstanceId id);
  awaitable<void> forget_later(AppPtr app, store::InstanceRow row, std::string told);

  Node& node_;
  Routes& routes_;
  Jobs& jobs_;
  Visits starts_;     ///< of instances, while the node starts its apps
  int starting_ = 0;  ///< see StartingNode
};

}  // namespace berth::deploy
