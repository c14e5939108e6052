#pragma once

#include <stddef.h>
#include <stdint.h>

namespace berth::keeper {

/// Sends `signal` to every child of this process, which as a subreaper inherits whatever its descendants leave behind.
void signal_children(int signal);

/// Sends `signal` to all that descend from this process: its children, theirs, and so on.
void signal_descendants(int signal);

/// Whether `pid` is a process that descends from `ancestor`.
bool descends_from(int pid, int ancestor);

/// When a process started, in ticks since boot (field 22 of /proc/PID/stat), which tells it from a later one of that pid; 0 where there is none.
uint64_t start_of(int pid);

/// What is left of an app that another keeper started: not this one's children, so they are found by what they have in common.
struct Strangers {
  int session = 0;          ///< that of its main process; 0: there are none
  const char* cgroup = "";
  uint64_t pipes[2] = {};   ///< inodes of its stdout and stderr, of which it has the write ends
};
/// Sends `signal` to them, 0 to look alone. How many live.
int signal_strangers(const Strangers& strangers, int signal);

/// Kills every process of the cgroup at once (cgroup.kill), and so also those that fork faster than they can be found. "" is none.
void kill_cgroup(const char* cgroup);

/// How often the kernel killed something in the cgroup for its memory; 0 where that is unknown.
unsigned long oom_kills(const char* cgroup);

/// Leaves `PID START CGROUP` of the app's main process in the file `<socket>.app`, so that berthd finds an app whose keeper was killed while
/// berthd was away too. START is field 22 of /proc/PID/stat, which tells a process from a later one of the same pid.
void write_app_file(const char* socket, int pid, const char* cgroup);
void remove_app_file(const char* socket);

/// Where systemd delegated a cgroup to this process: moves it to the leaf `keeper/`, makes the leaf `app/` beside it, and writes that
/// leaf's folder to `app`. False where there is no cgroup that it may use.
bool split_own_cgroup(char* app, size_t room);

}  // namespace berth::keeper
