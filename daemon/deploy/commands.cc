#include <algorithm>

#include <fmt/core.h>

#include "core/files/files.h"
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

boost::json::object data_of(const InstanceSelector& what) { return {{"what", text_of(what)}}; }

}  // namespace

milliseconds Engine::drain_of(const App& app) const {
  const ManifestPtr active = app.active();
  return active ? active->spec.deploy.drain : milliseconds(30'000);
}

/// The instances of the active release that `what` names; at least one.
Result<std::vector<InstanceId>> Engine::selected(const App& app, const InstanceSelector& what) const {
  std::vector<InstanceId> ids;
  for (const InstanceId& id : members_of(app, app.row.active))
    if (what.matches(id)) ids.push_back(id);
  if (ids.empty() && is_job(app, what)) {
    return fail(Errc::usage, fmt::format("{} is a job, which is neither started nor restarted: 'berth run-job {}/{}' runs it, 'berth stop {}/{}' ends a run", text_of(what),
                                         app.name(), *what.process, app.name(), *what.process));
  }
  if (ids.empty()) {
    return fail(Errc::not_found,
                fmt::format("{} names no instance of {}@{}; 'berth status {}' lists them", text_of(what), app.name(), app.row.active, app.name()));
  }
  return ids;
}

awaitable<Result<void>> Engine::stop_app(InstanceSelector what, Asked asked) {
  const auto app = known(what.app);
  if (!app) co_return std::unexpected(app.error());
  if (is_job(**app, what)) {
    const auto job = (*app)->jobs.find(*what.process);
    if (job == (*app)->jobs.end() || !job->second->row.running()) co_return fail(Errc::conflict, fmt::format("{} is a job, and does not run", text_of(what)));
    auto stopped = co_await stop_job(*app, job->second, asked);
    co_return stopped;
  }
  if (auto free = nothing_under_way(**app, "stopping it"); !free) co_return free;
  if (is_whole(what)) {
    auto stopped = co_await stop_all(*app, asked);
    co_return stopped;
  }
  const auto ids = selected(**app, what);
  if (!ids) co_return std::unexpected(ids.error());
  const Turn turn = co_await take(*app);
  const Quiet quiet(*app);
  const auto write = [this, rows = rows_of(**app, *ids), event = operator_event("stop", what.app, asked, data_of(what))] { return store_.set_paused(rows, true, event); };
  auto written = co_await pool_.run(write);
  if (!written) co_return written;
  for (Member& member : (*app)->members)
    if (std::ranges::find(*ids, member.id()) != ids->end()) member.row.paused = true;
  auto paused = co_await pause_members(*app, *ids);
  co_return paused;
}

/// The whole app, also over restarts of berthd.
awaitable<Result<void>> Engine::stop_all(AppPtr app, Asked asked) {
  const std::string why = app->name() + " was stopped by hand";
  co_await end_deployments(app, why, false);
  const Turn turn = co_await take(app);
  const Quiet quiet(app);
  const auto stop = [this, name = app->name(), asked] { return store_.set_stopped(name, true, operator_event("stop", name, asked)); };
  auto stopped = co_await pool_.run(stop);
  if (!stopped) co_return stopped;
  app->row.stopped = true;
  if (app->run) app->run->changed.notify();
  const std::string none;
  co_await stop_all_but(app, none, drain_of(*app));
  co_return Result<void>();
}

/// Stops single instances whose rows say so: they stay known, and stopped until somebody starts them or a deployment comes.
awaitable<Result<void>> Engine::pause_members(AppPtr app, std::vector<InstanceId> ids) {
  static_cast<void>(co_await route(app));
  co_await drain(app, ids, drain_of(*app));
  const auto outcome = std::make_shared<Result<void>>();
  std::vector<awaitable<void>> stops;
  for (const InstanceId& id : ids) stops.push_back(pause_member(app, id, outcome));
  co_await at_once(std::move(stops));
  if (closed_) co_return fail(Errc::cancelled, "berthd stops");
  co_return *outcome;
}

awaitable<void> Engine::pause_member(AppPtr app, InstanceId id, std::shared_ptr<Result<void>> outcome) {
  auto stopped = co_await stop_instance(app, id);
  const auto remove = [this, id] { return remove_folders(options_.node, id); };  // its secrets; a start makes them anew
  if (stopped) stopped = co_await pool_.run(remove);
  if (!stopped && *outcome) *outcome = stopped;
}

awaitable<Result<void>> Engine::start_app(InstanceSelector what, Asked asked) {
  const auto found = known(what.app);
  if (!found) co_return std::unexpected(found.error());
  const AppPtr app = *found;
  if (auto open = not_drained(); !open) co_return open;
  if (auto free = nothing_under_way(*app, "starting it"); !free) co_return free;
  const ManifestPtr active = app->active();
  if (!active) co_return fail(Errc::conflict, fmt::format("{} has no active release; deploy one", app->name()));
  if (!is_whole(what) && app->row.stopped)
    co_return fail(Errc::conflict, fmt::format("{} is stopped as a whole: 'berth start {}' starts all of it", app->name(), app->name()));
  if (!is_whole(what)) {
    if (const auto ids = selected(*app, what); !ids) co_return std::unexpected(ids.error());
  }
  const Turn turn = co_await take(app);
  if (auto open = not_drained(); !open) co_return open;  // meanwhile
  auto finished = co_await finish_pending_data(app);
  if (!finished) co_return finished;
  std::vector<InstanceId> chosen;
  for (const Member& member : app->members)
    if (what.matches(member.id())) chosen.push_back(member.id());
  const auto start = [this, name = app->name(), asked, what, rows = rows_of(*app, chosen)]() -> Result<void> {
    if (is_whole(what)) BERTH_CHECK(store_.set_stopped(name, false, operator_event("start", name, asked)));
    return store_.set_paused(rows, false, is_whole(what) ? std::nullopt : std::optional(operator_event("start", name, asked, data_of(what))));
  };
  auto started = co_await pool_.run(start);
  if (!started) co_return started;
  app->row.stopped = false;
  app->changed.notify();
  for (Member& member : app->members)
    if (what.matches(member.id())) member.row.paused = false;
  app->routed = app->row.active;
  auto up = co_await claim(app, active);
  if (up) up = co_await start_release(app, active, nullptr);
  static_cast<void>(co_await route(app));
  settled_(app->name());
  up = co_await begin_healing(app, std::move(up));
  co_return up;
}

/// One after the other, so that an app of several instances goes on serving. Secrets and configuration are looked up anew.
awaitable<Result<void>> Engine::restart_app(InstanceSelector what, Asked asked) {
  const auto found = known(what.app);
  if (!found) co_return std::unexpected(found.error());
  const AppPtr app = *found;
  if (auto open = not_drained(); !open) co_return open;
  if (auto free = nothing_under_way(*app, "restarting it"); !free) co_return free;
  const ManifestPtr active = app->active();
  if (!active || app->row.stopped) co_return fail(Errc::conflict, fmt::format("{} does not run: 'berth start {}'", app->name(), app->name()));
  const auto ids = selected(*app, what);
  if (!ids) co_return std::unexpected(ids.error());
  const Turn turn = co_await take(app);
  if (auto open = not_drained(); !open) co_return open;  // meanwhile
  const Quiet quiet(app);
  const store::Event event = operator_event("restart", what.app, asked, data_of(what));
  co_await tell(event);
  const std::string reason = asked.why.empty() ? "by " + asked.by : asked.why;
  const std::vector<std::string> order = spec::start_order(active->spec);
  std::vector<InstanceId> in_order = *ids;
  std::ranges::stable_sort(in_order, {}, [&order](const InstanceId& id) { return std::ranges::find(order, id.process) - order.begin(); });
  for (const InstanceId& id : in_order) {
    const auto awaited = co_await await_processes(app, active, id.process, nullptr);
    if (closed_) co_return fail(Errc::cancelled, "berthd stops");
    if (!awaited) co_await tell_unawaited(app, awaited.error());
    auto restarted = co_await restart_one(app, active, id, reason);
    if (restarted || closed_) continue;
    const bool runs = supervisor_.status(id).has_value();
    if (!runs) restarted = co_await begin_healing(app, std::move(restarted));
    co_return restarted;
  }
  if (closed_) co_return fail(Errc::cancelled, "berthd stops");
  co_return Result<void>();
}

awaitable<Result<void>> Engine::restart_one(AppPtr app, ManifestPtr manifest, InstanceId id, std::string reason) {
  auto finished = co_await finish_pending_data(app);
  if (!finished) co_return finished;
  const auto member = std::ranges::find(app->members, id, &Member::id);
  if (member == app->members.end() || member->row.paused) co_return Result<void>();
  const store::InstanceRow row = member->row;
  const auto beside = std::ranges::count_if(app->members, [&](const Member& other) {
    return other.row.process == id.process && other.row.release == id.release && !other.row.paused;
  });
  if (beside > 1) {
    member->leaving = true;
    static_cast<void>(co_await route(app));
    const std::vector<InstanceId> alone{id};
    co_await drain(app, alone, drain_of(*app));
  }
  auto planned = co_await make_plan(app, manifest, row);
  Result<void> restarted;
  if (!planned) restarted = std::unexpected(planned.error());
  if (planned) restarted = co_await supervisor_.ensure(std::move(planned->plan));
  if (restarted) restarted = co_await supervisor_.restart(id, reason);
  const auto again = std::ranges::find(app->members, id, &Member::id);
  if (again != app->members.end()) again->leaving = false;
  if (again != app->members.end()) again->lacks = restarted ? std::string() : restarted.error().message;
  // What the caller named is there; it is the node that lacks something.
  if (!restarted && (restarted.error().code == Errc::not_found || restarted.error().code == Errc::permission)) restarted.error().code = Errc::io;
  if (!restarted && !planned && supervisor_.status(id)) restarted.error().message += "; it goes on as it is";
  if (restarted && beside > 1) static_cast<void>(co_await wait_ready(app, id.release, nullptr, manifest->spec.deploy.ready_timeout));
  static_cast<void>(co_await route(app));
  co_return restarted;
}

awaitable<Result<void>> Engine::scale(std::string name, std::string process, int instances, Asked asked) {
  const auto found = known(name);
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
  const Turn turn = co_await take(app);
  auto finished = co_await finish_pending_data(app);
  if (!finished) co_return finished;
  const auto write = [this, name, process, instances, said = rules->second.instances, asked] {
    const boost::json::object data{{"process", process}, {"instances", instances}};
    return store_.set_scale(name, process, instances, said, operator_event("scale", name, asked, data));
  };
  auto written = co_await pool_.run(write);
  if (!written || app->row.stopped || drained_) co_return written;
  std::vector<InstanceId> surplus;
  for (const InstanceId& id : members_of(*app, active->release))
    if (id.process == process && id.number > instances) surplus.push_back(id);
  const Quiet quiet(app);
  co_await stop_members(app, surplus, drain_of(*app));
  auto started = co_await start_release(app, active, nullptr);
  static_cast<void>(co_await route(app));
  started = co_await begin_healing(app, std::move(started));
  co_return started;
}

awaitable<Result<void>> Engine::pin(std::string name, std::string release, bool pinned, Asked asked) {
  const auto app = known(name);
  if (!app) co_return std::unexpected(app.error());
  const auto write = [this, name, release, pinned, asked] {
    const boost::json::object data{{"release", release}};
    return store_.set_pinned(name, release, pinned, operator_event(pinned ? "pin" : "unpin", name, asked, data));
  };
  auto written = co_await pool_.run(write);
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
  while (app->run && !closed_) {
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
  if (newcomers_.contains(name)) co_return fail(Errc::conflict, fmt::format("{} is being deployed; 'berth status' shows it", name));
  const boost::json::object data{{"purge", true}};
  const auto purge = [this, name, event = operator_event("remove", name, asked, data)]() -> Result<void> {
    const std::filesystem::path logs = store_.paths().logs / name;
    std::error_code error;
    const bool has_logs = std::filesystem::is_directory(std::filesystem::symlink_status(logs, error));
    auto purged = store_.purge_left(name, event);
    if (!purged && purged.error().code == Errc::not_found && has_logs) purged = store_.add_event(event);
    if (!purged) return purged;
    return files::remove_tree(logs);
  };
  auto purged = co_await pool_.run(purge);
  co_return purged;
}

/// Nothing that somebody said or began goes unasked.
Result<void> Engine::may_remove(const App& app) const {
  if (app.row.held.firm)  // what a revert held ends by a newer release, too
    return fail(Errc::conflict, fmt::format("{} is held ({}), and its hold would go with it: 'berth resume {}' first, or remove it with --force", app.name(),
                                            to_string(app.row.held), app.name()));
  return nothing_under_way(app, "removing it; --force cancels it");
}

awaitable<Result<void>> Engine::remove(std::string name, bool purge, bool force, Asked asked) {
  const auto found = known(name);
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
  const Turn turn = co_await take(app);
  if (app->gone) co_return fail(Errc::not_found, fmt::format("app {} is not on this node", name));
  const Quiet quiet(app);
  const NoExecs no_execs(app);
  const milliseconds drain = drain_of(*app);
  app->routed.clear();
  const std::string none;
  co_await stop_all_but(app, none, drain);
  co_await end_execs(app);
  co_await stop_strangers(app);
  co_await give_up_unused(app, nullptr);
  const boost::json::object data{{"purge", purge}};
  const auto forget = [this, name, purge, event = operator_event("remove", name, asked, data)]() -> Result<void> {
    BERTH_CHECK(store_.remove_app(name, purge, event));
    if (!purge) return {};
    return files::remove_tree(store_.paths().logs / name);
  };
  auto forgotten = co_await pool_.run(forget);
  if (!forgotten && !closed_) {
    // It is there still, as before.
    app->routed = app->row.active;
    note_problem(*app, forgotten.error().message);
    spawn(heal(app));
    co_return std::unexpected(Error{forgotten.error().code, forgotten.error().message + "; the app is started again"});
  }
  if (!forgotten) co_return forgotten;
  app->gone = true;
  apps_.erase(name);
  counts_.forget(name);
  app->changed.notify();
  co_return Result<void>();
}

awaitable<Result<Collected>> Engine::collect(std::string name, Asked asked) {
  std::vector<AppPtr> chosen;
  if (name.empty()) {
    for (const auto& [each, app] : apps_) chosen.push_back(app);
  } else {
    const auto app = known(name);
    if (!app) co_return std::unexpected(app.error());
    chosen.push_back(*app);
  }
  Collected removed;
  for (const AppPtr& app : chosen) {
    std::vector<std::string> in_use = releases_in_use(*app);
    std::vector<RunPtr> runs(app->queue.begin(), app->queue.end());
    if (app->run) runs.push_back(app->run);
    runs.insert(runs.end(), app->giving_way.begin(), app->giving_way.end());
    std::vector<std::int64_t> under_way;
    for (const RunPtr& run : runs) {
      in_use.insert(in_use.end(), {run->row.release, run->row.from});
      if (is_terminal(run->position.state)) continue;  // it only tidies up
      under_way.push_back(run->row.id);
      // A revert's copy has the number of the deployment that made it.
      const auto* puts_back = run->row.detail.if_contains("puts_back_of");
      if (puts_back != nullptr && puts_back->is_int64()) under_way.push_back(puts_back->get_int64());
    }
    const auto collect = [this, each = app->name(), in_use, under_way]() -> Result<Collected> {
      Collected collected;
      BERTH_TRY(collected.slots, store_.collect(each, in_use, options_.keep_releases));
      BERTH_TRY(collected.imports, store_.drop_imports(each, in_use, true));
      BERTH_TRY(collected.data, store_.collect_data(each, under_way, true));
      return collected;
    };
    const auto collected = co_await pool_.run(collect);
    if (!collected) co_return std::unexpected(collected.error());
    for (const store::SlotRow& slot : collected->slots) app->manifests.erase(slot.release);
    removed.slots.insert(removed.slots.end(), collected->slots.begin(), collected->slots.end());
    removed.data.insert(removed.data.end(), collected->data.begin(), collected->data.end());
    removed.imports.insert(removed.imports.end(), collected->imports.begin(), collected->imports.end());
  }
  if (name.empty() && repository_ != nullptr) {
    const auto clear = [this] { return repository_->partial_blobs().clear(); };
    const fetch::PartialBlobs::Removed cleared = co_await pool_.run(clear);
    removed.partial_blobs = cleared.blobs;
    removed.partial_bytes = cleared.bytes;
  }
  const boost::json::object data{{"slots", removed.slots.size()}, {"data", removed.data.size()}, {"imports", removed.imports.size()},
                                 {"partial", removed.partial_blobs}};
  const store::Event event = operator_event("gc", name, asked, data);
  if (!removed.slots.empty() || !removed.data.empty() || !removed.imports.empty() || removed.partial_blobs > 0) co_await tell(event);
  co_return removed;
}

}  // namespace berth::deploy
