#pragma once

#include <optional>
#include <string>

#include "cli/api_client.h"
#include "cli/console.h"
#include "cli/deployment.h"

namespace berth::cli {

struct WatchOptions {
  bool until_switched = false;              ///< return at the decision, not at the end of the bake
  std::optional<milliseconds> at_most;      ///< then `Exit::still_running`
};

/// How long the call that begins a deployment may take where `--timeout` is `at_most`.
milliseconds first_call_deadline(std::optional<milliseconds> at_most);

/// Watches a deployment to its end: progress as it goes, then how it ended. A berthd that restarts meanwhile is waited for. Ctrl-C
/// leaves the deployment running and says how to look at it.
Result<Exit> watch_deployment(const Console& console, const ApiClient& api, Deployment deployment, const WatchOptions& options);

/// Says how the deployment ended (or that it was already so) and gives the exit code.
Exit conclude(const Console& console, const boost::json::value& json);

}  // namespace berth::cli
