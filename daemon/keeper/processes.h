#pragma once

#include <stddef.h>

namespace berth::keeper {

/// Sends `signal` to every child of this process, which as a subreaper inherits whatever its descendants leave behind.
void signal_children(int signal);

/// Kills every process of the cgroup at once (cgroup.kill), and so also those that fork faster than they can be found. "" is none.
void kill_cgroup(const char* cgroup);

/// How often the kernel killed something in the cgroup for its memory; 0 where that is unknown.
unsigned long oom_kills(const char* cgroup);

/// Where systemd delegated a cgroup to this process: moves it to the leaf `keeper/`, makes the leaf `app/` beside it, and writes that
/// leaf's folder to `app`. False where there is no cgroup that it may use.
bool split_own_cgroup(char* app, size_t room);

}  // namespace berth::keeper
