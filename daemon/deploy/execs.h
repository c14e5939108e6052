#pragma once

#include <memory>
#include <string>

#include "daemon/deploy/exec_door.h"
#include "daemon/deploy/one_offs.h"

namespace berth::deploy {

/// One-off commands of people: `berth exec`.
class Execs {
 public:
  Execs(Node& node, OneOffs& one_offs) : node_(node), one_offs_(one_offs) {}

  /// Where its client is to connect. The command begins when it has.
  awaitable<Result<ExecPlace>> exec(ExecRequest request);
  /// The other ends of the files of one that begins at once.
  awaitable<Result<ExecStream>> exec_stream(ExecRequest request);
  /// Whether one may begin now.
  Result<void> may_begin(const App& app) const;
  /// Ends what runs, and waits for that. The caller sees to it that none begins meanwhile.
  awaitable<void> end_all(AppPtr app);
  /// Takes over those that a berthd before this one began.
  void adopt();

 private:
  /// A one-off command whose client came, until it is begun.
  struct Waiting {
    ExecClient client;        ///< its files are closed when nothing is done with them any more: what reads its output waits for that
    Fd connection;            ///< to its client too, for who watches it
    Fd mounts;                ///< of the instance whose files it sees
    bool over = false;        ///< it is being begun, or will not be
    bool taken_back = false;  ///< by its client, who knows
  };
  /// What is asked for, found and counted.
  struct Accepted {
    AppPtr app;
    ManifestPtr manifest;
    InstanceId id;
    ExecRequest request;  ///< with its process
  };
  awaitable<Result<Accepted>> accept(ExecRequest request);
  awaitable<void> await_client(Accepted exec, std::shared_ptr<ExecDoor> door);
  awaitable<void> serve(Accepted exec, std::shared_ptr<Waiting> waiting);
  awaitable<void> watch_waiting(AppPtr app, InstanceId id, std::shared_ptr<Waiting> waiting);
  /// Of the instance that it looks at. `Errc::conflict` where that does not run.
  Result<pid_t> process_of(const InstanceId& instance) const;
  /// Has it see the files of the instance that it looks at, where that sees others than the node does.
  Result<void> look_at(supervise::InstancePlan& plan, const InstanceId& instance, Waiting& waiting) const;
  awaitable<Result<void>> begin(AppPtr app, ManifestPtr manifest, InstanceId id, ExecRequest request, std::shared_ptr<Waiting> waiting);
  awaitable<void> follow(AppPtr app, InstanceId id, std::string failure);
  void forget(App& app, const InstanceId& id);

  Node& node_;
  OneOffs& one_offs_;
  int next_ = 1001;  ///< number of the next one's instance
};

}  // namespace berth::deploy
