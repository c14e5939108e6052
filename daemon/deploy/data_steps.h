#pragma once

#include "daemon/deploy/execs.h"

namespace berth::deploy {

/// What a deployment began to do with the data of an app and could not finish comes before anything else: no instance starts on data that are half moved.
awaitable<Result<void>> finish_pending_data(Node& node, AppPtr app);

/// What becomes of an app's data folder in a deployment.
class DataSteps {
 public:
  DataSteps(Node& node, Execs& execs) : node_(node), execs_(execs), copies_(node.executor, 2) {}

  /// Before anything is touched: whether the app has to be stopped first for its data's sake, and whether there is room for a copy.
  awaitable<Result<void>> plan(AppPtr app, RunPtr run);
  /// The app has to be stopped for a copy of its data. Whether there can be one: nobody else writes them, and there is room.
  awaitable<Result<void>> may_copy(AppPtr app, RunPtr run);
  /// The app has to be stopped for a copy that takes the place of its data, too, and nobody else may write them.
  awaitable<Result<void>> may_put_back(AppPtr app, RunPtr run);
  /// Copies or exchanges the data, while nobody writes to them, after the old release has ended and before anything of the new one begins.
  awaitable<Result<void>> arrange(AppPtr app, RunPtr run);
  /// A revert's part: data that this deployment copied, or exchanged, become what they were. Nothing of the app runs. It goes on until it is done: the release
  /// before must not meet the data of another.
  awaitable<void> undo(AppPtr app, RunPtr run);
  /// How the release was left to which a revert by hand goes back: by the newest deployment that did.
  awaitable<Result<Leaving>> leaving(AppPtr app, RunPtr run);

 private:
  awaitable<Result<void>> nobody_left_behind(AppPtr app);
  awaitable<Result<void>> take_snapshot(AppPtr app, RunPtr run);
  awaitable<Result<void>> undo_once(AppPtr app, RunPtr run);
  awaitable<Result<void>> put_back(AppPtr app, RunPtr run, store::DataMove move);
  awaitable<void> note_data(AppPtr app, RunPtr run);

  Node& node_;
  Execs& execs_;
  Visits copies_;  ///< of data, each of which holds a thread of the pool
};

}  // namespace berth::deploy
