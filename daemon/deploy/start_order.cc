#include <algorithm>

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include "core/spec/start_order.h"
#include "daemon/deploy/engine.h"

// Who starts after whom: processes of an app, and the apps of a node. Every wait has an end, after which a deployment fails, and anything else starts all the same.

namespace berth::deploy {
namespace {

using namespace std::chrono_literals;
using io::Steady;

constexpr int kAppsAtOnce = 4;   ///< of one priority, when a node starts
constexpr auto kLookAgain = 1s;  ///< at an app that is not here yet, of which nothing tells

int priority_of(const AppPtr& app) {
  const ManifestPtr active = app->active();
  return active ? active->spec.deploy.priority : 0;
}

/// Why it cannot be waited for yet; empty where all that is to run of it is ready.
std::string why_unready(const std::string& name, const AppPtr& app, const supervise::Supervisor& supervisor) {
  if (!app) return name + " is not on this node";
  if (app->row.stopped) return name + " is stopped";
  if (app->row.active.empty()) return name + " has no active release";
  bool any = false;
  for (const Member& member : app->members) {
    if (member.row.release != app->row.active || member.row.paused) continue;
    any = true;
    const auto status = supervisor.status(member.id());
    InstanceId shown = member.id();
    shown.release.clear();
    if (!status || !status->ready) return fmt::format("{}: {}", to_string(shown), status ? status->not_ready : "it does not run");
  }
  const ManifestPtr active = app->active();
  const bool wants_some = active && std::ranges::any_of(active->spec.processes, [](const auto& process) { return process.second.instances > 0; });
  return any || !wants_some ? std::string() : name + " does not run yet";
}

bool waits_for_others(const bundle::Manifest& manifest) {
  const auto comes_after = [](const auto& process) { return !process.second.after.empty(); };
  return !manifest.spec.deploy.after.empty() || std::ranges::any_of(manifest.spec.processes, comes_after);
}

int instances_of(const bundle::Manifest& manifest) {
  int all = 0;
  for (const auto& [name, process] : manifest.spec.processes) all += process.instances;
  return all;
}

}  // namespace

/// Those of a higher priority first, then by name, but each after those that its active release names.
std::vector<AppPtr> Engine::in_start_order() const {
  std::vector<AppPtr> apps;
  for (const auto& [name, app] : node_.apps) apps.push_back(app);
  std::ranges::stable_sort(apps, std::ranges::greater(), priority_of);
  std::vector<std::string> names;
  for (const AppPtr& app : apps) names.push_back(app->name());
  std::vector<AppPtr> order;
  for (const std::string& name : spec::in_order(names, waiting_apps())) order.push_back(node_.apps.at(name));
  return order;
}

/// Which apps come before each, as their active releases say.
spec::Waiting Engine::waiting_apps() const {
  spec::Waiting waiting;
  for (const auto& [name, app] : node_.apps) {
    const ManifestPtr active = app->active();
    waiting[name] = active ? active->spec.deploy.after : std::vector<std::string>();
  }
  return waiting;
}

/// What should run of every app, a few instances at a time. An app that waits for others, or has processes that do, goes on by itself: it holds up none but those
/// that wait for it.
awaitable<void> Engine::start_apps() {
  const std::vector<AppPtr> apps = in_start_order();
  for (auto first = apps.begin(); first != apps.end() && !node_.closed;) {
    const auto differs = [priority = priority_of(*first)](const AppPtr& app) { return priority_of(app) != priority; };
    const auto end = std::find_if(first, apps.end(), differs);
    const auto alike = std::make_shared<AppsToStart>();
    alike->left.assign(first, end);
    std::vector<awaitable<void>> turns;
    for (int i = 0; i < kAppsAtOnce; ++i) turns.push_back(start_in_turn(alike));
    co_await node_.at_once(std::move(turns));
    first = end;
  }
}

/// Apps of one priority, until none is left. Several do this at once: while one app waits for the disk or for its keeper, another goes on. Each begins when the
/// instances of the one before it have their places, so that they get them in order.
awaitable<void> Engine::start_in_turn(std::shared_ptr<AppsToStart> apps) {
  const auto starting = members_.begin_node();
  for (;;) {
    while (!node_.closed && apps->last && apps->last->unplaced > 0) {
      const AppPtr last = apps->last;
      co_await last->changed.wait(1s);
    }
    if (node_.closed || apps->left.empty()) co_return;
    const AppPtr app = apps->left.front();
    apps->left.pop_front();
    const ManifestPtr active = app->active();
    if (active && waits_for_others(*active)) {
      node_.spawn(start_later(app, starting));
      continue;
    }
    apps->last = app;
    app->unplaced = active ? instances_of(*active) : 0;
    co_await start_one(app);
    app->unplaced = 0;
    app->changed.notify();
  }
}

awaitable<void> Engine::start_one(AppPtr app) {
  const Turn turn = co_await node_.take(app);
  if (!node_.closed && !app->gone) co_await bring_up(app);
  app->up = true;
}

awaitable<void> Engine::start_later(AppPtr app, std::shared_ptr<StartingNode> starting) {
  co_await start_one(app);
  if (ready_) drive(app);  // else `start` does, with all the others
  static_cast<void>(starting);
}

/// Waits until the apps are ready that the release comes after. Nothing waits in a circle: that is an error at once.
awaitable<Result<void>> Engine::await_apps(AppPtr app, ManifestPtr manifest, RunPtr run) {
  const std::vector<std::string> after = manifest->spec.deploy.after;
  if (after.empty()) co_return Result<void>();
  spec::Waiting waiting = waiting_apps();
  waiting[app->name()] = after;
  if (const auto circle = spec::circle_of(app->name(), waiting); !circle.empty())
    co_return fail(Errc::conflict, fmt::format("apps wait for each other ([deploy] after): {}", fmt::join(circle, " after ")));
  const milliseconds at_most = manifest->spec.deploy.ready_timeout;
  const auto end = Steady::now() + at_most;
  for (const std::string& name : after) {
    for (;;) {
      if (node_.closed || (run && !run->cancelled_by.empty())) co_return fail(Errc::cancelled, "cancelled");
      const AppPtr other = node_.find(name);
      const std::string why = why_unready(name, other, node_.supervisor);
      if (why.empty()) break;
      const auto left = std::chrono::ceil<milliseconds>(end - Steady::now());
      if (left <= 0ms) co_return fail(Errc::timeout, fmt::format("{} starts after {} ([deploy] after), and within {} that was not ready: {}", app->name(), name,
                                                                 spec::to_string(at_most), why));
      const AppPtr watched = other ? other : app;
      co_await watched->changed.wait(std::min<milliseconds>(left, kLookAgain));
    }
  }
  co_return Result<void>();
}

}  // namespace berth::deploy
