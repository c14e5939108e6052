#pragma once

#include <vector>

#include "core/bundle/layer.h"
#include "core/result.h"
#include "core/spec/app_spec.h"

namespace berth::publish {

/// Whether the commands of a spec can be started from its tree: a program named by a relative path (`bin/server`) is in there and executable, and so
/// is each process's folder; with `root = "image"` so is every program. Else programs that are looked up on the node (`python3`, `/usr/bin/python3`) are
/// the node's business. `Errc::usage` names process and program.
Result<void> check_commands(const spec::AppSpec& spec, const std::vector<bundle::Entry>& entries);

}  // namespace berth::publish
