#pragma once

#include <functional>
#include <map>
#include <string>

#include "cli/console.h"
#include "core/logs/record_json.h"
#include "core/result.h"

namespace berth::cli {

/// What is done with a line, as it came and read.
using TakeLine = std::function<void(const std::string& line, logs::Told told)>;

/// Reads the logs of `app` from the node that `console` names, or from the berthd here, by `GET /v1/apps/{app}/logs` with these parameters, and hands over each line as it comes, with
/// what it says. Blocking, for as long as there is more. What the node refuses is told as it tells it.
Result<void> read_remote_logs(const Console& console, const std::string& app, const std::map<std::string, std::string>& query, const TakeLine& take);

}  // namespace berth::cli
