#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/io/loop.h"
#include "daemon/keeper/protocol.h"
#include "daemon/supervise/keeper_key.h"
#include "daemon/supervise/keeper_link.h"
#include "daemon/supervise/probe_state.h"
#include "daemon/supervise/process_tree.h"
#include "daemon/supervise/supervisor.h"

namespace berth::supervise {

/// One instance as berthd knows it. Belongs to the loop's thread.
struct Instance {
  Instance(boost::asio::any_io_executor executor, InstanceId its_id, const std::string& run_directory);

  InstanceId id;
  std::string key;                        ///< of its keeper's socket
  std::string socket_path;
  std::optional<InstancePlan> plan;       ///< absent while only found
  std::shared_ptr<KeeperLink> link;       ///< null: none
  Fd keeper_pidfd;
  keeper::State last{};                   ///< what its keeper said last
  Phase phase = Phase::starting;
  std::vector<Fd> pipes;                  ///< unread ends of its output
  std::set<std::string> pipe_names;

  int takeovers = 0;                          ///< by new keepers, one soon after the other
  std::chrono::steady_clock::time_point taken_over{};

  int reattachments = 0;                      ///< to the same keeper, one soon after the other
  std::chrono::steady_clock::time_point reattached{};

  // Readiness of the present process. `generation` changes with it; what waits for an older one gives up.
  std::uint64_t generation = 0;
  ProbeState startup, readiness, liveness;
  std::map<std::string, ProbeCount> probes;  ///< over all its processes
  bool settled = false;                   ///< without a readiness probe: it has run for a while
  bool socket_taken = false;
  io::Steady::time_point extended_until{};  ///< it asked for time until then
  keeper::Notified notified{};            ///< what its keeper heard from it last, of the process that it names
  bool ready = false;
  std::string not_ready;

  bool busy = false;                      ///< somebody starts, stops or restarts it
  bool unwanted = false;                  ///< it is to be stopped, or gone
  io::Event changed;                      ///< on every change of the above

  std::string program() const { return plan && !plan->argv.empty() ? plan->argv[0] : std::string("its program"); }
  /// The tree of its image, where that is its root; else empty.
  std::string root() const { return plan ? plan->root : std::string(); }
  std::string name() const { return to_string(id); }
  std::string last_exit_reason() const;
  /// What the present process said; nothing of one before it.
  keeper::Notified heard() const { return notified.app_pid == last.app_pid ? notified : keeper::Notified{}; }
  bool running() const { return phase == Phase::running; }
  Orphan orphan() const;                  ///< what would be left if its keeper were gone
};

/// Counts an asking of the probe of that name, which began at `began` and has ended.
void count_probe(Instance& instance, const char* probe, const Finding& finding, io::Steady::time_point began);

/// Sets readiness by what the app said.
void judge_notice(Instance& instance);

/// What a readiness probe of kind `notify` finds now.
Finding notified_finding(const Instance& instance);

/// Why the instance is not ready, one line; empty where it is.
std::string why_not_ready(const Instance& instance);

/// Whether it is known if the process that runs is ready: each of its probes has come to a verdict once. True where none runs.
bool is_judged(const Instance& instance);

InstanceStatus status_of(const Instance& instance);

/// Whether both are asked and reached in the same way.
bool same_probes(const InstancePlan& a, const InstancePlan& b);

std::string keepers_directory(const std::string& run_directory);

/// What a new keeper is told of an instance whose keeper was killed, of which nothing is left, or `app`.
keeper::TakeOver told_of(const Instance& instance, const Orphan* app);

/// Whether its processes may gain privileges by what they execute, its exec probes too.
bool may_gain_privileges(const InstancePlan& plan);
/// The limits of its processes, its exec probes' too, as numbers that the kernel takes.
ResourceLimits resources_of(const InstancePlan& plan);
/// What the keeper is told. `cgroup`: for the app, or empty. `is_service`: the keeper is one of systemd.
Result<keeper::LaunchMemory> launch_of(const InstancePlan& plan, const std::string& cgroup, bool is_service);

}  // namespace berth::supervise
