#pragma once

#include <cstdint>

#include "core/resources.h"
#include "core/result.h"
#include "core/spec/limits.h"

namespace berth::deploy {

/// What this machine lets berthd give to the processes of apps.
struct OwnLimits {
  std::uint64_t most_files = ResourceLimit::kInfinity;  ///< fs.nr_open: nobody has a higher LimitNOFILE, root neither
  ResourceLimits resources;                             ///< berthd's own; absent: as much as there is
  bool may_raise = true;                                ///< CAP_SYS_RESOURCE: a process may be given more than berthd has itself
};

/// Those of the calling process. Blocking.
OwnLimits read_own_limits();

/// Whether processes can be given these limits. `Errc::io` names the word of the spec, what it says, what there can be at most, and what to do.
Result<void> check_limits(const OwnLimits& own, const spec::Limits& limits);

}  // namespace berth::deploy
