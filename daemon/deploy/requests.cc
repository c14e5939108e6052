#include <algorithm>

#include <fmt/core.h>

#include "daemon/deploy/engine.h"
#include "daemon/deploy/going_back.h"
#include "daemon/store/time_text.h"

namespace berth::deploy {
namespace {

using namespace std::chrono_literals;
using io::Steady;

constexpr int kMostLookedAt = 1000;  ///< deployments of an app

store::DeploymentRow new_row(const std::string& app, const std::string& release, std::string kind, const Asked& asked) {
  return {.app = app, .release = release, .kind = std::move(kind), .state = "queued", .by = asked.by, .why = asked.why, .created_at = store::now_text()};
}

std::string came_first(const Run& other) {
  return fmt::format("deployment {} of {}@{} by {} is {}, and came first", other.row.id, other.row.app, other.row.release, other.row.by,
                     to_string(other.position.state));
}

/// It tells that the release is active, and that nothing had to be done for it.
void become_already(DeploymentStatus& status) {
  status.row.state = "active";
  status.exit = 0;
  status.already = true;
}

/// What goes back from a deployment that is decided and does not bake yet: neither a cancel nor a revert is taken then. Empty where nothing does.
std::string way_back(const Run& run) {
  if (run.is_revert() || run.position.state == State::reverting || run.row.from.empty() || run.row.from == run.row.release) return {};
  return fmt::format("; 'berth deploy {0}@{1}', which takes its turn at the bake, goes back to {1}", run.row.app, run.row.from);
}

}  // namespace

Result<void> check_request(const DeployRequest& request, const std::string& environment) {
  if (!is_name(request.app)) return fail(Errc::usage, fmt::format("'{}' is no name of an app", request.app));
  if (!is_release_id(request.release)) return fail(Errc::usage, fmt::format("'{}' is no release id", request.release));
  if (!request.environment.empty() && request.environment != environment) {
    return fail(Errc::usage, fmt::format("{0}@{1} is asked for in the environment {2}, and this node is {3}: deploy it on a node of {2}, or release the same build "
                                         "here by 'berth promote {0}/{2}@{1} --to {3}'", request.app, request.release, request.environment, environment));
  }
  return {};
}

std::string took_place(const Run& newer) {
  return fmt::format("deployment {} of {}@{} took its place", newer.row.id, newer.row.app, newer.row.release);
}

std::vector<RunPtr> take_undecided(App& app) {
  std::vector<RunPtr> taken;
  std::erase_if(app.queue, [&taken](const RunPtr& run) {
    if (!run->position.decided) taken.push_back(run);
    return !run->position.decided;
  });
  return taken;
}

RunPtr newer_than(const App& app, const Run& run) {
  const auto is_newer = [&](const RunPtr& other) {
    if (!other || other->row.id <= run.row.id || is_terminal(other->position.state)) return false;
    return other->row.by != kFollow || run.row.by == kFollow;
  };
  if (is_newer(app.run)) return app.run;
  const auto waiting = std::ranges::find_if(app.queue, is_newer);
  return waiting == app.queue.end() ? nullptr : *waiting;
}

RunPtr under_way_for_others(const App& app, const std::string& by) {
  const auto is_theirs = [&](const RunPtr& run) {
    return run && !is_terminal(run->position.state) && (run->row.by != by || run->position.state == State::reverting);
  };
  if (is_theirs(app.run)) return app.run;
  const auto waiting = std::ranges::find_if(app.queue, is_theirs);
  return waiting == app.queue.end() ? nullptr : *waiting;
}

std::string or_back(const App& app, const Run& run) {
  if (run.row.from.empty() || run.row.from == run.row.release) return {};
  return fmt::format("; 'berth deploy {0}@{1} --force' goes back to {1} and starts it", app.name(), run.row.from);
}

Result<void> nothing_under_way(const App& app, const std::string& what) {
  const RunPtr run = app.run ? app.run : app.queue.empty() ? nullptr : app.queue.front();
  if (!run || is_terminal(run->position.state) || run->position.state == State::baking) return {};
  if (!run->cancelled_by.empty() && !run->position.decided)
    return fail(Errc::conflict, fmt::format("{}: deployment {} of {}@{} is being cancelled; wait until 'berth status {}' does not show it any more, before {}", app.name(),
                                            run->row.id, app.name(), run->row.release, app.name(), what));
  if (run->position.decided)
    return fail(Errc::conflict, fmt::format("{}: deployment {} of {}@{} is {}, and decided already: wait for it before {}{}", app.name(), run->row.id, app.name(), run->row.release,
                                            to_string(run->position.state), what, way_back(*run)));
  return fail(Errc::conflict, fmt::format("{}: deployment {} of {}@{} is {}; wait for it, or 'berth cancel {}', before {}", app.name(), run->row.id, app.name(),
                                          run->row.release, to_string(run->position.state), run->row.id, what));
}

awaitable<Result<DeploymentStatus>> Engine::deploy(DeployRequest request) {
  if (auto right = check_request(request, node_.options.node.environment); !right) co_return std::unexpected(right.error());
  if (auto open = node_.not_drained(); !open) co_return std::unexpected(open.error());
  auto before = co_await known_by_key(request);
  if (!before) co_return std::unexpected(before.error());
  if (*before) co_return std::move(**before);
  auto known = co_await known_already(request, false);
  if (!known) co_return std::unexpected(known.error());
  if (*known) {
    auto answered = co_await keep_answer(std::move(request), std::move(**known));
    co_return answered;
  }
  auto allowed = co_await may_deploy(request);
  if (!allowed) co_return std::unexpected(allowed.error());

  AppPtr app = node_.find(request.app);
  if (!app) {
    auto& newcomer = node_.newcomers[request.app];
    if (!newcomer) newcomer = std::make_shared<App>(node_.executor, store::AppRow{.app = request.app});
    app = newcomer;
  }
  const RunPtr other = request.yields ? under_way_for_others(*app, request.asked.by) : nullptr;
  if (other) co_return fail(Errc::conflict, came_first(*other));
  store::DeploymentRow row = new_row(request.app, request.release, "deploy", request.asked);
  row.key = request.key;
  row.force = request.force;
  auto queued = co_await enqueue(app, std::move(row), request.yields, request.asked.pid);
  co_return queued;
}

/// What answered the request before, by its idempotency key.
awaitable<Result<std::optional<DeploymentStatus>>> Engine::known_by_key(DeployRequest request) {
  using Known = std::optional<DeploymentStatus>;
  if (request.key.empty()) co_return Known();
  using Kept = std::pair<std::optional<store::DeploymentRow>, std::optional<store::KeptKey>>;
  const auto look = [this, request]() -> Result<Kept> {
    Kept found;
    BERTH_TRY(found.first, node_.store.deployment_by_key(request.app, request.key));
    if (!found.first) {
      BERTH_TRY(found.second, node_.store.kept_key(request.app, request.key));
    }
    if (found.second && found.second->deployment > 0) {
      BERTH_TRY(found.first, node_.store.deployment(found.second->deployment));
    }
    return found;
  };
  const auto used = co_await node_.pool.run(look);
  if (!used) co_return std::unexpected(used.error());
  const auto& [row, kept] = *used;
  if (!row && !kept) co_return Known();
  const std::string release = row ? row->release : kept->release;
  if (release != request.release) {
    const std::string named = row ? fmt::format("deployment {} of {}@{}", row->id, request.app, release) : fmt::format("{}@{}", request.app, release);
    co_return fail(Errc::conflict, fmt::format("the idempotency key {} names {}; use another one", request.key, named));
  }
  const bool already = kept && kept->already;
  DeploymentStatus status;
  const RunPtr run = row && !already ? node_.find_run(row->id).second : nullptr;
  if (run) status = status_of(*run);
  else if (row) status = status_of(*row);
  else status.row = new_row(request.app, request.release, "deploy", request.asked);
  if (already) become_already(status);
  co_return Known(std::move(status));
}

/// What answers the request without a new deployment: one of the same release that is under way, or the active release.
awaitable<Result<std::optional<DeploymentStatus>>> Engine::known_already(DeployRequest request, bool only_planned) {
  using Known = std::optional<DeploymentStatus>;
  const AppPtr app = node_.find(request.app);
  const auto newcomer = node_.newcomers.find(request.app);
  const AppPtr holder = app ? app : newcomer == node_.newcomers.end() ? nullptr : newcomer->second;
  if (!holder) co_return Known();
  std::vector<RunPtr> under_way(holder->queue.begin(), holder->queue.end());
  if (holder->run) under_way.push_back(holder->run);
  for (const RunPtr& run : under_way) {
    const bool same = run->row.release == request.release && !run->is_revert() && !is_terminal(run->position.state) && !holder->row.stopped;
    if (same && run->position.state != State::reverting && run->cancelled_by.empty() && run->superseded.empty()) co_return Known(status_of(*run));
  }
  const bool already = under_way.empty() && holder->row.active == request.release && !holder->row.stopped;
  if (!already) co_return Known();
  const auto look = [this, request] { return node_.store.slot(request.app, request.release); };
  const auto there = co_await node_.pool.run(look);
  if (!there) co_return std::unexpected(there.error());
  if (!*there) co_return Known();  // somebody took it away: it is fetched again
  if (request.force && (*there)->drifted > 0) co_return Known();  // which repairs it
  const auto compare = [this, request, only_planned]() -> Result<void> {
    BERTH_TRY(const auto slot, node_.store.slot(request.app, request.release));
    if (!slot || node_.repository == nullptr) return {};
    const ReleaseRef release{.app = request.app, .environment = node_.options.node.environment, .release = request.release};
    return node_.repository->check_sealed(release, slot->manifest_sha256, only_planned);
  };
  auto same = co_await node_.pool.run(compare);
  if (!same) co_return std::unexpected(same.error());
  const auto list = [this, name = request.app] { return node_.store.deployments(name, kMostLookedAt); };
  auto rows = co_await node_.pool.run(list);
  if (!rows) co_return std::unexpected(rows.error());
  const auto made = std::ranges::find_if(*rows, [&](const store::DeploymentRow& row) { return row.release == request.release && row.decided; });
  DeploymentStatus status;
  if (made != rows->end()) status = status_of(*made);
  else status.row = new_row(request.app, request.release, "deploy", request.asked);
  become_already(status);
  co_await note_drift(request.app, status);
  co_return Known(std::move(status));
}

/// Keeps what answers the request under its idempotency key, so that it answers the same again whatever is active then.
awaitable<Result<DeploymentStatus>> Engine::keep_answer(DeployRequest request, DeploymentStatus status) {
  if (request.key.empty()) co_return std::move(status);
  const store::KeptKey kept{.app = request.app, .key = request.key, .release = request.release, .deployment = status.row.id, .already = status.already};
  const auto keep = [this, kept] { return node_.store.keep_key(kept); };
  const auto written = co_await node_.pool.run(keep);
  if (!written) co_return std::unexpected(written.error());
  co_return std::move(status);
}

/// Says of the active release, of which nothing is to be done, how it is repaired where it needs that.
awaitable<void> Engine::note_drift(std::string name, DeploymentStatus& status) {
  const std::string release = status.row.release;
  status.notes.clear();  // those are of the deployment that made it active, and its answer
  const auto look = [this, name, release] { return node_.store.slot(name, release); };
  const auto slot = co_await node_.pool.run(look);
  if (slot && *slot && (*slot)->drifted > 0)
    status.notes.push_back(fmt::format("{}@{} is not as it was sealed ({}): 'berth deploy {}@{} --force' repairs it", name, release, (*slot)->drift, name, release));
}

/// Rejected releases, held and stopped apps are left alone unless somebody insists.
awaitable<Result<void>> Engine::may_deploy(DeployRequest request) {
  const std::string name = request.app + "@" + request.release;
  const auto list = [this, request] { return node_.store.rejected(request.app); };
  const auto rejected = co_await node_.pool.run(list);
  if (!rejected) co_return std::unexpected(rejected.error());
  const auto found = std::ranges::find(*rejected, request.release, &store::Rejected::release);
  if (found != rejected->end() && !request.force) {
    co_return fail(Errc::conflict, fmt::format("{} is rejected on this node since {} ({}); deploy another release, or this one with --force", name, store::to_seconds(found->at),
                                               found->reason));
  }
  const AppPtr app = node_.find(request.app);
  if (!app) co_return Result<void>();
  const store::Hold held = app->row.held;
  if (held && held.firm && !request.force)
    co_return fail(Errc::conflict, fmt::format("{} is held ({}): 'berth resume {}' first, or deploy {} with --force, which leaves it held", request.app, to_string(held),
                                               request.app, name));
  if (held && !request.force) {
    const auto look = [this, request] { return node_.store.deployments(request.app, kMostLookedAt); };
    const auto rows = co_await node_.pool.run(look);
    if (!rows) co_return std::unexpected(rows.error());
    // A release that was never active here is a newer one, which ends the hold.
    const bool ran_before = std::ranges::any_of(*rows, [&](const store::DeploymentRow& row) { return row.release == request.release && store::was_active(row); });
    if (ran_before) {
      co_return fail(Errc::conflict, fmt::format("{} is held ({}), and {} was active here before: 'berth resume {}' first, or deploy it with --force",
                                                 request.app, to_string(held), name, request.app));
    }
  }
  if (!app->row.stopped) co_return Result<void>();
  if (!request.force)
    co_return fail(Errc::conflict,
                   fmt::format("{} is {}: 'berth start {}' first, or deploy {} with --force, which starts it", request.app, store::stopped_text(app->row), request.app, name));
  co_return Result<void>();  // the decision starts it: until then it stays as it is
}

/// Adds the deployment. Those that wait for the app are superseded by it, and one that bakes gives way; but one that yields gives way itself to what
/// somebody else began while it was written down. `pid`: of the process that asked, or 0.
awaitable<Result<DeploymentStatus>> Engine::enqueue(AppPtr app, store::DeploymentRow row, bool yields, pid_t pid) {
  row.from = app->row.active;
  const auto run = std::make_shared<Run>(node_.executor, std::move(row));
  node_.keep_releases(*run);
  run->keep_data = run->row.detail.contains("keep_data");
  run->steps.push_back({"queued", run->row.created_at});
  if (app->row.stopped) run->row.detail[kWasStopped] = true;
  put_detail(*run);
  store::Event event = deployment_event(*run);
  if (pid > 0) event.data["pid"] = pid;
  const auto add = [this, row = run->row, event] { return node_.store.add_deployment(row, event); };
  auto added = co_await node_.pool.run(add);
  if (!added) co_return std::unexpected(added.error());
  run->row = std::move(*added);
  const RunPtr newer = newer_than(*app, *run);
  const RunPtr other = yields ? under_way_for_others(*app, run->row.by) : nullptr;
  if (newer || other) {
    run->superseded = newer ? took_place(*newer) : came_first(*other);
    co_await move(app, run, Happening::superseded);
    co_return status_of(*run);
  }

  const std::string why = took_place(*run);
  const std::vector<RunPtr> waiting = take_undecided(*app);
  app->queue.push_back(run);
  if (app->run) {
    app->run->superseded = why;
    app->run->changed.notify();
  }
  app->changed.notify();
  const DeploymentStatus status = status_of(*run);
  for (const RunPtr& older : waiting) {
    older->superseded = why;
    co_await move(app, older, Happening::superseded);
  }
  if (ready_) drive(app);
  co_return status;
}

/// Where a revert goes back to: the release before, unless another one is said.
awaitable<Result<std::string>> Engine::revert_target(AppPtr app, std::string to) {
  if (!to.empty()) co_return std::move(to);
  const std::string name = app->name();
  auto before = co_await queries_.release_before(app);
  if (!before || !before->empty()) co_return std::move(before);
  const auto look = [this, name, active = app->row.active] { return rejected_before(node_.store, name, active); };
  const auto rejected = co_await node_.pool.run(look);
  if (!rejected) co_return std::unexpected(rejected.error());
  if (*rejected) {
    co_return fail(Errc::not_found, fmt::format("{}@{} is rejected here ({}), and no other release that was active before is on this node; 'berth revert {} --to {}' "
                                                "goes back to it all the same",
                                                name, (*rejected)->release, (*rejected)->reason, name, (*rejected)->release));
  }
  co_return fail(Errc::not_found, fmt::format("{} has no release before {} to go back to; 'berth releases {}' lists what is on the node, for --to", name,
                                              app->row.active.empty() ? "its first one" : app->row.active, name));
}

/// The app runs, and what it goes back to is on this node.
awaitable<Result<void>> Engine::may_revert(AppPtr app, std::string target) {
  const std::string name = app->name();
  if (app->row.stopped)
    co_return fail(Errc::conflict, fmt::format("{0} is {1}: 'berth start {0}' first, or 'berth deploy {0}@{2} --force', which goes back to {2} and starts it", name,
                                               store::stopped_text(app->row), target));
  const auto look = [this, name, target] { return node_.store.slot(name, target); };
  const auto slot = co_await node_.pool.run(look);
  if (!slot) co_return std::unexpected(slot.error());
  if (*slot) co_return Result<void>();
  const auto tell = [this, name, target] { return missing_release(node_.store, name, target); };
  auto why = co_await node_.pool.run(tell);
  co_return std::unexpected(std::move(why));
}

awaitable<Result<DeploymentStatus>> Engine::revert(RevertRequest request) {
  const std::string name = request.app;
  const Asked asked = request.asked;
  const auto found = node_.known(name);
  if (!found) co_return std::unexpected(found.error());
  const AppPtr app = *found;
  if (auto open = node_.not_drained(); !open) co_return std::unexpected(open.error());
  if (auto free = nothing_under_way(*app, "reverting"); !free) co_return std::unexpected(free.error());
  const auto said = co_await revert_target(app, request.to);
  if (!said) co_return std::unexpected(said.error());
  const std::string target = *said;
  const auto allowed = co_await may_revert(app, target);
  if (!allowed) co_return std::unexpected(allowed.error());
  if (target == app->row.active) {
    DeploymentStatus status{.row = new_row(name, target, "revert", asked)};
    become_already(status);
    co_await note_drift(name, status);
    co_return status;
  }
  store::DeploymentRow row = new_row(name, target, "revert", asked);
  if (request.keep_data) row.detail["keep_data"] = true;
  auto queued = co_await enqueue(app, std::move(row), false, asked.pid);
  co_return queued;
}

awaitable<Result<DeploymentStatus>> Engine::cancel(std::int64_t id, Asked asked) {
  const auto [app, run] = node_.find_run(id);
  if (!run || is_terminal(run->position.state)) {
    auto row = co_await queries_.deployment(id);
    if (!row) co_return row;
    const std::string& state = row->row.state;
    const AppPtr its_app = node_.find(row->row.app);
    const bool is_active_now = its_app && its_app->row.active == row->row.release;
    const char* was = state == "failed" ? "" : state == "active" && is_active_now ? "is " : "was ";
    co_return fail(Errc::conflict, fmt::format("deployment {} of {}@{} is over: it {}{}", id, row->row.app, row->row.release, was, state));
  }
  if (run->position.decided && app->row.stopped) {
    co_return fail(Errc::conflict, fmt::format("deployment {} of {}@{} is decided already, and {} is {}: 'berth start {}' goes on with its bake{}", id, run->row.app, run->row.release,
                                               run->row.app, store::stopped_text(app->row), run->row.app, or_back(*app, *run)));
  }
  if (run->position.decided && run->position.state == State::baking) {
    co_return fail(Errc::conflict, fmt::format("deployment {} of {}@{} is decided already; 'berth revert {}' goes back", id, run->row.app, run->row.release,
                                               run->row.app));
  }
  if (run->position.decided) {
    co_return fail(Errc::conflict, fmt::format("deployment {} of {}@{} is decided already, and is {}: wait for it{}", id, run->row.app, run->row.release,
                                               to_string(run->position.state), way_back(*run)));
  }
  if (run->cancelled_by.empty()) run->cancelled_by = asked.by + (asked.why.empty() ? "" : ": " + asked.why);
  run->stop.request_stop();
  run->changed.notify();
  app->changed.notify();
  const auto queued = std::ranges::find(app->queue, run);
  if (queued != app->queue.end()) {
    app->queue.erase(queued);
    co_await move(app, run, Happening::cancelled);
  }
  // What ends it may take a while, over which a berthd may die: the next one goes on with ending it.
  const auto write = [this, id, by = run->cancelled_by] { return node_.store.note_cancel(id, by); };
  const auto written = co_await node_.pool.run(write);
  if (!written) co_return std::unexpected(written.error());
  co_return status_of(*run);
}

awaitable<Result<DeploymentStatus>> Engine::wait(std::int64_t id, WaitFor what) {
  const auto [app, run] = node_.find_run(id);
  if (!run) {
    auto ended = co_await queries_.deployment(id);
    co_return ended;
  }
  const auto end = Steady::now() + what.at_most;
  for (;;) {
    DeploymentStatus status = status_of(*run);
    const bool seen = status.ended() || (what.until_decided && status.row.decided) || (!what.after.empty() && status.row.state != what.after);
    const auto left = std::chrono::ceil<milliseconds>(end - Steady::now());
    if (seen || left <= 0ms || node_.closed) co_return status;
    co_await run->changed.wait(left);
  }
}

}  // namespace berth::deploy
