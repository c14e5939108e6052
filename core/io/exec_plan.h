#pragma once

#include <memory>
#include <string>
#include <vector>

#include <sys/types.h>

#include "core/files/fd.h"
#include "core/io/child.h"
#include "core/result.h"

namespace berth::io {

/// A child that was forked: it leads a session of its own.
struct Forked {
  pid_t pid = 0;
  Fd pidfd;
  Fd output;   ///< stdout and stderr, non-blocking
  Fd failure;  ///< an `ExecFailure`, or its end when the program runs; non-blocking
};

/// What went wrong in the child before its program ran.
struct ExecFailure {
  enum class Step : int { session, output, cgroup, resources, root, user, directory, program };
  Step step = Step::session;
  int number = 0;  ///< errno
};

/// Forks. Everything the child needs is made before, since between fork and exec it may only call what is safe in a signal handler.
Result<Forked> fork_child(const ChildSpec& spec);

/// For a person: names the program, folder, user or cgroup.
Error explain(const ExecFailure& failure, const ChildSpec& spec);

}  // namespace berth::io
