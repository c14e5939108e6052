#pragma once

#include <sys/types.h>

#include "core/files/fd.h"

namespace berth::supervise {

/// The mount namespace of a process, unless it is berthd's own: the process is gone then, or has not entered its own yet. Blocking, shortly.
Fd mount_namespace_of(pid_t pid);

}  // namespace berth::supervise
