#pragma once

#include <sys/types.h>

namespace berth::io {

/// Kills every process of the session that `leader` leads or led, in whatever process group. `leader` must not have been reaped yet, so
/// that its number cannot have become another's.
void kill_session(pid_t leader);

}  // namespace berth::io
