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
};

struct Point {
  Kind kind;
  std::string text;  ///< such as "rename /x/staging/7 -> /x/slots/v2"
};

/// What the call that `thread` of process `pid` is about to make means for a crash; nothing where it means nothing.
/// Calls on files count only `below` one of the folders.
std::optional<Point> crash_point(pid_t pid, pid_t thread, const __ptrace_syscall_info& call, const std::vector<std::string>& below);

}  // namespace inject
