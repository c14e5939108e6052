#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "core/io/loop.h"
#include "core/result.h"
#include "daemon/deploy/node_facts.h"
#include "daemon/supervise/supervisor.h"
#include "run/local_ports.h"
#include "run/local_release.h"
#include "run/output.h"
#include "run/places.h"

namespace berth::run {

using boost::asio::awaitable;
using std::chrono::milliseconds;

/// Makes a release of what lies there now.
using Load = std::function<Result<LocalRelease>()>;

/// How it is run.
struct RunOptions {
  fs::path keeper;
  std::optional<int> base_port;               ///< absent: the spec's ports
  std::map<std::string, std::string> labels;  ///< of this "node", for templates
  bool restarts = false;                      ///< it goes on when a process fails, since a change starts it again
};

/// Runs an app on a workstation with a node's own parts: keepers, probes, the order of starts, hooks, restarts and stops. What it lacks of a node are the parts that need root, and
/// routing: instances have their ports themselves. For one loop.
class Runner {
 public:
  /// `say` is told of what happens, on the loop.
  Runner(io::Loop& loop, io::Pool& pool, const Places& places, RunOptions options, std::function<void(Word)> say);

  /// Runs what `load` makes, until it is stopped or fails; leaves nothing behind. The exit code: 0 after `stop`, and when every process has ended well; that of the process that failed;
  /// that of berth's own failure, which was said.
  awaitable<int> run(LocalRelease first, Load load);

  /// Ends it in order, the last one started first. Asked again by somebody who insists, everything is killed.
  void stop(bool insists);

  /// What lies there has changed: it is loaded anew, and what runs is started again.
  void restart(std::vector<std::string> changed);

 private:
  // runner.cc
  awaitable<void> clear_leftovers();
  awaitable<void> stop_all();
  void on_change(const supervise::InstanceChange& change);
  void note_end(const InstanceId& id, const supervise::Exit& exit);
  bool has_ended_well() const;
  void say(Word::Kind kind, const std::string& instance, std::string text) const;
  void say_started(const std::string& instance, const std::optional<supervise::InstanceStatus>& status) const;
  void fail_with(int exit, std::string text);
  void note_failed_start(const Error& error);
  awaitable<void> reload(Load load);

  // readiness.cc
  void expect_ready(const InstanceId& id);
  awaitable<void> tell_unready();

  // bringing_up.cc
  awaitable<Result<void>> bring_up();
  Result<void> take_ports(const std::vector<std::string>& processes);
  awaitable<Result<void>> start_process(std::string name);
  awaitable<Result<void>> start_instance(InstanceId id);
  awaitable<Result<void>> await_ready(std::set<std::string> processes);
  awaitable<Result<void>> run_hook(std::string hook);
  awaitable<Result<supervise::InstancePlan>> plan(InstanceId id);
  Result<supervise::InstancePlan> compose(const InstanceId& id, const InstancePorts& ports) const;
  std::vector<InstanceId> instances_of(const std::string& process) const;

  // bringing_down.cc
  awaitable<void> bring_down();
  awaitable<void> stop_process(std::string name, std::shared_ptr<int> running);
  awaitable<void> stop_instance(InstanceId id, std::shared_ptr<int> running);

  io::Loop& loop_;
  io::Pool& pool_;
  RunOptions options_;
  std::function<void(Word)> say_;
  deploy::NodeFacts node_;
  supervise::Supervisor supervisor_;
  LocalRelease release_;
  std::optional<LocalPorts> ports_;
  io::Event changed_;
  std::vector<std::string> files_changed_;
  bool wants_restart_ = false;
  int stops_ = 0;                  ///< how often it was asked to
  bool up_ = false;                ///< all was started: what ends from now on ends by itself
  std::optional<int> exit_;        ///< why it ends, where nobody asked
  std::set<InstanceId> ended_;     ///< and are not started again
  std::map<InstanceId, io::Steady::time_point> expected_;  ///< started and not ready yet: when that is told
  std::set<InstanceId> told_;      ///< are not ready, which is known
  bool is_over_ = false;           ///< nothing is told any more
  bool tells_ = false;             ///< tell_unready is at work
};

}  // namespace berth::run
