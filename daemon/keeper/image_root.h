#pragma once

#include <sys/types.h>

#include "daemon/keeper/launch.h"

namespace berth::keeper {

/// In the forked child, as root: makes `root` the root of a mount namespace of its own, read-only, and mounts there what the launch's `mount` records name, and
///  - /proc, and /dev with null, zero, full, random, urandom, tty, shm and links to the descriptors,
///  - /tmp and /run, empty and in memory, the latter for `uid` and `gid`.
/// All mount points must be there. The old root is gone afterwards. False, with stage and errno, where that fails; the child must then exit.
bool enter_image_root(const char* root, const LaunchFile& launch, uid_t uid, gid_t gid, StartFailure* failure);

/// In the forked child, as root: `record`, `PID INODE`, names a process and its mount namespace, which becomes this one's too, with its root. False with errno: ESRCH where
/// it has another one now.
bool enter_mounts_of(const char* record);

/// In the forked child: a mount namespace of its own, of which nothing reaches the node. False with errno.
bool leave_mounts();

}  // namespace berth::keeper
