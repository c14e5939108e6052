#include <algorithm>
#include <set>

#include <fmt/core.h>
#include <spdlog/spdlog.h>

#include "daemon/deploy/engine.h"
#include "daemon/deploy/instance_plan.h"

namespace berth::deploy {
namespace {

using namespace std::chrono_literals;

constexpr int kMostInstances = 256;  // as in a spec

bool is_whole(const InstanceSelector& what) { return !what.process && !what.number; }

std::string text_of(const InstanceSelector& what) {
  std::string text = what.app;
  if (what.process) text += "/" + *what.process;
  if (what.number) text += fmt::format(".{}", *what.number);
  return text;
}

std::vector<store::InstanceRow> rows_of(const App& app, const std::vector<InstanceId>& ids) {
  std::vector<store::InstanceRow> rows;
  for (const Member& member : app.members)
    if (std::ranges::find(ids, member.id()) != ids.end()) rows.push_back(member.row);
  return rows;
}

InstanceId id_of(const store::InstanceRow& row) { return {row.app, row.process, row.number, row.release}; }

/// Whether a process of it does.
bool runs(const supervise::Supervisor& supervisor, const InstanceId& id) {
  const auto status = supervisor.status(id);
  return status && status->pid != 0;
}

boost::json::object data_of(const InstanceSelector& what) { return {{"what", text_of(what)}}; }

}  // namespace

/// The instances of the active release that `what` names; at least one.
Result<std::vector<InstanceId>> Engine::selected(const App& app, const InstanceSelector& what) const {
  std::vector<InstanceId> ids;
  for (const InstanceId& id : members_of(app, app.row.active))
    if (what.matches(id)) ids.push_back(id);
  if (ids.empty() && is_job(app, what)) {
    return fail(Errc::usage, fmt::format("{} is a job, which is neither started nor restarted: 'berth run-job {}/{}' runs it, 'berth stop {}/{}' ends a run", text_of(what),
                                         app.name(), *what.process, app.name(), *what.process));
  }
  if (ids.empty() && app.row.stopped)
    return fail(Errc::conflict, fmt::format("{0} is {1} as a whole, and none of its instances runs: 'berth start {0}' starts it", app.name(), store::stopped_text(app.row)));
  if (ids.empty()) {
    return fail(Errc::not_found,
                fmt::format("{} names no instance of {}@{}; 'berth status {}' lists them", text_of(what), app.name(), app.row.active, app.name()));
  }
  return ids;
}

awaitable<Result<void>> Engine::stop_app(InstanceSelector what, Asked asked) {
  const auto app = node_.known(what.app);
  if (!app) co_return std::unexpected(app.error());
  if (is_job(**app, what)) {
    const auto job = (*app)->jobs.find(*what.process);
    if (job == (*app)->jobs.end() || !job->second->row.running()) co_return fail(Errc::conflict, fmt::format("{} is a job, and does not run", text_of(what)));
    auto stopped = co_await jobs_.stop(*app, job->second, asked);
    co_return stopped;
  }
  if (auto free = nothing_under_way(**app, "stopping it"); !free) co_return free;
  if (is_whole(what)) {
    auto stopped = co_await stop_all(*app, asked);
    co_return stopped;
  }
  const auto ids = selected(**app, what);
  if (!ids) co_return std::unexpected(ids.error());
  const Turn turn = co_await node_.take(*app);
  const Quiet quiet(*app);
  auto rows = rows_of(**app, *ids);
  const auto is_said = [&asked](const store::InstanceRow& row) { return row.paused && (asked.why.empty() || asked.why == row.stop.why); };  // as with a hold
  std::erase_if(rows, is_said);
  const store::Stop said{.at = store::now_text(), .by = asked.by, .why = asked.why};
  const auto write = [this, rows, said, event = operator_event("stop", what.app, asked, data_of(what))] { return node_.store.set_paused(rows, said, event); };
  Result<void> written;
  if (!rows.empty()) written = co_await node_.pool.run(write);
  if (!written) co_return written;
  for (Member& member : (*app)->members) {
    if (std::ranges::none_of(rows, [&member](const store::InstanceRow& row) { return id_of(row) == member.id(); })) continue;
    member.row.paused = true;
    member.row.stop = said;
  }
  auto paused = co_await members_.pause(*app, *ids);
  co_return paused;
}

/// The whole app, also over restarts of berthd.
awaitable<Result<void>> Engine::stop_all(AppPtr app, Asked asked) {
  const std::string why = app->name() + " was stopped by hand";
  co_await end_deployments(app, why, false);
  const Turn turn = co_await node_.take(app);
  const Quiet quiet(app);
  if (const bool is_said = app->row.stopped && (asked.why.empty() || asked.why == app->row.stop.why); !is_said) {  // as with a hold
    const store::Stop said{.at = store::now_text(), .by = asked.by, .why = asked.why};
    const auto stop = [this, name = app->name(), said, asked] { return node_.store.set_stopped(name, said, operator_event("stop", name, asked)); };
    auto stopped = co_await node_.pool.run(stop);
    if (!stopped) co_return stopped;
    app->row.stopped = true;
    app->row.stop = said;
  }
  if (app->run) app->run->changed.notify();
  const std::string none;
  co_await members_.stop_all_but(app, none, drain_of(*app));
  co_return Result<void>();
}

awaitable<Result<void>> Engine::start_app(InstanceSelector what, Asked asked) {
  const auto found = node_.known(what.app);
  if (!found) co_return std::unexpected(found.error());
  const AppPtr app = *found;
  if (auto open = node_.not_drained(); !open) co_return open;
  if (auto free = nothing_under_way(*app, "starting it"); !free) co_return free;
  const ManifestPtr active = app->active();
  if (!active) co_return fail(Errc::conflict, fmt::format("{} has no active release; deploy one", app->name()));
  if (!is_whole(what) && app->row.stopped)
    co_return fail(Errc::conflict, fmt::format("{} is {} as a whole: 'berth start {}' starts all of it", app->name(), store::stopped_text(app->row), app->name()));
  if (!is_whole(what)) {
    if (const auto ids = selected(*app, what); !ids) co_return std::unexpected(ids.error());
  }
  const Turn turn = co_await node_.take(app);
  if (auto open = node_.not_drained(); !open) co_return open;  // meanwhile
  auto finished = co_await finish_pending_data(node_, app);
  if (!finished) co_return finished;
  std::vector<InstanceId> chosen;
  for (const Member& member : app->members)
    if (what.matches(member.id())) chosen.push_back(member.id());
  const bool is_up = !app->row.stopped && !chosen.empty() && std::ranges::all_of(app->members, [&](const Member& member) {
    return !what.matches(member.id()) || (!member.row.paused && runs(node_.supervisor, member.id()));
  });
  const auto start = [this, name = app->name(), asked, what, rows = rows_of(*app, chosen)]() -> Result<void> {
    if (is_whole(what)) BERTH_CHECK(node_.store.set_stopped(name, std::nullopt, operator_event("start", name, asked)));
    return node_.store.set_paused(rows, std::nullopt, is_whole(what) ? std::nullopt : std::optional(operator_event("start", name, asked, data_of(what))));
  };
  Result<void> started;
  if (!is_up) started = co_await node_.pool.run(start);
  if (!started) co_return started;
  app->row.stopped = false;
  app->row.stop = {};
  app->changed.notify();
  for (Member& member : app->members) {
    if (!what.matches(member.id())) continue;
    member.row.paused = false;
    member.row.stop = {};
  }
  app->routed = app->row.active;
  auto up = co_await routes_.claim(app, active);
  if (up) up = co_await members_.start_release(app, active, nullptr);
  static_cast<void>(co_await routes_.lead(app));
  settled_(app->name());
  up = co_await members_.begin_healing(app, std::move(up));
  co_return up;
}

/// One after the other, so that an app of several instances goes on serving. Secrets and configuration are looked up anew.
awaitable<Result<void>> Engine::restart_app(InstanceSelector what, Asked asked) {
  const auto found = node_.known(what.app);
  if (!found) co_return std::unexpected(found.error());
  const AppPtr app = *found;
  if (auto open = node_.not_drained(); !open) co_return open;
  if (auto free = nothing_under_way(*app, "restarting it"); !free) co_return free;
  const ManifestPtr active = app->active();
  if (!active || app->row.stopped) co_return fail(Errc::conflict, fmt::format("{} does not run: 'berth start {}'", app->name(), app->name()));
  const auto ids = selected(*app, what);
  if (!ids) co_return std::unexpected(ids.error());
  const Turn turn = co_await node_.take(app);
  if (auto open = node_.not_drained(); !open) co_return open;  // meanwhile
  std::vector<InstanceId> in_order = *ids;
  std::erase_if(in_order, [&app](const InstanceId& id) { return is_paused(*app, id); });
  if (in_order.empty()) co_return fail(Errc::conflict, fmt::format("{0} was stopped by hand: 'berth start {0}' starts it", text_of(what)));
  const Quiet quiet(app);
  const store::Event event = operator_event("restart", what.app, asked, data_of(what));
  if (auto written = co_await node_.write_down(event); !written) co_return written;
  const std::string reason = asked.why.empty() ? "by " + asked.by : asked.why;
  const std::vector<std::string> order = spec::start_order(active->spec);
  std::ranges::stable_sort(in_order, {}, [&order](const InstanceId& id) { return std::ranges::find(order, id.process) - order.begin(); });
  for (const InstanceId& id : in_order) {
    const auto awaited = co_await members_.await_processes(app, active, id.process, nullptr);
    if (node_.closed) co_return fail(Errc::cancelled, "berthd stops");
    if (!awaited) co_await members_.tell_unawaited(app, awaited.error());
    auto restarted = co_await members_.restart(app, active, id, reason);
    if (restarted || node_.closed) continue;
    const bool runs = node_.supervisor.status(id).has_value();
    if (!runs) restarted = co_await members_.begin_healing(app, std::move(restarted));
    co_return restarted;
  }
  if (node_.closed) co_return fail(Errc::cancelled, "berthd stops");
  co_return Result<void>();
}

awaitable<Result<void>> Engine::scale(std::string name, std::string process, int instances, Asked asked) {
  const auto found = node_.known(name);
  if (!found) co_return std::unexpected(found.error());
  const AppPtr app = *found;
  if (instances < 0 || instances > kMostInstances)
    co_return fail(Errc::usage, fmt::format("{} instances of {}/{}: it can have 0 to {}", instances, name, process, kMostInstances));
  if (auto free = nothing_under_way(*app, "scaling it"); !free) co_return free;
  const ManifestPtr active = app->active();
  if (!active) co_return fail(Errc::conflict, fmt::format("{} has no active release to scale", name));
  const auto rules = active->spec.processes.find(process);
  if (rules == active->spec.processes.end())
    co_return fail(Errc::not_found, fmt::format("{}@{} has no process '{}'; 'berth status {}' lists them", name, active->release, process, name));
  if (rules->second.job) co_return fail(Errc::usage, fmt::format("{}/{} is a job: one of it runs at a time, by 'berth run-job {}/{}'", name, process, name, process));
  if (instances == 0 && rules->second.routing != spec::Routing::none)
    co_return fail(Errc::usage, fmt::format("{}/{} is reached at port {}, so that it needs at least 1 instance; 'berth stop {}/{}' stops it until 'berth start'",
                                            name, process, rules->second.public_port, name, process));
  const Turn turn = co_await node_.take(app);
  auto finished = co_await finish_pending_data(node_, app);
  if (!finished) co_return finished;
  const auto write = [this, name, process, instances, said = rules->second.instances, asked]() -> Result<void> {
    BERTH_TRY(const auto before, node_.store.scale(name, process));
    if (before && *before == std::pair(instances, said)) return {};  // what does not run is started all the same
    const boost::json::object data{{"process", process}, {"instances", instances}, {"spec_instances", said}};
    return node_.store.set_scale(name, process, instances, said, operator_event("scale", name, asked, data));
  };
  auto written = co_await node_.pool.run(write);
  if (!written || app->row.stopped || node_.drained) co_return written;
  std::vector<InstanceId> surplus;
  for (const InstanceId& id : members_of(*app, active->release))
    if (id.process == process && id.number > instances) surplus.push_back(id);
  const Quiet quiet(app);
  co_await members_.stop(app, surplus, drain_of(*app));
  auto started = co_await members_.start_release(app, active, nullptr);
  static_cast<void>(co_await routes_.lead(app));
  started = co_await members_.begin_healing(app, std::move(started));
  co_return started;
}

awaitable<Result<void>> Engine::pin(std::string name, std::string release, bool pinned, Asked asked) {
  const auto app = node_.known(name);
  if (!app) co_return std::unexpected(app.error());
  const auto write = [this, name, release, pinned, asked] {
    const boost::json::object data{{"release", release}};
    return node_.store.set_pinned(name, release, pinned, operator_event(pinned ? "pin" : "unpin", name, asked, data));
  };
  auto written = co_await node_.pool.run(write);
  if (written && !pinned) settled_(name);
  co_return written;
}

/// Cancels what is not decided, and waits until no deployment of the app is under way. A bake goes on when the app runs again, or ends, too.
awaitable<void> Engine::end_deployments(AppPtr app, std::string why, bool bakes_too) {
  const std::vector<RunPtr> waiting = take_undecided(*app);
  for (const RunPtr& run : waiting) {
    run->cancelled_by = why;
    co_await move(app, run, Happening::cancelled);
  }
  while (app->run && !node_.closed) {
    const bool bakes = app->run->position.state == State::baking;
    if (bakes && !bakes_too && app->run->superseded.empty()) co_return app->run->changed.notify();
    if (!bakes || bakes_too) app->run->superseded = why;
    if (bakes_too) app->run->ends_bake = true;
    if (!app->run->position.decided) {
      app->run->cancelled_by = why;
      app->run->stop.request_stop();
    }
    app->run->changed.notify();
    app->changed.notify();
    co_await app->changed.wait(1h);
  }
}

/// What an app left that was removed before, without its data.
awaitable<Result<void>> Engine::purge_left(std::string name, Asked asked) {
  if (node_.newcomers.contains(name)) co_return fail(Errc::conflict, fmt::format("{} is being deployed; 'berth status' shows it", name));
  const boost::json::object data{{"purge", true}};
  const auto purge = [this, name, event = operator_event("remove", name, asked, data)] { return node_.store.purge_left(name, event); };
  const auto purged = co_await node_.pool.run(purge);
  if (!purged) co_return std::unexpected(purged.error());
  remove_rest(name, *purged);
  co_return Result<void>();
}

/// Nothing that somebody said or began goes unasked.
Result<void> Engine::may_remove(const App& app) const {
  if (app.row.held.firm)  // what a revert held ends by a newer release, too
    return fail(Errc::conflict, fmt::format("{} is held ({}), and its hold would go with it: 'berth resume {}' first, or remove it with --force", app.name(),
                                            to_string(app.row.held), app.name()));
  return nothing_under_way(app, "removing it; --force cancels it");
}

awaitable<Result<void>> Engine::remove(std::string name, bool purge, bool force, Asked asked) {
  const auto found = node_.known(name);
  if (!found && purge && is_name(name)) {
    auto purged = co_await purge_left(name, asked);
    const bool nothing = !purged && purged.error().code == Errc::not_found;
    if (!nothing) co_return purged;
  }
  if (!found) co_return std::unexpected(found.error());
  const AppPtr app = *found;
  if (auto may = may_remove(*app); !may && !force) co_return may;
  const std::string why = name + " was removed";
  co_await end_deployments(app, why, true);
  const Turn turn = co_await node_.take(app);
  if (app->gone) co_return std::unexpected(node_.known(name).error());  // somebody else was faster
  const Quiet quiet(app);
  const NoExecs no_execs(app);
  const milliseconds drain = drain_of(*app);
  app->routed.clear();
  const std::string none;
  co_await members_.stop_all_but(app, none, drain);
  co_await execs_.end_all(app);
  co_await members_.stop_strangers(app);
  co_await routes_.give_up_but(app, nullptr);
  const boost::json::object data{{"purge", purge}};
  const auto forget = [this, name, purge, event = operator_event("remove", name, asked, data)] { return node_.store.remove_app(name, purge, event); };
  auto forgotten = co_await node_.pool.run(forget);
  if (!forgotten && !node_.closed) {
    // It is there still, as before.
    app->routed = app->row.active;
    note_problem(*app, forgotten.error().message);
    node_.spawn(members_.heal(app));
    co_return std::unexpected(Error{forgotten.error().code, forgotten.error().message + "; the app is started again"});
  }
  if (!forgotten) co_return std::unexpected(forgotten.error());
  app->gone = true;
  node_.apps.erase(name);
  node_.counts.forget(name);
  app->changed.notify();
  remove_rest(name, *forgotten);
  co_return Result<void>();
}

/// What of an app that was removed the disk did not let go yet: that changes nothing about what was answered.
void Engine::remove_rest(const std::string& name, const store::Removed& removed) {
  if (removed.left.empty()) return;
  spdlog::warn("{} was removed, and something of it is there still, which is tried again: {}", name, removed.left);
  remove_rests_later();
}

void Engine::remove_rests_later() {
  if (!removes_rests_) node_.spawn(remove_rests());
}

awaitable<void> Engine::remove_rests() {
  removes_rests_ = true;
  const auto remove = [this] { return node_.store.remove_rests(); };
  for (auto pause = 1s; !node_.closed; pause = std::min(pause * 2, 60s)) {
    co_await io::sleep_for(pause);
    if (node_.closed) break;
    const auto removed = co_await node_.pool.run(remove);
    if (removed) break;
    spdlog::warn("what was to be removed is there still: {}", removed.error().message);
  }
  removes_rests_ = false;
}

}  // namespace berth::deploy
