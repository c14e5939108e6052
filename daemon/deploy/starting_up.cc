#include <algorithm>

#include <fmt/core.h>
#include <spdlog/spdlog.h>

#include "core/logs/record_time.h"
#include "daemon/deploy/engine.h"
#include "daemon/deploy/instance_plan.h"

namespace berth::deploy {
namespace {

using namespace std::chrono_literals;

/// Whether instances of two releases were left between the decision and the end of the switch.
bool is_torn(const Run& run) { return run.course.gradual && run.position == Position{State::switching, true}; }

/// How often in a row the newest deployments, of this release all, ended so before.
int torn_before(const std::vector<store::DeploymentRow>& deployments, const std::string& release) {
  int times = 0;
  for (const store::DeploymentRow& row : deployments) {
    if (row.ended_at.empty()) continue;
    if (row.release != release || !row.detail.contains("torn")) break;
    ++times;
  }
  return times;
}

/// Whether the deployment itself brings its instances up: starting the active release beside it would run two that must not run at once, or one
/// that is being left.
bool starts_by_itself(const Run& run) {
  if (run.position.state == State::baking && !run.trouble.empty()) return true;
  return run.position.state == State::reverting || is_torn(run) || (run.position.decided && run.course.stop_first && run.position.state != State::baking);
}

/// Of several deployments that are written down, those that wait and the one that bakes give way to what was asked for later, as they do where each comes
/// while berthd runs.
void give_way_to_newer(App& app) {
  for (const RunPtr& run : app.queue) {
    const bool gives_way = run->position.state == State::baking || (run->position.state == State::queued && !run->position.decided);
    if (const RunPtr newer = gives_way ? newer_than(app, *run) : nullptr) run->superseded = took_place(*newer);
  }
}

/// Whether berthd may have been away while two releases served: what the kernel's route has goes on until it is known who of them is ready.
bool keeps_route(const Run& run) { return is_torn(run) || (run.course.gradual && run.position.state == State::reverting); }

/// When the release that is active became so; deployments come newest first.
std::string active_since(const std::vector<store::DeploymentRow>& deployments, const std::string& active) {
  for (const store::DeploymentRow& row : deployments) {
    if (!row.decided) continue;
    const bool went_back = row.state == "reverted" && row.from == active;
    if (went_back) return row.ended_at;
    if (row.state == "reverted" || row.release != active) continue;
    for (const auto& step : status_of(row).steps)
      if (step.state == "switching") return step.at;
  }
  return {};
}

}  // namespace

awaitable<Result<void>> Engine::start() {
  node_.supervisor.on_change([this](const supervise::InstanceChange& change) { on_change(change); });  // until it is closed
  const auto look_back = [this]() -> Result<std::vector<store::Event>> { return node_.store.events(node_.store.last_event(), 1); };
  const auto newest = co_await node_.pool.run(look_back);
  auto found = co_await node_.supervisor.find();
  std::vector<InstanceId> found_ids;
  for (const auto& one : found) found_ids.push_back(one.id);
  auto loaded = co_await load_apps();
  if (!loaded) co_return loaded;
  const auto look = [this] { return node_.store.drained(); };
  auto drained = co_await node_.pool.run(look);
  if (!drained) co_return std::unexpected(drained.error());
  node_.drained = std::move(*drained);
  take_over(std::move(found));
  if (newest && !newest->empty()) tell_missed_exits(found_ids, newest->front().at);
  execs_.adopt();
  jobs_.adopt();
  co_await remove_strange_folders();
  const std::vector<AppPtr> apps = in_start_order();
  co_await start_apps();
  if (node_.closed) co_return fail(Errc::cancelled, "berthd stops");
  static_cast<void>(co_await node_.router.settle());
  ready_ = true;
  for (const AppPtr& app : apps) drive(app);
  const auto newcomers = node_.newcomers;
  for (const auto& [name, app] : newcomers) drive(app);
  if (node_.drained) node_.spawn(empty_node());  // it may not have come to its end
  node_.spawn(slots_.watch());
  remove_rests_later();  // of removals that the last berthd could not finish, and the disk did not let this one's start finish either
  co_return Result<void>();
}

awaitable<Result<void>> Engine::load_apps() {
  const auto list = [this] { return node_.store.apps(); };
  auto rows = co_await node_.pool.run(list);
  if (!rows) co_return std::unexpected(rows.error());
  for (store::AppRow& row : *rows) {
    auto loaded = co_await load_app(std::move(row));
    if (!loaded) co_return loaded;
  }
  auto runs = co_await load_runs();
  co_return runs;
}

awaitable<Result<void>> Engine::load_app(store::AppRow row) {
  const auto app = std::make_shared<App>(node_.executor, std::move(row));
  node_.apps[app->name()] = app;
  app->up = false;
  const auto list = [this, name = app->name()] { return node_.store.instances(name); };
  auto instances = co_await node_.pool.run(list);
  if (!instances) co_return std::unexpected(instances.error());
  for (store::InstanceRow& instance : *instances) app->members.push_back({.row = std::move(instance)});
  const auto list_jobs = [this, name = app->name()] { return node_.store.jobs(name); };
  auto jobs = co_await node_.pool.run(list_jobs);
  if (!jobs) co_return std::unexpected(jobs.error());
  for (store::JobRow& job : *jobs) {
    const std::string process = job.process;
    const auto its = std::make_shared<JobRun>(JobRun{.row = std::move(job), .tries = 0, .began = {}, .unwanted = {}});
    if (its->row.running()) its->in_use = node_.store.use(app->name(), {its->row.release});
    app->jobs[process] = its;
  }
  const auto look = [this, name = app->name()] { return node_.store.deployments(name, 100); };
  const auto deployments = co_await node_.pool.run(look);
  if (deployments) app->since = active_since(*deployments, app->row.active);
  app->routed = app->row.active;

  // Everything that may run here, so that its ports are known.
  std::set<std::string> releases;
  if (!app->row.active.empty()) releases.insert(app->row.active);
  for (const Member& member : app->members) releases.insert(member.row.release);
  for (const std::string& release : releases) {
    const auto manifest = co_await node_.manifest_of(app, release);
    if (!manifest && release == app->row.active) note_problem(*app, manifest.error().message);
  }
  co_return Result<void>();
}

/// Deployments that the last berthd left: what is decided goes on where it was, the rest is begun again.
awaitable<Result<void>> Engine::load_runs() {
  const auto list = [this] { return node_.store.unfinished_deployments(); };
  auto rows = co_await node_.pool.run(list);
  if (!rows) co_return std::unexpected(rows.error());
  for (store::DeploymentRow& row : *rows) {
    AppPtr app = node_.find(row.app);
    if (!app) {
      auto& newcomer = node_.newcomers[row.app];
      if (!newcomer) newcomer = std::make_shared<App>(node_.executor, store::AppRow{.app = row.app});
      app = newcomer;
    }
    const auto run = std::make_shared<Run>(node_.executor, std::move(row));
    take_detail(*run);
    node_.keep_releases(*run);
    run->resumed = true;
    run->torn = is_torn(*run) && !run->is_revert();  // one back, by hand, goes on: what it leaves was found to be bad
    if (run->torn) {
      const auto list_last = [this, name = app->name()] { return node_.store.deployments(name, 20); };
      const auto last = co_await node_.pool.run(list_last);
      run->interruptions = 1 + (last ? torn_before(*last, run->row.release) : 0);
    }
    if (!run->position.decided && run->position.state != State::queued) {
      ++run->interruptions;
      run->position.state = State::queued;
      run->row.bake_until_ms = 0;
      run->steps.push_back({"queued", store::now_text()});
    }
    if (run->position.decided) {
      const auto manifest = co_await node_.manifest_of(app, run->row.release);
      if (manifest) run->manifest = *manifest;
      else run->trouble = manifest.error().message;
    }
    if (run->position.state == State::baking) co_await count_reboots(run);
    // Decided ones came first, whatever their numbers, and the oldest of them first: each gave way to the next.
    const auto undecided = std::ranges::find_if(app->queue, [](const RunPtr& other) { return !other->position.decided; });
    app->queue.insert(run->position.decided ? undecided : app->queue.end(), run);
  }
  for (const auto* known : {&node_.apps, &node_.newcomers})
    for (const auto& [name, app] : *known) give_way_to_newer(*app);
  co_return Result<void>();
}

/// A release that takes the machine down with it, again and again, does not stay.
awaitable<void> Engine::count_reboots(RunPtr run) {
  constexpr std::string_view kBoot = "boot", kReboots = "reboots";
  const std::string boot = node_.options.node.boot;
  const auto* last = run->row.detail.if_contains(kBoot);
  if (!run->manifest || boot.empty() || last == nullptr || *last == boost::json::value(boot)) co_return;
  const auto* counted = run->row.detail.if_contains(kReboots);
  const std::int64_t reboots = 1 + (counted != nullptr && counted->is_int64() ? counted->get_int64() : 0);
  run->row.detail[kBoot] = boot;
  run->row.detail[kReboots] = reboots;
  const auto write = [this, row = run->row] { return node_.store.update_deployment(row, {}); };
  const auto written = co_await node_.pool.run(write);
  if (!written) spdlog::warn("{}@{}: that the machine went down in its bake could not be written down: {}", run->row.app, run->row.release, written.error().message);
  const int most = run->manifest->spec.deploy.bake.reboots;
  if (run->course.has_previous && reboots >= most && run->trouble.empty())
    run->trouble = fmt::format("the machine went down {} times in its bake", reboots);
}

/// Takes the listening sockets back that keepers held while berthd was away.
void Engine::take_over(std::vector<supervise::Supervisor::Found> found) {
  for (supervise::Supervisor::Found& one : found) {
    const AppPtr app = node_.find(one.id.app);
    if (!app) continue;
    const auto manifest = app->manifests.find(one.id.release);
    if (manifest == app->manifests.end()) continue;
    const auto pub = public_port(*manifest->second, one.id.process);
    if (!pub || pub->kind != spec::Routing::socket) continue;
    for (auto& [name, socket] : one.sockets) {
      const auto taken = node_.router.take_back(*pub, one.id, std::move(socket));
      if (!taken) note_problem(*app, taken.error().message);
    }
  }
}

/// Keepers restart instances while berthd is away; events tell of the last exit of each, and of how many there were since its keeper began. What berthd
/// saw before it ended is in an event already, and so not after the newest of those.
void Engine::tell_missed_exits(const std::vector<InstanceId>& found, const std::string& since) {
  const auto last_told = logs::parse_rfc3339(since);
  for (const InstanceId& id : found) {
    const AppPtr app = node_.find(id.app);
    if (!app || spec::is_hook_name(id.process) || is_exec(id) || running_job(*app, id)) continue;
    const auto status = node_.supervisor.status(id);
    if (!status || !status->last_exit || status->last_exit->kind.empty()) continue;  // nobody asks for an end while berthd is away
    const auto at = logs::parse_rfc3339(status->last_exit->at);
    if (!at || !last_told || *at <= *last_told) continue;
    std::int64_t exits = 0;
    for (const auto& [reason, times] : status->exits_by_reason) exits += times;
    spdlog::warn("{}: {} while berthd was away ({} exits since its keeper began)", to_string(id), status->last_exit->reason, exits);
    boost::json::object data{{"instance", to_string(id)}, {"reason", status->last_exit->reason}, {"ran_ms", status->last_exit->ran.count()},
                             {"exited_at", status->last_exit->at}, {"exits", exits}, {"missed", true}, {"cause", status->last_exit->kind}};
    node_.spawn(node_.tell({.number = 0, .at = {}, .kind = "instance.exit", .app = id.app, .data = std::move(data)}));
  }
}

/// Folders of instances that a crash left: nobody else would remove the secrets in them before a reboot.
awaitable<void> Engine::remove_strange_folders() {
  std::vector<InstanceId> known;
  for (const auto& [name, app] : node_.apps)
    for (const Member& member : app->members) known.push_back(member.id());
  for (const auto& status : node_.supervisor.all()) known.push_back(status.id);
  const auto remove = [this, known = std::move(known)] { return deploy::remove_strange_folders(node_.options.node, known); };
  const auto removed = co_await node_.pool.run(remove);
  if (!removed) spdlog::error("what is left of instances before: {}", removed.error().message);
}

/// The app as it should be: the active release runs and is routed to, and nothing else but what a deployment under way needs.
awaitable<void> Engine::bring_up(AppPtr app) {
  RunPtr run = app->queue.empty() ? nullptr : app->queue.front();
  for (const RunPtr& queued : app->queue)
    if (queued->position.decided) run = queued;  // the last one is what the app is at
  const ManifestPtr active = app->active();
  // What runs of other releases keeps its ports until the deployment that it belongs to is over.
  const auto manifests = app->manifests;
  for (const auto& [release, manifest] : manifests)
    if (manifest != active) static_cast<void>(co_await routes_.claim(app, manifest));
  if (active) {
    auto up = co_await routes_.claim(app, active);
    const bool starts = !app->row.stopped && !node_.drained && !(run && starts_by_itself(*run));
    if (up && starts) up = co_await finish_pending_data(node_, app);
    const auto runs = [this](const InstanceId& id) { return node_.supervisor.status(id).has_value(); };
    auto known = members_of(*app, active->release);
    std::erase_if(known, [&app](const InstanceId& id) { return is_paused(*app, id); });
    const bool all_run = std::ranges::all_of(known, runs) && !known.empty();
    if (starts && run && !all_run) co_await hold_its_bake(app, run);
    if (up && starts && !all_run) {
      const auto awaited = co_await await_apps(app, active, nullptr);
      if (!awaited && !node_.closed) co_await members_.tell_unawaited(app, awaited.error());
    }
    if (up && starts && !app->row.stopped && !node_.drained) up = co_await members_.start_release(app, active, nullptr);
    if (!up && run) note_problem(*app, up.error().message);
    if (!run && starts) static_cast<void>(co_await members_.begin_healing(app, std::move(up)));
    co_await end_paused(app);
    if (!run || !keeps_route(*run)) static_cast<void>(co_await routes_.lead(app));
  }
  const bool judged = run && (run->position.state == State::baking || is_judged(*run)) && !is_torn(*run);
  if (judged) {
    app->run = run;
    judge_.look_back(*app);
    app->run.reset();
  }
  const std::string kept = app->row.stopped ? std::string() : app->row.active;
  const bool only_bakes = run && run->position.state == State::baking && app->row.stopped;
  if ((!run || only_bakes) && !node_.drained) co_await members_.stop_all_but(app, kept, 0ms);
  co_await members_.stop_strangers(app);
  if (active && !run) co_await routes_.give_up_but(app, active);
}

/// Not all of a release that bakes are there: the machine went down, or who kept them. Nobody looked on meanwhile, which may have been for longer than the bake is,
/// and nobody knows how long it takes until they serve: what was left goes on from then.
awaitable<void> Engine::hold_its_bake(AppPtr app, RunPtr run) {
  if (run->position.state != State::baking || run->is_revert() || bake_waits(*run)) co_return;
  app->run = run;
  judge_.look_back(*app);  // at those that are there
  app->run.reset();
  hold_bake(run->row);
  co_await judge_.save(run);
  const std::string text = "its instances had to be started again: what was left of its bake begins when all of them are ready";
  co_await node_.note(run, text);
}

/// Instances that were to be stopped by hand when berthd ended.
awaitable<void> Engine::end_paused(AppPtr app) {
  std::vector<InstanceId> ids;
  for (const Member& member : app->members)
    if (member.row.paused && node_.supervisor.status(member.id())) ids.push_back(member.id());
  if (ids.empty()) co_return;
  const auto paused = co_await members_.pause(app, ids);
  if (!paused && !node_.closed) note_problem(*app, paused.error().message);
}

}  // namespace berth::deploy
