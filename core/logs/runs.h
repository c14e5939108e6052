#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "core/logs/log_layout.h"

namespace berth::logs {

/// One run of an instance's process: from a start to its end.
struct Run {
  std::string release, deployment, pid;

  bool operator==(const Run&) const = default;
};

struct PreviousRun {
  Run run;
  std::uint64_t first_segment = 0;  ///< that has a line of it
};

/// Whether a process of this machine has the run's pid.
bool is_alive(const Run& run);
using Lives = std::function<bool(const Run&)>;

/// The run that wrote last of those that are over: of two releases that write one log at once it is the one that ended. But where a run of the same deployment had ended by itself before, and was started again
/// and stopped, it is that one. Empty where all of the log's runs go on, or it has lines of older keepers
/// alone, which told of none. Of `release` alone where that is said.
Result<std::optional<PreviousRun>> previous_run(const InstanceLog& log, const Lives& lives = is_alive, const std::optional<std::string>& release = {});

}  // namespace berth::logs
