#include <ranges>

#include <fmt/core.h>

#include "daemon/deploy/engine.h"

// A node that is drained: the database says so first, so that a berthd that comes back goes on with it.

namespace berth::deploy {

awaitable<Result<void>> Engine::drain_node(Asked asked) {
  const bool has_other_reason = !asked.why.empty() && (!node_.drained || node_.drained->why != asked.why);
  if (!node_.drained || has_other_reason) {  // a later reason takes the place of the first, as with a hold
    const store::Drain drain{.at = store::now_text(), .by = asked.by, .why = asked.why};
    const std::string every_app;
    const auto write = [this, drain, event = operator_event("node_drain", every_app, asked)] { return node_.store.set_drained(drain, event); };
    auto written = co_await node_.pool.run(write);
    if (!written) co_return written;
    node_.drained = drain;
  }
  co_await empty_node();
  if (node_.closed) co_return fail(Errc::cancelled, "berthd stops");
  if (!node_.drained) co_return fail(Errc::conflict, "the node was resumed while it was drained");
  co_return Result<void>();
}

/// In the reverse of the order in which berthd starts them.
awaitable<void> Engine::empty_node() {
  std::vector<AppPtr> apps = in_start_order();
  for (const auto& [name, app] : node_.newcomers) apps.push_back(app);
  for (const AppPtr& app : apps | std::views::reverse) {
    if (node_.closed || !node_.drained) co_return;
    co_await empty_app(app);
  }
}

/// Deployments that are not decided are cancelled; one that is comes to its end first. Instances that were stopped by hand stay known as such.
awaitable<void> Engine::empty_app(AppPtr app) {
  const std::string why = kDrain;
  co_await end_deployments(app, why, false);
  const Turn turn = co_await node_.take(app);
  if (node_.closed || !node_.drained || app->gone) co_return;
  const Quiet quiet(app);
  std::vector<InstanceId> ids;
  for (const Member& member : app->members)
    if (!member.row.paused) ids.push_back(member.id());
  const std::string none;
  co_await jobs_.end_but(app, none);
  co_await members_.stop(app, std::move(ids), drain_of(*app));
  if (!node_.closed && node_.drained) co_await execs_.end_all(app);
}

awaitable<Result<void>> Engine::resume_node(Asked asked) {
  if (!node_.drained) co_return Result<void>();
  const std::string every_app;
  const auto write = [this, event = operator_event("node_resume", every_app, asked)] { return node_.store.set_drained(std::nullopt, event); };
  auto written = co_await node_.pool.run(write);
  if (!written) co_return written;
  node_.drained.reset();
  co_await start_apps();
  if (node_.closed) co_return fail(Errc::cancelled, "berthd stops");
  if (node_.drained) co_return fail(Errc::conflict, "the node was drained while it was resumed");
  const auto apps = node_.apps;
  for (const auto& [name, app] : apps) settled_(name);
  co_return Result<void>();
}

}  // namespace berth::deploy
