#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "core/result.h"

namespace berth::store {

/// Which troubles of that events.log somebody has looked at, and knows of: lines of `events.accepted` beside it. None where it cannot be read.
std::set<std::string> accepted_troubles(const std::filesystem::path& log);

/// Writes them down as looked at, in the place of those before.
Result<void> accept_troubles(const std::filesystem::path& log, const std::vector<std::string>& troubles);

}  // namespace berth::store
