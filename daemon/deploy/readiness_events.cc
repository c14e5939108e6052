#include <algorithm>

#include <fmt/core.h>
#include <spdlog/spdlog.h>

#include "daemon/deploy/engine.h"

namespace berth::deploy {
namespace {

/// For how long an instance is ready again before that is told: one that comes and goes makes two events, not thousands.
constexpr std::chrono::seconds kHolds{10};

}  // namespace

/// Tells of instances that run and are not ready any more, and of their being ready again. What is to be so, while an operator or a deployment stops or
/// starts them, is not told, nor is an exit, which has an event of its own.
void Engine::tell_readiness(const AppPtr& app, const supervise::InstanceChange& change) {
  using Kind = supervise::InstanceChange::Kind;
  const InstanceId& id = change.id;
  const auto told = unready_.find(id);
  if (change.kind == Kind::exited || change.kind == Kind::ended || change.kind == Kind::gone) {
    if (told != unready_.end()) unready_.erase(told);
  } else if (change.kind == Kind::ready && told != unready_.end()) {
    spawn(tell_ready_again(id, ++told->second.changes));
  } else if (change.kind == Kind::unready) {
    if (told != unready_.end()) {
      ++told->second.changes;
      ++told->second.times;
      return;
    }
    const auto member = std::ranges::find(app->members, id, &Member::id);
    const auto status = supervisor_.status(id);
    if (app->quiet > 0 || change.stopped || member == app->members.end() || member->leaving || !status || status->pid == 0) return;
    unready_.emplace(id, Unready{.since = io::Steady::now()});
    spdlog::warn("{} is not ready any more: {}", to_string(id), change.reason);
    spawn(tell({.number = 0, .at = {}, .kind = "instance.unready", .app = id.app,
                .data = {{"instance", to_string(id)}, {"release", id.release}, {"reason", change.reason}}}));
  }
}

awaitable<void> Engine::tell_ready_again(InstanceId id, std::uint64_t change) {
  const auto since = io::Steady::now();
  co_await io::sleep_for(kHolds);
  const auto told = unready_.find(id);
  if (closed_ || told == unready_.end() || told->second.changes != change) co_return;
  const auto took = std::chrono::duration_cast<milliseconds>(since - told->second.since);
  const int times = told->second.times;
  unready_.erase(told);
  spdlog::info("{} is ready again", to_string(id));
  boost::json::object data{{"instance", to_string(id)}, {"release", id.release}, {"unready_ms", took.count()}, {"times", times}};
  store::Event event{.number = 0, .at = {}, .kind = "instance.ready", .app = id.app, .data = std::move(data)};
  co_await tell(std::move(event));
}

}  // namespace berth::deploy
