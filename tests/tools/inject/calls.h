#pragma once

#include <sys/ptrace.h>
#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace inject {

/// Why a system call is a point where a crash matters.
enum class Kind {
  durable,  ///< it changes a file, a folder or their being on disk, below the watched folders
  effect,   ///< it changes what others see: the route, a keeper, a new process
  read,     ///< it reads a file below the watched folders
};

struct Point {
  Kind kind;
  std::string text;  ///< such as "rename /x/staging/7 -> /x/slots/v2"
};

/// What the call that `thread` of process `pid` is about to make means for a crash; nothing where it means nothing.
/// Calls on files count only `below` one of the folders; those that read, only with `reads`.
std::optional<Point> crash_point(pid_t pid, pid_t thread, const __ptrace_syscall_info& call, const std::vector<std::string>& below, bool reads);

/// "durable", "effect", "read".
const char* word_for(Kind kind);

/// Whether a disk that has this trouble lets such a call fail: a full one gives no space to write, and still removes files.
bool can_fail_with(int error, const Point& point);

/// ENOSPC and others by name; -1 where the name is none of them.
int error_named(const std::string& name);

}  // namespace inject
