#pragma once

#include "cli/command.h"

namespace berth::cli {

/// Runs a verb's action on this node, or on those that `--node` or $BERTH_NODE name. On several, each line says whose it is, and with `--json` is
/// `{"node": …, "answer": …}`: what only reads asks some at a time and tells of them in the order in which they are named; what changes something goes from one
/// to the next, or as many at once as `--parallel` says, and begins none after the first that fails, saying which were not asked. It ends as the first that failed; a node that could not be asked, or of which
/// it is not known what became of it, failed. `called` is how the verb was called: "berth status".
Result<Exit> run_where_asked(const Verb& verb, Console& console, const std::string& called);

/// Fails where $BERTH_NODE names nodes elsewhere, for what `called` needs of the one that it runs on: `what`.
Result<void> check_is_here(const Console& console, const std::string& called, const std::string& what);

/// The call itself, such as "ssh edge-1 berth exec web -- ls", for the node that `arguments` name, or $BERTH_NODE: without their --node.
std::string ssh_call(const std::string& node, const std::vector<std::string>& arguments);

/// Fails where several nodes are named: what follows one never ends, so that the next one would never be told of. `called` as above.
Result<void> check_one_is_followed(const Console& console, const std::string& called);

}  // namespace berth::cli
