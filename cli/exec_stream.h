#pragma once

#include <string>

#include <boost/json/object.hpp>

#include "cli/console.h"
#include "cli/exec_session.h"

namespace berth::cli {

/// Runs a one-off command at `console.node` by a connection of its API, at `target` with `body`, and stays until it has ended: stdin goes there, and what it writes comes back, as fast as either side
/// takes it. Signals that this program gets are the command's, which ends where this program does. Fails where the node refuses it, and where the connection ends before the command is known to.
Result<ExecEnd> run_exec_stream(const Console& console, const std::string& target, boost::json::object body, ExecFiles files);

}  // namespace berth::cli
