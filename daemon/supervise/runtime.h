#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "core/io/loop.h"
#include "daemon/supervise/instance.h"
#include "daemon/supervise/supervisor.h"

namespace berth::supervise {

using boost::asio::awaitable;
using InstancePtr = std::shared_ptr<Instance>;

inline constexpr const char* kKept = "its keeper died, and a new one keeps it as it runs";

/// What a Supervisor does, in coroutines that each hold it: the connections to keepers (runtime.cc), starting and stopping (starting.cc),
/// what happens when a keeper dies (recovery.cc), and the probes (probing.cc).
class Runtime : public std::enable_shared_from_this<Runtime> {
 public:
  Runtime(boost::asio::any_io_executor executor, io::Pool& pool, SupervisorOptions options)
      : executor_(std::move(executor)), pool_(pool), options_(std::move(options)) {}

  awaitable<std::vector<Supervisor::Found>> find();
  awaitable<Result<void>> ensure(InstancePlan plan);
  awaitable<Result<void>> stop(InstanceId id, std::function<void()> let_go);
  awaitable<Result<void>> restart(InstanceId id, std::string reason);
  awaitable<std::vector<std::string>> left_behind(std::string app);
  /// Lets go of everything; keepers and apps go on.
  void close();

  const std::map<std::string, InstancePtr>& instances() const { return instances_; }
  std::function<void(const InstanceChange&)> listener;

 private:
  // runtime.cc
  void spawn(awaitable<void> task);
  void tell(InstanceChange::Kind kind, const Instance& instance, std::string reason, std::optional<Exit> exit = {});
  void refresh(Instance& instance);
  bool current(const InstancePtr& instance) const;
  awaitable<void> acquire(InstancePtr instance);
  void release(Instance& instance);
  awaitable<Result<void>> attach(InstancePtr instance, KeeperLink link, HeldFiles* held);
  awaitable<void> follow(InstancePtr instance, std::shared_ptr<KeeperLink> link);
  void apply(InstancePtr instance, const keeper::State& state);
  void hear(InstancePtr instance, const keeper::Notified& notified);
  awaitable<std::optional<Supervisor::Found>> find_one(std::string socket_path);

  // starting.cc
  awaitable<Result<void>> ensure_now(InstancePtr instance, InstancePlan plan);
  awaitable<Result<void>> attach_to_existing(InstancePtr instance);
  awaitable<Result<void>> adopt(InstancePtr instance, bool probed_alike);
  awaitable<Result<void>> start_keeper(InstancePtr instance);
  awaitable<Result<std::uint64_t>> begin_keeper(InstancePtr instance, keeper::TakeOver told);
  awaitable<Result<KeeperLink>> connect_to_new(InstancePtr instance, bool app_runs);
  awaitable<Result<void>> wait_started(InstancePtr instance, std::uint64_t more_than);
  awaitable<Result<void>> stop_now(InstancePtr instance, std::function<void()> let_go);
  awaitable<void> stop_app(InstancePtr instance, bool hold);
  awaitable<void> dismiss(InstancePtr instance);
  std::string cgroup_of(const Instance& instance) const;

  // recovery.cc
  bool may_be_kept(const Instance& instance) const;
  void lose(Instance& instance);
  awaitable<bool> reattach(InstancePtr instance);
  void catch_up(InstancePtr instance, const keeper::State& before);
  awaitable<void> recover(InstancePtr instance, bool orderly, bool kept);
  void end_unseen(Instance& instance);
  awaitable<Result<void>> keep_app(InstancePtr instance);
  awaitable<void> renew_keeper(InstancePtr instance);
  awaitable<bool> clear_orphan(Orphan orphan, std::string socket_path, std::string name);
  awaitable<void> end_keeper(InstancePtr instance);
  awaitable<void> end_wedged(pid_t keeper, std::string socket_path, std::string name);

  // probing.cc
  void begin_probes(InstancePtr instance, bool adopted);
  awaitable<bool> pause(InstancePtr instance, std::uint64_t generation, std::chrono::milliseconds at_most);
  awaitable<void> run_probes(InstancePtr instance, std::uint64_t generation, bool adopted);
  awaitable<bool> run_startup(InstancePtr instance, std::uint64_t generation);
  awaitable<bool> await_ready_notice(InstancePtr instance, std::uint64_t generation);
  awaitable<void> run_readiness(InstancePtr instance, std::uint64_t generation);
  awaitable<void> begin_watching(InstancePtr instance, std::uint64_t generation);
  awaitable<void> run_liveness(InstancePtr instance, std::uint64_t generation, bool adopted);
  awaitable<void> watch_socket(InstancePtr instance, std::uint64_t generation);
  void restart_unhealthy(Instance& instance, const char* probe, const std::string& reason);

  boost::asio::any_io_executor executor_;
  io::Pool& pool_;
  SupervisorOptions options_;
  std::map<std::string, InstancePtr> instances_;  ///< by key
  bool closed_ = false;
};

}  // namespace berth::supervise
