#include <algorithm>
#include <cstdlib>

#include <fmt/core.h>

#include "core/files/files.h"
#include "daemon/data/snapshot.h"
#include "daemon/deploy/config_files.h"
#include "daemon/deploy/engine.h"
#include "daemon/deploy/instance_plan.h"

// What a deployment or a revert would do, by what it decides with. It works at a run that is in no queue and has no row: nothing of it is written.

namespace berth::deploy {
namespace {

constexpr int kMostOfItsPast = 1000;  ///< deployments of an app

DeploymentPlan::Other other_of(const Run& run) {
  return {.id = run.row.id, .release = run.row.release, .state = std::string(to_string(run.position.state)), .gives_way = gives_way(run)};
}

/// What becomes of an app's being held or stopped, where the deployment goes by it.
std::vector<std::string> notes_of(const store::AppRow& app, bool force) {
  std::vector<std::string> notes;
  if (app.held && !app.held.firm && !force) notes.push_back(fmt::format("the app is held ({}): a newer release, as this one, ends that", to_string(app.held)));
  if (app.held && force) notes.push_back(fmt::format("the app is held ({}), and {}", to_string(app.held), app.held.firm ? "stays so" : "this ends it"));
  if (app.stopped && force) notes.push_back(fmt::format("the app is {}: the decision starts it", store::stopped_text(app)));
  return notes;
}

/// What becomes of the app and of both releases once a revert by hand is decided.
std::vector<std::string> notes_of_revert(const store::AppRow& app, const std::string& target, const std::vector<store::Rejected>& rejected) {
  std::vector<std::string> notes;
  const std::string left = app.active.empty() ? std::string() : fmt::format(", and {} is rejected on this node", app.active);
  if (app.held.firm) notes.push_back(fmt::format("the app is held ({}), and stays so{}", to_string(app.held), left));
  else notes.push_back(fmt::format("the app is held afterwards{}: channels leave it alone until 'berth resume {}' or a newer release", left, app.app));
  const auto found = std::ranges::find(rejected, target, &store::Rejected::release);
  if (found != rejected.end()) notes.push_back(fmt::format("{} is rejected on this node ({}): to go back to it ends that", target, found->reason));
  return notes;
}

/// Of a release that is to be gone back to and was never active here, as far as one that was found good: what became of it. Empty of any other. `deployments`: the newest first.
std::string past_of(const std::string& target, const std::vector<store::DeploymentRow>& deployments) {
  const store::DeploymentRow* last = nullptr;
  for (const store::DeploymentRow& row : deployments) {
    if (row.release != target) continue;
    if (store::was_active(row)) return {};
    if (last == nullptr) last = &row;
  }
  if (last == nullptr) return fmt::format("{} was never active here", target);
  return fmt::format("{} was never found good here: its deployment {} is {}{}", target, last->id, last->state, last->reason.empty() ? "" : ": " + last->reason);
}

/// Those of the app that have not ended, in the order in which they go.
std::vector<DeploymentPlan::Other> others_of(const App& app) {
  std::vector<DeploymentPlan::Other> others;
  if (app.run && !is_terminal(app.run->position.state)) others.push_back(other_of(*app.run));
  for (const RunPtr& other : app.queue) others.push_back(other_of(*other));
  return others;
}

/// A job has no instances that stay.
void leave_jobs_out(const bundle::Manifest& manifest, std::map<std::string, int>& instances) {
  for (const auto& [process, rules] : manifest.spec.processes)
    if (rules.job) instances.erase(process);
}

/// Where what is staged would lie.
std::filesystem::path staging_disk(const store::Paths& paths) {
  std::error_code ignored;
  return std::filesystem::is_directory(paths.staging(), ignored) ? paths.staging() : paths.state;
}

}  // namespace

awaitable<Result<DeploymentPlan>> Engine::plan(DeployRequest request) {
  if (auto right = check_request(request, node_.options.node.environment); !right) co_return std::unexpected(right.error());
  AppPtr app = node_.find(request.app);
  if (!app) app = std::make_shared<App>(node_.executor, store::AppRow{.app = request.app});
  const auto plan = std::make_shared<DeploymentPlan>();
  plan->app = request.app;
  plan->release = request.release;
  plan->from = app->row.active;
  if (const auto open = node_.not_drained(); !open) plan->refuse(open.error(), exit_code(open.error().code));

  request.key.clear();
  const auto known = co_await known_already(request, true);
  if (!known) co_return std::unexpected(known.error());
  if (*known && plan->refusals.empty()) {
    if ((*known)->already) plan->already = true;
    else plan->same = DeploymentPlan::Other{.id = (*known)->row.id, .release = (*known)->row.release, .state = (*known)->row.state};
    co_return *plan;
  }
  const auto allowed = co_await may_deploy(request);
  if (!allowed) {
    plan->forcible = plan->refusals.empty();
    plan->refuse(allowed.error(), exit_code(allowed.error().code));
  }
  if (allowed) plan->notes = notes_of(app->row, request.force);

  plan->others = others_of(*app);

  store::DeploymentRow row{.app = request.app, .release = request.release, .kind = "deploy", .state = "queued", .from = app->row.active};
  row.force = request.force;
  const auto run = std::make_shared<Run>(node_.executor, std::move(row));
  co_await plan_run(app, run, plan);
  co_return *plan;
}

awaitable<Result<DeploymentPlan>> Engine::plan_revert(RevertRequest request) {
  const auto known = node_.known(request.app);
  if (!known) co_return std::unexpected(known.error());
  const AppPtr app = *known;
  const auto plan = std::make_shared<DeploymentPlan>();
  plan->is_revert = true;
  plan->app = request.app;
  plan->from = app->row.active;
  if (const auto open = node_.not_drained(); !open) plan->refuse(open.error(), exit_code(open.error().code));
  const auto free = nothing_under_way(*app, "reverting");
  if (!free) plan->refuse(free.error(), exit_code(free.error().code));
  const auto target = co_await revert_target(app, request.to);
  if (!target) co_return std::unexpected(plan->refusals.empty() ? target.error() : plan->refusals.front().error);
  plan->release = *target;
  plan->others = others_of(*app);
  if (!free) co_return *plan;  // what there is to go back from is not known before its end
  const auto allowed = co_await may_revert(app, plan->release);
  if (!allowed) plan->refuse(allowed.error(), exit_code(allowed.error().code));
  if (!allowed && allowed.error().code == Errc::not_found) co_return *plan;  // a revert fetches no release that is not there
  if (plan->release == plan->from) {
    plan->already = plan->refusals.empty();
    co_return *plan;
  }
  const auto list = [this, name = request.app] { return node_.store.rejected(name); };
  const auto rejected = co_await node_.pool.run(list);
  if (!rejected) co_return std::unexpected(rejected.error());
  plan->notes = notes_of_revert(app->row, plan->release, *rejected);
  const auto look_back = [this, name = request.app] { return node_.store.deployments(name, kMostOfItsPast); };
  const auto deployments = co_await node_.pool.run(look_back);
  if (!deployments) co_return std::unexpected(deployments.error());
  if (std::string past = past_of(plan->release, *deployments); !past.empty()) plan->notes.push_back(std::move(past));

  store::DeploymentRow row{.app = request.app, .release = plan->release, .kind = "revert", .state = "queued", .from = plan->from};
  const auto run = std::make_shared<Run>(node_.executor, std::move(row));
  run->keep_data = request.keep_data;
  co_await plan_run(app, run, plan);
  co_return *plan;
}

/// What is known of it once it may begin: what would be fetched, and how it would go.
awaitable<void> Engine::plan_run(AppPtr app, RunPtr run, PlanPtr plan) {
  run->course.has_previous = !plan->from.empty();
  auto found = co_await plan_source(app, run, plan);
  if (!found) plan->refuse(found.error(), exit_of_failure(found.error(), true));
  if (!run->manifest) co_return;
  const auto went = co_await plan_way(app, run, plan);
  if (!went) plan->refuse(went.error(), exit_of_failure(went.error(), false));
  plan->course = run->course;
  plan->manifest = run->manifest;
  for (const auto& [process, job] : app->jobs)
    if (job->row.running() && job->row.release != plan->release) plan->ended_jobs.push_back(process);
}

/// Where the release would come from, what of it would be fetched, and what it has not alike with what is active. The run has the manifest then, where there is one.
awaitable<Result<void>> Engine::plan_source(AppPtr app, RunPtr run, PlanPtr plan) {
  const auto look = [this, run]() -> Result<std::shared_ptr<const bundle::Manifest>> {
    BERTH_TRY(const auto slot, node_.store.slot(run->row.app, run->row.release));
    if (!slot) return nullptr;
    BERTH_TRY(const auto verdict, store::verify_slot(node_.store.paths().slot(slot->app, slot->release), slot->manifest_sha256, slots_.stopped()));
    if (verdict.drifted > 0) {
      run->drift = fmt::format("{}: {}", verdict.drift.front().path, verdict.drift.front().what);
      return nullptr;
    }
    run->row.manifest_sha256 = slot->manifest_sha256;
    BERTH_TRY(auto manifest, node_.store.manifest(run->row.app, run->row.release));
    return std::make_shared<const bundle::Manifest>(std::move(manifest));
  };
  Result<std::shared_ptr<const bundle::Manifest>> sealed;
  {
    const Visits::Visit visit = co_await slots_.look();  // a slot is read whole
    sealed = co_await node_.pool.run(look);
  }
  if (!sealed) co_return std::unexpected(sealed.error());
  run->course.on_node = *sealed != nullptr;
  if (!run->drift.empty()) plan->notes.push_back(fmt::format("its slot is not as it was sealed any more ({}), and is fetched anew", run->drift));
  fetch::Resolved resolved;
  if (run->course.on_node) {
    const auto same = co_await is_listed(run, true);
    if (!same) co_return same;
    run->manifest = *sealed;
    plan->source = "node";
  } else {
    auto found = co_await resolve_release(run);
    if (!found) co_return std::unexpected(found.error());
    resolved = std::move(*found);
    run->manifest = std::make_shared<const bundle::Manifest>(resolved.manifest);
    plan->source = run->source->options().offline ? "file" : "repository";
  }
  auto done = co_await plan_fetch(app, run, plan, std::move(resolved));
  co_return done;
}

/// Its templates tell what they name of this node, and its slot is not there: its configuration is looked at in a folder that is removed again.
Result<void> Engine::look_at_templates(Run& run, DeploymentPlan& plan, const fetch::Resolved& resolved, const bundle::LayerIndex& config, const fetch::StageOptions& options,
                                       const std::filesystem::path& disk) {
  const auto is_one = [](const bundle::Entry& entry) {
    return entry.type == bundle::EntryType::file && is_template(std::filesystem::path(entry.path).filename().native());
  };
  if (std::ranges::none_of(config.entries, is_one)) return {};
  if (resolved.manifest.config.tar_size > fetch::kLargestConfigLookedAt) {
    plan.notes.push_back("its configuration is large: whether this node has what its templates name is looked at when it is deployed, before anything is touched");
    return {};
  }
  std::string name = (disk / "plan-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) return fail_errno("make " + name);
  const auto looked = [&]() -> Result<void> {
    BERTH_CHECK(fetch::stage_config(*run.source, resolved, name, options, slots_.stopped()));
    BERTH_TRY(run.templates, read_templates(std::filesystem::path(name) / "config"));
    return {};
  }();
  const auto removed = files::remove_tree(name);
  return looked ? removed : looked;
}

/// What of it would be fetched, the room that it takes, and the difference to what is active.
awaitable<Result<void>> Engine::plan_fetch(AppPtr app, RunPtr run, PlanPtr plan, fetch::Resolved resolved) {
  const auto work = [this, run, plan, resolved = std::move(resolved), from = app->row.active]() -> Result<void> {
    const bundle::Manifest& manifest = *run->manifest;
    const std::filesystem::path folder = staging_disk(node_.store.paths());
    BERTH_TRY(plan->disk_free, files::free_bytes(folder));
    plan->disk_reserve = node_.options.stage.reserve_bytes;
    plan->platform = bundle::this_platform();
    BERTH_TRY(const auto build, bundle::build_for(manifest, plan->platform));
    plan->digest = build.digest;
    plan->version = build.version;
    Result<void> done;
    Trees trees;
    if (run->course.on_node) {
      BERTH_TRY(trees, trees_of(node_.store.paths().slot(run->row.app, run->row.release), manifest, build));
    } else {
      BERTH_TRY(const auto options, slots_.stage_options(run->row.app));
      BERTH_TRY(auto staged, fetch::plan_stage(*run->source, resolved, folder, options, slots_.stopped()));
      for (const auto& one : staged.fetched)
        plan->fetched.push_back({.part = one.part, .kind = one.kind, .from = one.from, .sha256 = one.ref.sha256, .bytes = one.ref.size});
      plan->disk_needed = staged.needed;
      plan->notes.insert(plan->notes.end(), staged.notes.begin(), staged.notes.end());
      if (staged.refused) done = std::unexpected(*staged.refused);
      else BERTH_CHECK(look_at_templates(*run, *plan, resolved, staged.config, options, folder));
      trees = {.app = std::move(staged.app.entries), .config = std::move(staged.config.entries)};
    }
    plan->tree = count_files(trees.app);
    if (from.empty() || from == run->row.release) return done;
    // What is active may be a slot that is damaged: then there is nothing to compare with, and that is no reason against the deployment.
    const auto old = node_.store.manifest(run->row.app, from);
    if (!old) return done;
    const auto its_build = bundle::build_for(*old, plan->platform);
    if (!its_build) return done;
    plan->from_digest = its_build->digest;
    plan->from_version = its_build->version;
    const auto its_trees = trees_of(node_.store.paths().slot(run->row.app, from), *old, *its_build);
    if (!its_trees) return done;
    compare(*plan, {.manifest = *old, .build = *its_build, .app = its_trees->app, .config = its_trees->config},
            {.manifest = manifest, .build = build, .app = trees.app, .config = trees.config});
    return done;
  };
  const Visits::Visit visit = co_await node_.visits.begin();
  auto done = co_await node_.pool.run(work);
  co_return done;
}

/// User and secrets, and what templates name, which are on this node or not; and programs, where the slot is there.
awaitable<Result<void>> Engine::check_means(AppPtr app, RunPtr run) {
  if (run->course.on_node && app->row.uid >= 0) {
    auto checked = co_await members_.check_plans(app, run->manifest);
    co_return checked;
  }
  const auto check = [node = &node_.options.node, manifest = run->manifest, run, uid = std::max(app->row.uid, 0)]() -> Result<void> {
    BERTH_CHECK(run_as(*node, *manifest, uid));
    BERTH_TRY(const auto secrets, resolve_secrets(*node, *manifest, false));
    if (!run->course.on_node) return check_templates(*node, *manifest, run->templates, secrets);
    BERTH_TRY(const auto templates, read_templates(node->config_of(manifest->app, manifest->release)));
    return check_templates(*node, *manifest, templates, secrets);
  };
  auto checked = co_await node_.pool.run(check);
  co_return checked;
}

/// What would become of the data.
awaitable<Result<void>> Engine::plan_data(AppPtr app, RunPtr run, PlanPtr plan) {
  if (!run->course.has_previous) co_return Result<void>();
  if (run->is_revert()) {
    const auto left = co_await data_steps_.leaving(app, run);
    if (!left) co_return std::unexpected(left.error());
    plan->keeps_data = left->copy && run->keep_data;
    if (left->copy && !run->keep_data) {
      plan->puts_back = left->copy;
      auto possible = co_await data_steps_.may_put_back(app, run);
      co_return possible;
    }
    plan->migrated = left->migrated;
  }
  if (!run->manifest->spec.data.snapshot) co_return Result<void>();
  auto done = co_await data_steps_.may_copy(app, run);
  const auto look = [plan, data = node_.store.paths().data(app->name()), stop = slots_.stopped()]() -> Result<void> {
    BERTH_TRY(const auto method, data::method_for(data));
    plan->snapshot = to_string(method);
    if (method != data::Method::copy) return {};
    BERTH_TRY(plan->data_bytes, data::tree_bytes(data, stop));
    return {};
  };
  const Visits::Visit visit = co_await slots_.look();  // the data may be many files
  const auto looked = co_await node_.pool.run(look);
  if (done && !looked) done = looked;
  co_return done;
}

/// How the release would take over.
awaitable<Result<void>> Engine::plan_way(AppPtr app, RunPtr run, PlanPtr plan) {
  const bool something_runs = !members_of(*app, app->row.active).empty();
  const ManifestPtr old = something_runs ? app->active() : nullptr;
  plan->goes_on = app->row.active == plan->release && members_.runs(*app, plan->release);
  run->course.stop_first = stops_first(run->course, *run->manifest, something_runs);
  Result<void> done = co_await plan_data(app, run, plan);
  const std::string note = co_await way_over(app, run);
  if (!note.empty()) plan->notes.push_back(note);
  if (done) done = co_await check_means(app, run);
  const ManifestPtr left = app->active();
  plan->hooks = run->is_revert() ? hooks_on_the_way_back(run->course, *run->manifest, left.get(), something_runs) : hooks_on_the_way(run->course, *run->manifest, old.get());
  for (const route::Public& pub : public_ports(*run->manifest)) plan->ports.push_back({.process = pub.process, .port = pub.port, .routing = pub.kind});
  const auto wanted = co_await members_.wanted_by_process(app, run->manifest);
  if (!wanted) co_return std::unexpected(wanted.error());
  plan->instances = *wanted;
  leave_jobs_out(*run->manifest, plan->instances);
  if (const ManifestPtr active = app->active()) {
    const auto before = co_await members_.wanted_by_process(app, active);
    if (!before) co_return std::unexpected(before.error());
    plan->instances_before = *before;
    leave_jobs_out(*active, plan->instances_before);
  }
  co_return done;
}

}  // namespace berth::deploy
