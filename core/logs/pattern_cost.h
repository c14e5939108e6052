#pragma once

#include <string_view>

#include "core/result.h"

namespace berth::logs {

/// Refuses a POSIX extended regular expression that would cost the C library's engine more than it may: bounds in bounds multiply what it has to keep, and
/// references back to groups (\1) make it try every way to match. Of one that is no regular expression it says nothing. `usage`: what is too much.
Result<void> check_cost(std::string_view expression);

}  // namespace berth::logs
