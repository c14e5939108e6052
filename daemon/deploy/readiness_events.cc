#include "daemon/deploy/readiness_events.h"

#include <algorithm>

#include <fmt/core.h>
#include <spdlog/spdlog.h>

#include "daemon/journal/message.h"

namespace berth::deploy {
namespace {

/// For how long an instance is ready again before that is told: one that comes and goes makes two events, not thousands.
constexpr std::chrono::seconds kHolds{10};

}  // namespace

void ReadinessEvents::on_change(const AppPtr& app, const supervise::InstanceChange& change) {
  using Kind = supervise::InstanceChange::Kind;
  const InstanceId& id = change.id;
  const auto told = unready_.find(id);
  if (change.kind == Kind::exited || change.kind == Kind::ended || change.kind == Kind::gone) {
    if (told != unready_.end()) unready_.erase(told);
  } else if (change.kind == Kind::ready && told != unready_.end()) {
    node_.spawn(tell_ready_again(id, ++told->second.changes));
  } else if (change.kind == Kind::unready) {
    if (told != unready_.end()) {
      ++told->second.changes;
      ++told->second.times;
      return;
    }
    const auto member = std::ranges::find(app->members, id, &Member::id);
    const auto status = node_.supervisor.status(id);
    if (app->quiet > 0 || change.stopped || member == app->members.end() || member->leaving || !status || status->pid == 0 || status->phase == supervise::Phase::lost) return;
    unready_.emplace(id, Unready{.since = io::Steady::now()});
    journal::log(spdlog::level::warn, journal::Message::instance_unready, {.app = id.app, .release = id.release, .instance = to_string(id), .reason = change.reason},
                 fmt::format("{} is not ready any more: {}", to_string(id), change.reason));
    node_.spawn(node_.tell({.number = 0, .at = {}, .kind = "instance.unready", .app = id.app,
                .data = {{"instance", to_string(id)}, {"release", id.release}, {"reason", change.reason}}}));
  }
}

awaitable<void> ReadinessEvents::tell_ready_again(InstanceId id, std::uint64_t change) {
  const auto since = io::Steady::now();
  co_await io::sleep_for(kHolds);
  const auto told = unready_.find(id);
  if (node_.closed || told == unready_.end() || told->second.changes != change) co_return;
  const auto took = std::chrono::duration_cast<milliseconds>(since - told->second.since);
  const int times = told->second.times;
  unready_.erase(told);
  spdlog::info("{} is ready again", to_string(id));
  boost::json::object data{{"instance", to_string(id)}, {"release", id.release}, {"unready_ms", took.count()}, {"times", times}};
  store::Event event{.number = 0, .at = {}, .kind = "instance.ready", .app = id.app, .data = std::move(data)};
  co_await node_.tell(std::move(event));
}

}  // namespace berth::deploy
