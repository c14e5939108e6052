#pragma once

#include <sys/types.h>

namespace berth {

/// Reaps a child that was killed and hangs in the kernel whenever it ends, on a thread of its own; `flags` as waitpid's. Where the system has no thread more,
/// it stays a zombie until this program ends.
void reap_later(pid_t pid, int flags) noexcept;

}  // namespace berth
