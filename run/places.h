#pragma once

#include <filesystem>
#include <string>

#include "core/files/fd.h"
#include "core/result.h"
#include "daemon/store/store.h"

namespace berth::run {

namespace fs = std::filesystem;

/// Where what runs here keeps its things:
///
///   $XDG_STATE_HOME/berth/run/<app>-<8 hex digits>/   apps/<app>/data/, which stays; logs/, until the next run; build/
///   $XDG_RUNTIME_DIR/berth/run/<8 hex digits>/        sockets, rendered configuration, secrets: in memory where the machine lets it be
struct Places {
  store::Paths paths;
  Fd lock;      ///< one run at a time has them
  Fd run_lock;  ///< who has it owns paths.run; beside it, as <8 hex digits>.lock
};

/// Those of `app`, which is run from `source`: a tree, or what a build or release is called. Makes the folders, empties the logs, and removes what killed runs of this
/// user left in memory, of any app. `Errc::conflict` where it runs already, `Errc::usage` where the environment names no place.
Result<Places> open_places(const std::string& app, const std::string& source);

/// Removes what is of a run alone.
void close_places(const Places& places);

/// Removes what killed runs left in `folder`, the one that has a folder for each run: rendered configuration, secrets, sockets. A run that goes on has its lock and stays;
/// so does one whose keepers are still stopping its apps.
void sweep_runs(const fs::path& folder);

/// The keeper's program: $BERTH_KEEPER, else beside this program as built, else where it is installed. `Errc::not_found` says what to do.
Result<fs::path> find_keeper();

}  // namespace berth::run
