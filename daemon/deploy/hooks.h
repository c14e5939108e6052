#pragma once

#include <string>

#include "daemon/deploy/one_offs.h"

namespace berth::deploy {

/// The hooks of a deployment. Each runs once in it, unless the history says otherwise.
class Hooks {
 public:
  Hooks(Node& node, OneOffs& one_offs) : node_(node), one_offs_(one_offs) {}

  /// Runs a hook of `manifest`, where it has one and this deployment has not run it: a failure of before is one again.
  awaitable<Result<void>> run(AppPtr app, RunPtr run, ManifestPtr manifest, std::string hook);
  /// The same where a failure stops nothing: it is noted.
  awaitable<void> attempt(AppPtr app, RunPtr run, ManifestPtr manifest, std::string hook);
  /// Asks the release whether it may take over, again and again while it says "not now". True where it said so at least once.
  awaitable<Result<bool>> ask_ready_to_switch(AppPtr app, RunPtr run);
  /// Ends those that were begun and go on, which are of no use any more.
  awaitable<void> end(AppPtr app, RunPtr run);

 private:
  awaitable<Result<void>> pause_asking(RunPtr run, milliseconds pause);
  awaitable<Result<std::string>> run_once(AppPtr app, RunPtr run, ManifestPtr manifest, std::string hook);
  awaitable<Result<void>> write_down(RunPtr run, std::size_t place, bool insist);
  awaitable<void> keep_last_lines(AppPtr app, RunPtr run, HookRun record);

  Node& node_;
  OneOffs& one_offs_;
};

}  // namespace berth::deploy
