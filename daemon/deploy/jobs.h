#pragma once

#include <string>

#include "daemon/deploy/execs.h"
#include "daemon/deploy/one_offs.h"

namespace berth::deploy {

/// Processes that run to their end and have a result.
class Jobs {
 public:
  Jobs(Node& node, OneOffs& one_offs, const Execs& execs) : node_(node), one_offs_(one_offs), execs_(execs) {}

  /// Begins a run of a job of the active release.
  awaitable<Result<JobStatus>> run(std::string name, std::string process, Asked asked);
  /// How a job is; waits for its end as long as is asked.
  awaitable<Result<JobStatus>> status(WaitForJob what);
  /// Begins those that the deployment is to run, once: it is written down before which run of each is its own, so that a berthd that returns finds which were
  /// begun. None begins of a release that is being left.
  awaitable<void> run_of_deployment(AppPtr app, RunPtr run);
  awaitable<Result<void>> stop(AppPtr app, JobPtr job, Asked asked);
  /// Ends those of other releases than `kept`, and waits for that.
  awaitable<void> end_but(AppPtr app, std::string kept);
  /// Takes over runs that a berthd before this one began.
  void adopt();

 private:
  Result<void> may_run(const App& app) const;
  awaitable<Result<void>> begin(AppPtr app, ManifestPtr manifest, std::string process, Asked asked, std::int64_t deployment);
  awaitable<void> carry(AppPtr app, JobPtr job, bool adopted);
  awaitable<std::string> run_to_end(AppPtr app, JobPtr job, ManifestPtr manifest, bool adopted);
  awaitable<bool> may_try_again(AppPtr app, JobPtr job, ManifestPtr manifest);
  awaitable<void> record(store::JobRow row);
  awaitable<void> await_end(AppPtr app, JobPtr job);

  Node& node_;
  OneOffs& one_offs_;
  const Execs& execs_;
};

}  // namespace berth::deploy
