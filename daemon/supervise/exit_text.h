#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "daemon/keeper/protocol.h"
#include "daemon/supervise/supervisor.h"

namespace berth::supervise {

/// What a keeper tells of the last exit, for a person. `program`: argv[0], in `root` where that is not empty. Looks into the program where the kernel found it not, or what
/// it is to be run by.
Exit describe_exit(const keeper::LastExit& exit, const std::string& program, const std::string& root = {});

/// Every reason that `InstanceStatus::exits_by_reason` can have.
inline constexpr std::string_view kExitReasons[] = {"exit", "signal", "liveness", "oom", "not_started", "unknown"};

/// Counts as `InstanceStatus::exits_by_reason` has them; only those that happened.
std::map<std::string, std::int64_t> count_exits(const keeper::State& state);

/// RFC 3339, UTC, with milliseconds; empty for 0.
std::string time_text(std::int64_t ms_since_1970);

Phase phase_of(keeper::Phase phase);

}  // namespace berth::supervise
