#pragma once

#include <filesystem>

#include "core/result.h"
#include "run/local_release.h"
#include "run/output.h"
#include "run/places.h"
#include "run/runner.h"

namespace berth::run {

/// A run from its begin to its end.
struct RunRequest {
  Places places;
  LocalRelease release;
  Load load;            ///< makes it anew after a change
  fs::path watched;     ///< the tree whose changes restart it; empty: none
  RunOptions options;
};

/// Runs it in this thread until it has ended, and gives its exit code. Ctrl-C, SIGTERM and the end of the terminal stop it in order; Ctrl-C or SIGTERM again kill it.
/// Fails before anything was started where the tree cannot be watched.
Result<int> run_app(RunRequest request, Output& output);

}  // namespace berth::run
