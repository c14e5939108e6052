#include <algorithm>

#include <boost/asio/post.hpp>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include "daemon/deploy/engine.h"
#include "daemon/deploy/last_lines.h"

namespace berth::deploy {
namespace {

using namespace std::chrono_literals;

/// The error, naming the release where its message does not, and why it had to be fetched where it was on the node.
Error about_in(const std::string& environment, const Run& run, Error error) {
  if (!run.drift.empty() && error.message.find(run.drift) == std::string::npos)
    error.message = fmt::format("its slot is not as it was sealed any more ({}), and could not be repaired from the repository: {}", run.drift, error.message);
  const std::string name = run.row.app + "@" + run.row.release, full = fmt::format("{}/{}@{}", run.row.app, environment, run.row.release);
  if (error.message.find(name) == std::string::npos && error.message.find(full) == std::string::npos) error.message = name + ": " + error.message;
  return error;
}

}  // namespace

bool starts_after_snapshot(const Course& course, const bundle::Manifest& manifest) { return course.stop_first && manifest.spec.data.snapshot; }

bool stops_first(const Course& course, const bundle::Manifest& manifest, bool something_runs) {
  return course.has_previous && something_runs && manifest.spec.strategy() == spec::Strategy::recreate;
}

/// The work of the state that the deployment is in; when it is done, the next one follows.
awaitable<Result<void>> Engine::work(AppPtr app, RunPtr run) {
  if (!run->cancelled_by.empty() && !run->position.decided && !run->unpacking) co_return fail(Errc::cancelled, "cancelled by " + run->cancelled_by);
  if (run->position.decided && !run->manifest && run->position.state != State::reverting) co_return fail(Errc::io, run->trouble);  // there is nothing to go on with
  Result<void> done;
  switch (run->position.state) {
    case State::queued: done = co_await begin(app, run); break;
    case State::fetching: done = co_await fetch_release(app, run); break;
    case State::unpacking: done = co_await await_stage(run, false); break;
    case State::preparing: done = co_await prepare(app, run); break;
    case State::starting: done = co_await start_new(app, run); break;
    case State::canary: done = co_await bake_canary(app, run); break;
    case State::switching: done = co_await switch_over(app, run); break;
    case State::baking: done = co_await bake(app, run); break;
    case State::reverting: done = co_await go_back(app, run); break;
    default: break;
  }
  co_return done;
}

/// What the deployment starts from is known when its turn has come.
awaitable<Result<void>> Engine::begin(AppPtr app, RunPtr run) {
  if (!run->superseded.empty()) co_return fail(Errc::conflict, run->superseded);
  if (auto open = node_.not_drained(); !open) {
    run->cancelled_by = kDrain;
    co_return open;
  }
  run->row.from = app->row.active;
  run->course.has_previous = !run->row.from.empty();
  node_.keep_releases(*run);
  const auto look = [this, name = app->name(), release = run->row.release] { return node_.store.slot(name, release); };
  const auto slot = co_await node_.pool.run(look);
  run->course.on_node = slot && *slot;
  if (!run->course.on_node) co_return Result<void>();
  run->row.manifest_sha256 = (*slot)->manifest_sha256;
  const auto same = co_await is_listed(run, false);
  if (!same) co_return same;
  auto looked = co_await slots_.require_whole(run, **slot);
  co_return looked;
}

/// Whether the repository, as far as it is known, has no other release under the id of one that is on the node, as its row says.
awaitable<Result<void>> Engine::is_listed(RunPtr run, bool only_planned) {
  // A revert goes back to what ran here, whatever is listed by now.
  if (node_.repository == nullptr || run->is_revert()) co_return Result<void>();
  const ReleaseRef release{.app = run->row.app, .environment = node_.options.node.environment, .release = run->row.release};
  const auto compare = [this, release, only_planned, sealed = run->row.manifest_sha256] { return node_.repository->check_sealed(release, sealed, only_planned); };
  auto same = co_await node_.pool.run(compare);
  co_return same;
}

/// Looks the release up where it comes from, and what of it the node does not allow.
awaitable<Result<fetch::Resolved>> Engine::resolve_release(RunPtr run) {
  if (node_.repository == nullptr)
    co_return std::unexpected(about_in(node_.options.node.environment, *run,
                                       {Errc::not_found, "it is not on this node, and berthd.toml names no [repository] to fetch it from"}));
  const auto stop = run->stop.get_token();
  std::optional<Visits::Visit> visit;
  Visits::Visit begun = co_await node_.visits.begin();
  visit.emplace(std::move(begun));
  const auto resolve = [this, run, row = run->row, stop]() -> Result<fetch::Resolved> {
    run->source = slots_.source_of(row.app, row.release);
    BERTH_TRY(auto found, run->source->resolve(row.app, node_.options.node.environment, row.release, stop));
    BERTH_CHECK(slots_.fits(row.app, row.release, found.manifest_sha256));
    BERTH_CHECK(check_policy(node_.options.node.policy, found.manifest));  // before it is fetched for nothing
    return found;
  };
  auto resolved = co_await node_.pool.run(resolve);
  visit.reset();
  if (!resolved) {
    Error error = about_in(node_.options.node.environment, *run, resolved.error());
    // An app of which there is none has no list of releases.
    const bool is_none = run->row.from.empty() && error.message.find("; there is no release of ") != std::string::npos;
    if (error.code == Errc::not_found) error.message += is_none ? std::string("; 'berth apps' lists what there is") : fmt::format("; 'berth releases {}' lists what there is", run->row.app);
    co_return std::unexpected(std::move(error));
  }
  co_return resolved;
}

/// Looks the release up and begins to stage it; returns when all is fetched.
awaitable<Result<void>> Engine::fetch_release(AppPtr app, RunPtr run) {
  auto resolved = co_await resolve_release(run);
  if (!resolved) co_return std::unexpected(std::move(resolved.error()));
  run->row.manifest_sha256 = resolved->manifest_sha256;
  run->manifest = std::make_shared<const bundle::Manifest>(resolved->manifest);
  auto ensured = co_await node_.ensure_app(app->name());
  if (!ensured) co_return std::unexpected(about_in(node_.options.node.environment, *run, ensured.error()));
  run->staged.reset();
  run->unpacking = false;
  node_.spawn(stage(app, run, std::move(*resolved)));
  auto fetched = co_await await_stage(run, true);
  co_return fetched;
}

/// Stages the release on a thread of the pool; how far it is reaches the run on the loop.
awaitable<void> Engine::stage(AppPtr app, RunPtr run, fetch::Resolved resolved) {
  const std::weak_ptr<Run> weak = run;
  const std::function<void(fetch::StagePhase)> phase = [executor = node_.executor, weak](fetch::StagePhase reached) {
    if (reached != fetch::StagePhase::unpacking) return;
    boost::asio::post(executor, [weak] {
      const auto told = weak.lock();
      if (!told) return;
      told->unpacking = true;
      told->changed.notify();
    });
  };
  const auto work = [this, name = app->name(), run, resolved = std::move(resolved), phase, stop = run->stop.get_token()]() -> Result<fetch::Staged> {
    BERTH_TRY(const auto options, slots_.stage_options(name));
    BERTH_TRY(const std::filesystem::path staging, node_.store.make_staging(run->row.id));
    return fetch::stage(*run->source, resolved, staging, options, run->progress, phase, stop);
  };
  const Visits::Visit visit = co_await node_.visits.begin();
  auto staged = co_await node_.pool.run(work);
  if (staged) {
    slots_.count_fetched(app->name(), *staged);
    for (const std::string& note : staged->notes)
      if (add_note(*run, note)) spdlog::warn("{}@{}: {}", run->row.app, run->row.release, note);
  }
  run->staged = std::move(staged);
  run->changed.notify();
}

awaitable<Result<void>> Engine::await_stage(RunPtr run, bool until_unpacking) {
  while (!node_.closed && !run->staged && !(until_unpacking && run->unpacking)) co_await run->changed.wait(1h);
  if (node_.closed) co_return fail(Errc::cancelled, "berthd stops");
  if (!run->staged) co_return Result<void>();
  if (!*run->staged) co_return std::unexpected(about_in(node_.options.node.environment, *run, run->staged->error()));
  const fetch::Staged& staged = **run->staged;
  run->row.detail["tree_bytes"] = static_cast<std::int64_t>(staged.tree_bytes);
  run->row.detail["fetched_bytes"] = static_cast<std::int64_t>(staged.fetched_bytes());
  co_return Result<void>();
}

awaitable<Result<void>> Engine::seal_release(AppPtr app, RunPtr run) {
  fetch::Staged staged;
  if (run->staged && *run->staged) staged = **run->staged;
  const store::SlotRow slot{.app = app->name(), .release = run->row.release, .manifest_sha256 = run->row.manifest_sha256, .bytes = staged.tree_bytes,
                            .signed_by = staged.signers.role, .signing_keys = staged.signers.keys};
  const store::Event event{.number = 0, .at = {}, .kind = "slot.sealed", .app = app->name(), .data = sealed_data(slot, staged)};
  const auto seal = [this, id = run->row.id, slot, event] { return node_.store.seal(id, slot, event); };
  auto sealed = co_await node_.pool.run(seal);
  if (!sealed) co_return std::unexpected(about_in(node_.options.node.environment, *run, sealed.error()));
  co_return sealed;
}

/// All that can be refused before anything of the app is touched: its manifest, its secrets and programs, its ports, room for a copy of its data. Then its
/// hooks may refuse. The one that migrates runs here, too, unless it has to wait until the app is stopped and its data are copied.
awaitable<Result<void>> Engine::prepare(AppPtr app, RunPtr run) {
  auto manifest = co_await node_.manifest_of(app, run->row.release);
  if (!manifest) co_return std::unexpected(manifest.error());
  run->manifest = *manifest;
  const bool something_runs = !members_of(*app, app->row.active).empty();
  run->course.stop_first = stops_first(run->course, **manifest, something_runs);
  auto planned = co_await data_steps_.plan(app, run);
  if (!planned) co_return std::unexpected(about_in(node_.options.node.environment, *run, planned.error()));
  co_await choose_strategy(app, run);
  auto possible = co_await members_.check_plans(app, *manifest);
  if (!possible) co_return std::unexpected(about_in(node_.options.node.environment, *run, possible.error()));
  if (!run->is_revert()) {
    const auto awaited = co_await await_apps(app, *manifest, run);
    if (!awaited) co_return std::unexpected(about_in(node_.options.node.environment, *run, awaited.error()));
  }
  auto claimed = co_await routes_.claim(app, *manifest);
  if (!claimed) co_return std::unexpected(about_in(node_.options.node.environment, *run, claimed.error()));
  co_await judge_.note_before(app, run);
  co_await rates_.begin_baseline(app, run);
  if (run->course.stop_first) {  // the decision comes next
    auto looked = co_await rates_.finish_baseline(app, run);
    if (!looked) co_return looked;
    auto may_switch = co_await hooks_.ask_ready_to_switch(app, run);
    if (!may_switch) co_return std::unexpected(may_switch.error());
  }
  if (run->is_revert() || starts_after_snapshot(run->course, *run->manifest)) co_return Result<void>();
  const std::string pre_start = "pre-start";
  auto ran = co_await hooks_.run(app, run, run->manifest, pre_start);
  co_return ran;
}

/// Limits that this node cannot enforce stop no deployment, but are told: a process that runs with them elsewhere may take the whole node here.
awaitable<void> Engine::note_unenforced(AppPtr app, RunPtr run) {
  std::map<std::string, std::vector<std::string>> words;  // by process: its instances are alike
  for (const InstanceId& id : members_of(*app, run->row.release))
    if (const auto status = node_.supervisor.status(id); status && !status->unenforced.empty()) words[id.process] = status->unenforced;
  for (const auto& [process, limits] : words) {
    std::string text = fmt::format("{} of {} not enforced on this node: it has no cgroup2 with such controllers that berthd may use", fmt::join(limits, ", "), process);
    co_await node_.note(run, std::move(text));
  }
}

awaitable<Result<void>> Engine::start_new(AppPtr app, RunPtr run) {
  if (!run->is_revert() && starts_after_snapshot(run->course, *run->manifest)) {
    const std::string pre_start = "pre-start";
    auto ran = co_await hooks_.run(app, run, run->manifest, pre_start);
    if (!ran) co_return ran;
  }
  if (run->position.decided && !run->trouble.empty()) {  // while berthd was away
    co_await hooks_.end(app, run);
    co_return fail(Errc::io, run->trouble);
  }
  if (run->position.decided) run->troubles = {};  // not before all are ready, also where a berthd before had come so far
  run->began = std::chrono::system_clock::now();
  if (run->row.from == run->row.release && members_.runs(*app, run->row.release)) {
    std::string text = fmt::format("its instances go on as they are: 'berth restart {}' starts them from what is on the disk now", app->name());
    co_await node_.note(run, std::move(text));
  }
  const bool some_first = run->course.gradual && !run->course.canary;
  Rolling first;
  if (some_first) {
    first = rolling_of(*run, run->manifest->spec.deploy.drain);
    first.until_first = true;
  }
  Result<void> started;
  if (some_first) started = co_await roll(app, run, first);
  else if (run->course.canary) started = co_await start_canary(app, run);
  else started = co_await members_.start_release(app, run->manifest, run);
  if (!started) co_return started;
  co_await note_unenforced(app, run);
  auto ready = co_await members_.wait_ready(app, run->row.release, run, run->manifest->spec.deploy.ready_timeout);
  if (!ready) co_return ready;
  if (!run->course.stop_first && watches_rates(*run)) {
    auto looked = co_await rates_.finish_baseline(app, run);
    if (!looked) co_return looked;
    ready = co_await members_.wait_ready(app, run->row.release, run, run->manifest->spec.deploy.ready_timeout);  // it has been a while
    if (!ready) co_return ready;
  }
  if (run->position.decided && !run->is_revert()) judge_.begin(*app, *run);
  const std::string post_start = "post-start", post_switch = "post-switch";
  auto ran = co_await hooks_.run(app, run, run->manifest, post_start);
  if (!ran) co_return ran;
  if (!run->course.stop_first) {
    const auto postponed = co_await hooks_.ask_ready_to_switch(app, run);
    if (!postponed) co_return std::unexpected(postponed.error());
    ready = co_await members_.wait_ready(app, run->row.release, run, run->manifest->spec.deploy.ready_timeout);  // hooks may have taken a while
    co_return ready;
  }
  app->routed = run->row.release;
  auto routed = co_await routes_.lead(app);
  run->nodes_fault = !routed;
  if (routed) co_await hooks_.attempt(app, run, run->manifest, post_switch);
  if (routed && !run->trouble.empty()) co_return fail(Errc::io, run->trouble);
  co_return routed;
}

/// From the decision on: the route, `current`, the end of the old instances, and what becomes of their data. Trouble of the new ones ends it; where the old ones
/// still run then, they are not stopped.
awaitable<Result<void>> Engine::switch_over(AppPtr app, RunPtr run) {
  if (run->torn) co_return fail(Errc::io, "berthd ended while it replaced instances, and neither release was whole");
  if (run->course.gradual) {
    const auto joined = co_await join_ready(app, run->row.release);
    if (!joined) co_return std::unexpected(joined.error());
  } else if (!run->course.stop_first) {
    app->routed = run->row.release;
    auto routed = co_await routes_.lead(app);
    run->nodes_fault = !routed;
    if (!routed) co_return routed;
  }
  const auto swap = [this, name = app->name()] { return node_.store.swap_current(name); };
  auto swapped = co_await node_.pool.run(swap);
  run->nodes_fault = !swapped;
  if (!swapped) co_return swapped;
  co_await hold_or_resume(app, run);
  if (node_.closed) co_return fail(Errc::cancelled, "berthd stops");
  milliseconds drain = run->manifest->spec.deploy.drain;
  ManifestPtr old;
  if (!run->row.from.empty()) {
    const auto read = co_await node_.manifest_of(app, run->row.from);
    if (read) old = *read;
  }
  const std::string pre_stop = "pre-stop", post_switch = "post-switch", on_revert = "on-revert";
  if (old) {
    drain = old->spec.deploy.drain;
    if (run->row.from != run->row.release && !members_of(*app, run->row.from).empty()) co_await hooks_.attempt(app, run, old, pre_stop);
  }
  if (!run->trouble.empty()) co_return fail(Errc::io, run->trouble);
  if (run->course.gradual) {
    const Rolling rest = rolling_of(*run, drain);
    auto rolled = co_await roll(app, run, rest);
    if (!rolled) co_return rolled;
    app->routed = run->row.release;
    forget_joined(*app);
    auto routed = co_await routes_.lead(app);
    run->nodes_fault = !routed;
    if (!routed) co_return routed;
  }
  co_await members_.stop_all_but(app, run->row.release, drain, run);
  if (node_.closed) co_return fail(Errc::cancelled, "berthd stops");
  if (!run->trouble.empty()) co_return fail(Errc::io, run->trouble);
  if (old && run->is_revert()) co_await hooks_.attempt(app, run, old, on_revert);
  co_await routes_.give_up_but(app, run->manifest);
  if (run->course.stop_first) {
    auto arranged = co_await data_steps_.arrange(app, run);
    run->nodes_fault = !arranged;
    co_return arranged;
  }
  co_await hooks_.attempt(app, run, run->manifest, post_switch);
  if (!run->trouble.empty()) co_return fail(Errc::io, run->trouble);
  co_return Result<void>();
}

/// A revert by hand holds the app, and its release is not taken again; a newer release ends that. What an operator holds stays held.
awaitable<void> Engine::hold_or_resume(AppPtr app, RunPtr run) {
  if (!run->is_revert() && (!app->row.held || app->row.held.firm)) co_return;
  store::Hold now_held;
  const std::function<Result<void>()> hold = [this, row = run->row, &now_held]() -> Result<void> {
    const Asked asked{row.by, row.why};
    if (row.kind == "revert") {
      const std::string why = store::reverted_by_hand(row);
      std::optional<store::Rejected> left;
      if (!row.from.empty()) {
        BERTH_TRY(const auto slot, node_.store.slot(row.app, row.from));
        left = store::Rejected{.release = row.from, .manifest_sha256 = slot ? slot->manifest_sha256 : std::string(), .reason = why, .at = {}};
      }
      const store::Hold held{.why = why, .by = row.by, .at = store::now_text()};
      BERTH_TRY(now_held, node_.store.hold_by_revert(row, held, left, operator_event("hold", row.app, asked, {{"held", why}, {"firm", false}})));
      return {};
    }
    // Looked up here: an operator may have held the app while this waited.
    BERTH_TRY(const auto now, node_.store.app(row.app));
    if (now && now->held.firm) now_held = now->held;
    if (!now || !now->held || now->held.firm) return {};
    return node_.store.set_held(row.app, {}, operator_event("resume", row.app, asked));
  };
  co_await node_.insist(app, hold);
  if (node_.closed) co_return;
  app->row.held = now_held;
  static_cast<void>(co_await node_.reload(app));  // what was left is not gone back to
}

/// What the instance that the failure names printed last, for the history; where it names none, what all of the release did.
awaitable<void> Engine::collect_lines(AppPtr app, RunPtr run) {
  if (!members_.ever_ran(*app, run->row.release)) co_return;  // what is in the logs is another release's
  InstanceSelector whose{.app = app->name()};
  if (const auto named = run->failure ? named_in(run->failure->message, members_of(*app, run->row.release)) : std::nullopt) {
    whose.process = named->process;
    whose.number = named->number;
  }
  const auto read = [logs = node_.store.paths().logs, whose, release = run->row.release, since = run->began, redact = node_.redacting(app->name())] {
    return printed_last(logs, whose, since, release, redact);
  };
  auto lines = co_await node_.pool.run(read);
  if (lines) keep_lines(*run, std::move(*lines));
}

}  // namespace berth::deploy
