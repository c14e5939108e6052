#include "daemon/supervise/supervisor.h"

#include <algorithm>

#include "daemon/supervise/process_tree.h"
#include "daemon/supervise/runtime.h"

namespace berth::supervise {

struct Supervisor::State : Runtime {
  using Runtime::Runtime;
};

Supervisor::Supervisor(boost::asio::any_io_executor executor, io::Pool& pool, SupervisorOptions options)
    : state_(std::make_shared<State>(std::move(executor), pool, std::move(options))) {}

Supervisor::~Supervisor() { state_->close(); }

void Supervisor::on_change(std::function<void(const InstanceChange&)> listener) { state_->listener = std::move(listener); }

// Each holds the state while it runs, also when the supervisor is gone.

awaitable<std::vector<Supervisor::Found>> Supervisor::find() {
  const auto state = state_;
  auto found = co_await state->find();
  co_return found;
}

awaitable<Result<void>> Supervisor::ensure(InstancePlan plan) {
  const auto state = state_;
  auto result = co_await state->ensure(std::move(plan));
  co_return result;
}

awaitable<Result<void>> Supervisor::stop(InstanceId id) {
  std::function<void()> none;
  auto result = co_await stop(std::move(id), std::move(none));
  co_return result;
}

awaitable<Result<void>> Supervisor::stop(InstanceId id, std::function<void()> let_go) {
  const auto state = state_;
  auto result = co_await state->stop(std::move(id), std::move(let_go));
  co_return result;
}

void Supervisor::hurry(const InstanceId& id) {
  const auto it = state_->instances().find(keeper_key(id));
  if (it != state_->instances().end() && it->second->link) static_cast<void>(it->second->link->stop(std::chrono::milliseconds(0)));
}

awaitable<Result<void>> Supervisor::restart(InstanceId id, std::string reason) {
  const auto state = state_;
  auto result = co_await state->restart(std::move(id), std::move(reason));
  co_return result;
}

awaitable<std::vector<std::string>> Supervisor::left_behind(std::string app) {
  const auto state = state_;
  auto left = co_await state->left_behind(std::move(app));
  co_return left;
}

std::optional<InstanceStatus> Supervisor::status(const InstanceId& id) const {
  const auto it = state_->instances().find(keeper_key(id));
  if (it == state_->instances().end()) return std::nullopt;
  return status_of(*it->second);
}

std::vector<InstanceStatus> Supervisor::all() const {
  std::vector<InstanceStatus> all;
  for (const auto& [key, instance] : state_->instances()) all.push_back(status_of(*instance));
  std::ranges::sort(all, {}, &InstanceStatus::id);
  return all;
}

std::vector<pid_t> Supervisor::processes(const InstanceId& id) const {
  const auto it = state_->instances().find(keeper_key(id));
  if (it == state_->instances().end()) return {};
  const auto& last = it->second->last;
  if (*last.cgroup) return cgroup_processes(last.cgroup);
  // A keeper inherits whatever its app leaves behind, so what descends from it is all there is.
  if (last.keeper_pid <= 0 || !it->second->link) return {};
  return descendants(last.keeper_pid, all_processes());
}

}  // namespace berth::supervise
