#pragma once

#include <sys/types.h>

#include "daemon/keeper/launch.h"

namespace berth::keeper {

/// In the forked child, as root: a mount namespace of its own in which the launch's `confine` records hold, what lies in something else after that, and of those
/// for the same path the last one. Symlinks in their paths are followed first.
///  - `ro PATH`, `rw PATH`: what lies there as it was before all of this, with all that is mounted below it, read-only or as it was;
///  - `hide PATH`: nothing that anybody may read, but for what other records put in there; `memory PATH`: an empty folder in memory that all may write to;
///    `empty PATH`: one that nobody may; `devices PATH`: one like that with the links of a /dev and its ptmx, for devices that other records put in there.
/// "?" behind the first word: passed over where there is no such path. Nothing happens without such records. False, with stage and errno, where that fails; the
/// child must then exit.
bool enter_sandbox(const LaunchFile& launch, StartFailure* failure);

/// Keeps the process, from now on and over execve, from sockets of families that `family` records do not name, where there are any, and, with
/// `deny_write_execute`, from memory that is written to and executed. False with errno.
bool filter_calls(const LaunchFile& launch);

}  // namespace berth::keeper
