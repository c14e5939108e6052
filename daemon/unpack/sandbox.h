#pragma once

#include "core/result.h"

namespace berth::unpack {

/// Gives up every right but to read the descriptors it has, to make files, folders and links below `target`, and to write them. For good:
/// Landlock (where the kernel has it) and a seccomp filter, whose violation is the end of the process. berthd took the rest before: user,
/// network, processes, limits, and the view of any other folder.
Result<void> enter_sandbox(int target);

}  // namespace berth::unpack
