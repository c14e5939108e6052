#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "daemon/deploy/node.h"
#include "daemon/deploy/rate.h"

namespace berth::deploy {

/// The processes of hooks, jobs and one-off commands: each is an instance of its own that runs once, to its end, under a keeper of its own.
class OneOffs {
 public:
  explicit OneOffs(Node& node) : node_(node) {}

  /// Starts the process of a hook or a job; an error where it could not be. `tried`: how often a job was, that is to be tried so often at most.
  awaitable<Result<void>> start(AppPtr app, ManifestPtr manifest, InstanceId id, int tried);
  /// Waits until no process of a hook or a job is left; how it ended, as `result_of` has it. One that takes longer than `timeout` is ended, and so is one of which
  /// `unwanted` says what is to be told of its end. `cancelled` when berthd stops: it goes on.
  awaitable<Result<std::string>> follow(AppPtr app, InstanceId id, milliseconds timeout, Moment began, std::function<std::string()> unwanted);
  /// When one that is begun began, also where a berthd before this one saw that: its keeper is as old as it is, and no set clock changes that. `began_at`
  /// (RFC 3339): what the wall's clock said then, which is all that is known where its keeper is gone.
  Moment began_of(const InstanceId& id, const std::string& began_at) const;
  /// Ends whatever is left of a hook, a job or a one-off command, its keeper too, and removes its folders, in which there are secrets. Fine where there is none.
  awaitable<void> stop(AppPtr app, InstanceId id);

 private:
  Node& node_;
};

}  // namespace berth::deploy
