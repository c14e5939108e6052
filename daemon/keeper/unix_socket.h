#pragma once

#include <sys/types.h>

namespace berth::keeper {

/// A non-blocking Unix socket of that type, bound at `path` in place of what lies there; `closed` are the permissions that the name is not to have (umask).
/// What the name leads to is never touched: unlink and bind follow no symlink. -1 with errno where it cannot be made.
int bind_unix(const char* path, int type, mode_t closed);

}  // namespace berth::keeper
