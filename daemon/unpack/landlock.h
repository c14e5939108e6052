#pragma once

#include "core/result.h"

namespace berth::unpack {

/// Leaves this process nothing of any file system but to make and write files, folders and links below `target`; and no TCP, no signals or
/// abstract sockets of others, as far as the kernel's Landlock goes. Returns its version; 0, and nothing happened, where there is none,
/// or where a filter around this process keeps it away.
Result<int> restrict_to(int target);

}  // namespace berth::unpack
