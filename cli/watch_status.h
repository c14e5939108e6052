#pragma once

#include <string>
#include <vector>

#include "cli/api_client.h"
#include "cli/console.h"

namespace berth::cli {

struct StatusWatch {
  std::string app;  ///< that one alone; empty: all
  milliseconds interval{2000};
};

/// Shows the status of `nodes` (of none: of what `console` asks) again and again, on a screen of its own, until 'q' or a signal, which the program then ends by. A
/// berthd that is away is said, and waited for. With `--json` it prints a document at each look instead. Fails with `Errc::usage` where stdout is no terminal, and
/// with what a single node answers at the first look, such as that there is no such app.
Result<Exit> watch_status(const Console& console, const std::vector<RemoteNode>& nodes, const StatusWatch& watch);

}  // namespace berth::cli
