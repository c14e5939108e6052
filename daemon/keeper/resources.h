#pragma once

#include "daemon/keeper/launch.h"

namespace berth::keeper {

// What a launch says of how its app begins, set on the calling process, which becomes it. False with errno.

/// How soon the kernel ends it where memory is short. Where the launch says nothing that is 0, as far as it may: this process inherited what berthd has.
bool set_oom_score(const LaunchFile& launch);

/// Its supplementary groups: those of the launch alone.
bool set_groups(const LaunchFile& launch);

/// Before others or after them.
bool set_nice(const LaunchFile& launch);

/// The limits of setrlimit(2). One with '?' behind its number is set as far as it may.
bool set_resource_limits(const LaunchFile& launch);

}  // namespace berth::keeper
