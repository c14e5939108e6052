#pragma once

#include <sys/types.h>

namespace inject {

/// Lets the system call that `thread` is about to make be none; its result is what the kernel says of a call that it does not know, until `set_result`.
void make_no_call(pid_t thread);

/// What the call that `thread` comes back from returns.
void set_result(pid_t thread, long result);

}  // namespace inject
