#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "core/result.h"

namespace berth::trust {

using WallTime = std::chrono::system_clock::time_point;

/// `2031-05-17T08:00:00Z`, the only form TUF metadata uses.
std::string to_string(WallTime time);

/// Reads that form. Fails with `Errc::trust` on anything else, such as the 30th of February.
Result<WallTime> parse_time(std::string_view text);

}  // namespace berth::trust
