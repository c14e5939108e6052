#pragma once

#include <set>
#include <string>
#include <string_view>

#include "core/result.h"

namespace berth::spec {

/// The keys that are asked for when `text` is read as a berth.toml, such as "process.web.command": all that a table may have, of the tables that it has.
/// Tests of the documentation compare it with them. Fails where it is no TOML.
Result<std::set<std::string>> known_keys(std::string_view text);

}  // namespace berth::spec
