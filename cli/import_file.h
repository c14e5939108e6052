#pragma once

#include <optional>
#include <string>

#include "cli/command.h"
#include "cli/console.h"
#include "core/json/json.h"

namespace berth::cli {

struct ImportRequest {
  std::string file, reason, timeout = {};
  bool allow_expired = false;
};

/// Whether `berth deploy` is given a release file, not a release's name: `./x`, `x.berth`.
bool is_release_file(const std::string& text);

/// Has berthd load a release file; gives its answer, and warns where something was relaxed. Nothing where it still loads it when `timeout` ends: see `long_call`.
Result<std::optional<json::value>> import_file(const Console& console, const ImportRequest& request);

Option allow_expired_option(bool& into);

}  // namespace berth::cli
