#pragma once

#include "core/files/fd.h"
#include "daemon/fetch/worker.h"

namespace berth::fetch {

/// The descriptors of a worker, all of them above those that it will have.
struct WorkerFiles {
  Fd program, job, progress, words, blob, target;
  Fd scratch;  ///< where there is one
};

/// Forks into the worker's own namespaces and runs its program. `pidfd` is set. Returns its process id, or a negative errno.
pid_t fork_worker(const WorkerSpec& spec, const WorkerFiles& files, int& pidfd);

}  // namespace berth::fetch
