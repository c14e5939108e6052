#pragma once

#include <cstdint>
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

/// The run that wrote last before the one that wrote last of all. Empty where a log has lines of one run alone, or of older keepers, which told of none.
Result<std::optional<PreviousRun>> previous_run(const InstanceLog& log);

}  // namespace berth::logs
