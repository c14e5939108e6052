#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <sys/types.h>

namespace berth::supervise {

/// What a file of /proc or of a cgroup says. Empty where it is gone, also where its process ends just while it is read, which a stream throws for.
std::string proc_text(const std::filesystem::path& path);

/// What /proc tells of a process.
struct ProcessInfo {
  pid_t pid = 0, parent = 0, session = 0;
  char state = '?';
  std::uint64_t start = 0;  ///< ticks since boot; tells it from a later process of the same pid
  std::uint64_t cpu_ticks = 0, ended_children_ticks = 0;  ///< user and system; of its own, and of its children that ended
  std::uint64_t resident_pages = 0;

  bool alive() const { return state != 'Z' && state != 'X'; }
};
std::optional<ProcessInfo> process_info(pid_t pid);
/// How many descriptors it has open: Linux 6.2 and later tell it as the size of /proc/PID/fd, else they are counted. 0 where there is no such process.
std::uint64_t open_descriptors(pid_t pid);
/// How long a process has run, by the kernel's own count, which no set clock changes; nothing where there is none.
std::optional<std::chrono::milliseconds> age_of(pid_t pid);
/// In the order of their parents.
std::vector<ProcessInfo> all_processes();

/// Every living process that descends from `root`, itself excluded. `all`: as `all_processes` has them.
std::vector<pid_t> descendants(pid_t root, const std::vector<ProcessInfo>& all);

/// Every process of a cgroup and the cgroups below it.
std::vector<pid_t> cgroup_processes(const std::string& cgroup);

/// What is known of an app whose keeper is gone.
struct Orphan {
  pid_t pid = 0;                 ///< of its main process, which leads a session of its own
  std::uint64_t start = 0;       ///< 0: unknown
  std::string cgroup;            ///< or empty
  std::set<std::string> pipes;   ///< "pipe:[123]", its stdout and stderr
};

/// What the keeper left in `<socket>.app`.
std::optional<Orphan> read_app_file(const std::string& path);

/// Its processes that still live, with their starts: those in its cgroup, its main process with what descends from it, those of its session, and those that hold
/// one of its pipes. The start of one that only began meanwhile is 0.
std::vector<ProcessInfo> living_processes(const Orphan& orphan);

/// Kills the process if it began at `start`: never a later one of its number. Whether it lived.
bool kill_process(pid_t pid, std::uint64_t start);

/// Kills them all. True when none was left.
bool kill_orphan(const Orphan& orphan);

/// Whether the process runs another program than the file at `program`, by their bytes. False where that cannot be told. Blocking.
bool runs_other_program(pid_t pid, const std::string& program);

/// "pipe:[123]" or "socket:[123]", as /proc names what `fd` of this process is.
std::string file_name_of(int fd);

/// Whether `pid` has what `name` says open.
bool holds(pid_t pid, const std::string& name);

}  // namespace berth::supervise
