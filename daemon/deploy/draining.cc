#include <ranges>

#include <fmt/core.h>

#include "daemon/deploy/engine.h"

// A node that is drained: the database says so first, so that a berthd that comes back goes on with it.

namespace berth::deploy {
Result<void> Engine::not_drained() const {
  if (!drained_) return {};
  return fail(Errc::conflict, fmt::format("this node is drained ({}): no app runs here, and no deployment is taken, until 'berth node resume'", to_string(*drained_)));
}

awaitable<Result<void>> Engine::drain_node(Asked asked) {
  if (!drained_) {
    const store::Drain drain{.at = store::now_text(), .by = asked.by, .why = asked.why};
    const std::string every_app;
    const auto write = [this, drain, event = operator_event("node_drain", every_app, asked)] { return store_.set_drained(drain, event); };
    auto written = co_await pool_.run(write);
    if (!written) co_return written;
    drained_ = drain;
  }
  co_await empty_node();
  if (closed_) co_return fail(Errc::cancelled, "berthd stops");
  if (!drained_) co_return fail(Errc::conflict, "the node was resumed while it was drained");
  co_return Result<void>();
}

/// In the reverse of the order in which berthd starts them.
awaitable<void> Engine::empty_node() {
  std::vector<AppPtr> apps = in_start_order();
  for (const auto& [name, app] : newcomers_) apps.push_back(app);
  for (const AppPtr& app : apps | std::views::reverse) {
    if (closed_ || !drained_) co_return;
    co_await empty_app(app);
  }
}

/// Deployments that are not decided are cancelled; one that is comes to its end first. Instances that were stopped by hand stay known as such.
awaitable<void> Engine::empty_app(AppPtr app) {
  const std::string why = kDrain;
  co_await end_deployments(app, why, false);
  const Turn turn = co_await take(app);
  if (closed_ || !drained_ || app->gone) co_return;
  const Quiet quiet(app);
  std::vector<InstanceId> ids;
  for (const Member& member : app->members)
    if (!member.row.paused) ids.push_back(member.id());
  const std::string none;
  co_await end_jobs(app, none);
  co_await stop_members(app, std::move(ids), drain_of(*app));
  if (!closed_ && drained_) co_await end_execs(app);
}

awaitable<Result<void>> Engine::resume_node(Asked asked) {
  if (!drained_) co_return Result<void>();
  const std::string every_app;
  const auto write = [this, event = operator_event("node_resume", every_app, asked)] { return store_.set_drained(std::nullopt, event); };
  auto written = co_await pool_.run(write);
  if (!written) co_return written;
  drained_.reset();
  co_await start_apps();
  if (closed_) co_return fail(Errc::cancelled, "berthd stops");
  if (drained_) co_return fail(Errc::conflict, "the node was drained while it was resumed");
  const auto apps = apps_;
  for (const auto& [name, app] : apps) settled_(name);
  co_return Result<void>();
}

}  // namespace berth::deploy
