#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"

namespace berth::logs {

/// Nanoseconds of the wall clock, as log lines carry them.
using Time = std::chrono::sys_time<std::chrono::nanoseconds>;

/// Reads RFC 3339: `2026-11-24T09:00:01.123456789Z`, with any offset, a fraction of any length, `t`, `z` or a space as
/// separators; 1970 to 2261. Empty where it is anything else.
std::optional<Time> parse_rfc3339(std::string_view text);

/// `2026-11-24T09:00:01.123Z`: UTC with `digits` of fraction (0 to 9).
std::string format_rfc3339(Time time, int digits = 3);

/// What `--since` and `--until` take: how long ago (`90s`, `10m`, `2h30m`, `7d`), a moment in RFC 3339, or a day (`2026-11-24`, UTC).
Result<Time> parse_moment(std::string_view text, Time now);

/// `90s`, `10m`, `1h30m`, `7d`; at most 10 years. Fails with `Errc::usage` and says what is accepted.
Result<std::chrono::milliseconds> parse_span(std::string_view text);

}  // namespace berth::logs
