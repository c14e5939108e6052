#pragma once

#include "cli/api_client.h"
#include "cli/console.h"
#include "core/exit_code.h"
#include "core/result.h"

namespace berth::cli {

/// Asks berthd, by `call`, what a deployment or a revert would do, and shows it. Ends as that would at once.
Result<Exit> show_plan(const Console& console, ApiCall call);

}  // namespace berth::cli
