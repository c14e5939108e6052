#include <algorithm>

#include <fmt/core.h>
#include <spdlog/spdlog.h>

#include "core/exit_code.h"
#include "core/logs/record_time.h"
#include "daemon/deploy/engine.h"
#include "daemon/deploy/last_lines.h"
#include "daemon/journal/message.h"

namespace berth::deploy {
namespace {

using namespace std::chrono_literals;

constexpr int kMostInterruptions = 3;  ///< a release that takes berthd down with it is not tried for ever

/// From here to the end of the switch a deployment has its app for itself.
bool needs_turn(State state) {
  return state == State::preparing || state == State::starting || state == State::canary || state == State::switching || state == State::reverting;
}

/// Whether a deployment that is to begin again, since berthd died in it, left instances that nobody else wants.
bool left_instances(const App& app, const Run& run) {
  return run.resumed && run.position == Position{State::queued, false} && run.row.release != app.row.active &&
         std::ranges::any_of(app.members, [&run](const Member& member) { return member.row.release == run.row.release; });
}

/// Whether it is judged from here on what its instances do: they serve. With `recreate` they are started after the decision, and a revert by hand, to what worked,
/// has no bake.
bool begins_judging(const Run& run) {
  const State state = run.position.state;
  if (state == State::switching) return !run.course.stop_first && (run.course.gradual || !run.is_revert());
  return state == State::baking || state == State::canary;
}

bool has(const std::vector<Effect>& effects, Effect effect) { return std::ranges::find(effects, effect) != effects.end(); }

bool from_repository(State state) { return state == State::queued || state == State::fetching || state == State::unpacking; }

/// What a deployment ended in, for whoever waits for it.
Exit exit_of_end(State end, State before, const std::optional<Error>& failure) {
  switch (end) {
    case State::active: return Exit::ok;
    case State::reverted: return Exit::reverted;
    case State::cancelled:
    case State::superseded: return Exit::conflict;
    default: return failure ? exit_of_failure(*failure, from_repository(before)) : Exit::failed;
  }
}

/// Why it ended as it did, where nothing failed.
std::string reason_of(const Run& run) {
  if (run.position.state == State::superseded) return run.superseded;
  if (run.position.state == State::cancelled) return "cancelled by " + run.cancelled_by;
  if (run.position.state == State::interrupted) return fmt::format("berthd ended {} times while it was under way", run.interruptions);
  return {};
}

void log_state(const Run& run) {
  using journal::Message;
  static constexpr std::pair<State, Message> kEnds[] = {{State::active, Message::deployment_active}, {State::failed, Message::deployment_failed}, {State::reverted, Message::deployment_reverted}, {State::interrupted, Message::deployment_interrupted}};
  const State state = run.position.state;
  const auto level = state == State::failed || state == State::reverting || state == State::interrupted || state == State::reverted ? spdlog::level::warn : spdlog::level::info;
  const std::string text = fmt::format("{}@{}: {}{}{}", run.row.app, run.row.release, run.row.state, run.row.reason.empty() ? "" : ": ", run.row.reason);
  const auto end = std::ranges::find(kEnds, state, &std::pair<State, Message>::first);
  if (end == std::end(kEnds)) return spdlog::log(level, "{}", text);
  journal::log(level, end->second, {.app = run.row.app, .release = run.row.release, .reason = run.row.reason, .deployment = run.row.id}, text);
}

/// What to do where an app printed that its address is in use, and it is reached at a port that berthd listens at for it.
std::string port_hint(const Run& run) {
  if (!run.manifest || !tells_port_taken(run.last_lines)) return {};
  for (const auto& [name, process] : run.manifest->spec.processes) {
    if (process.routing == spec::Routing::port)
      return fmt::format("; it says that an address is in use: berthd listens at {} for it, and the app is to listen at $PORT of its environment", process.public_port);
    if (process.routing == spec::Routing::socket)
      return fmt::format("; it says that an address is in use: berthd listens at {} for it, and the app is to take descriptor 3 (LISTEN_FDS, or listen_env in its spec); "
                         "one that can only bind a port itself wants `port` instead of `socket`", process.public_port);
  }
  return {};
}

/// How its end is counted: one of a release that there is not, as of a name that was mistyped, says nothing of a release.
std::string end_counted_of(const Run& run) {
  const bool unknown = run.position.state == State::failed && !run.manifest && run.failure && run.failure->code == Errc::not_found;
  return unknown ? std::string("not_found") : run.row.state;
}

/// The run is in its new state: its row tells of it from the next write on.
void take_position(Run& run, Position to, const std::string& boot) {
  const State before = run.position.state;
  run.position = to;
  run.steps.push_back({std::string(to_string(to.state)), store::now_text()});
  if (before == State::canary) run.row.bake_until_ms = 0;
  if (to.state == State::canary) set_bake_end(run.row, run.manifest->spec.deploy.canary.bake, bake_clocks(boot));
  if (to.state == State::baking && run.row.bake_until_ms == 0) set_bake_end(run.row, whole_bake(run), bake_clocks(boot));
  if (is_terminal(to.state)) {
    run.row.bake_until_ms = 0;
    run.row.ended_at = run.steps.back().at;
    if (const std::string reason = reason_of(run); !reason.empty()) run.row.reason = reason;
    run.row.detail["exit"] = static_cast<int>(exit_of_end(to.state, before, run.failure));
  }
  put_detail(run);
}

}  // namespace

void Engine::drive(AppPtr app) {
  if (app->driven || !app->up) return;
  app->driven = true;
  node_.spawn(drive_all(app));
}

awaitable<void> Engine::drive_all(AppPtr app) {
  while (!node_.closed && !app->queue.empty()) {
    app->run = app->queue.front();
    app->queue.pop_front();
    co_await carry(app, app->run);
    if (node_.closed) co_return;
    app->run.reset();
    app->changed.notify();
  }
  app->driven = false;
  // One that did not even get a slot is unknown again.
  const auto newcomer = node_.newcomers.find(app->name());
  if (newcomer == node_.newcomers.end() || newcomer->second != app) co_return;
  node_.newcomers.erase(newcomer);
  node_.unknown.add(app->name(), io::Steady::now(), node_.counts);
}

/// Carries a deployment from where it is to its end.
awaitable<void> Engine::carry(AppPtr app, RunPtr run) {
  std::optional<Turn> turn;
  if (run->interruptions >= kMostInterruptions && !run->position.decided) co_await move(app, run, Happening::given_up);
  while (!node_.closed && !is_terminal(run->position.state)) {
    if (needs_turn(run->position.state) && !turn) {
      Turn taken = co_await node_.take(app);
      turn.emplace(std::move(taken));
    }
    if (run->position.state == State::baking) turn.reset();
    auto worked = co_await work(app, run);
    if (node_.closed) co_return;
    auto happening = Happening::done;
    if (!worked) {
      happening = happening_of(*run);
      run->failure = worked.error();
      if (happening == Happening::failed && run->position.state != State::reverting && !run->hook_failed) co_await collect_lines(app, run);
    }
    // Whatever follows trouble in the bake needs the app, too.
    if (!turn && run->position.state == State::baking && happening == Happening::failed) {
      Turn taken = co_await node_.take(app);
      turn.emplace(std::move(taken));
      if ((app->row.stopped || node_.drained) && run->manifest) {  // somebody was faster; the bake waits, and then tells its trouble again
        run->failure.reset();
        continue;
      }
    }
    if (!turn && happening == Happening::superseded && left_instances(*app, *run)) {
      Turn taken = co_await node_.take(app);
      turn.emplace(std::move(taken));
    }
    co_await move(app, run, happening);
    if (node_.closed) co_return;
  }
}

bool gives_way(const Run& run) {
  const State state = run.position.state;
  return state == State::queued || state == State::baking || state == State::canary || (run.may_give_way && !run.position.decided);
}

Happening Engine::happening_of(const Run& run) const {
  if (run.torn && run.position.state == State::switching && run.interruptions < kMostInterruptions) return Happening::torn;
  if (!run.superseded.empty() && gives_way(run)) return Happening::superseded;
  if (!run.cancelled_by.empty() && !run.position.decided) return Happening::cancelled;
  return Happening::failed;
}

/// What must have happened before a transition with these effects counts.
awaitable<Result<void>> Engine::before(AppPtr app, RunPtr run, std::vector<Effect> effects) {
  if (has(effects, Effect::seal)) {
    auto sealed = co_await seal_release(app, run);
    if (!sealed) co_return sealed;
  }
  if (run->failure && run->row.reason.empty()) {
    run->row.reason = run->failure->message + port_hint(*run);
    if (run->failure->code == Errc::not_found && !run->manifest && app->row.active.empty()) run->row.reason += node_.meant(run->row.app);
  }
  if (has(effects, Effect::drop_new)) co_await after(app, run, Effect::drop_new);
  co_return Result<void>();
}

/// Makes a transition: what comes before it, then the database, then the rest.
awaitable<void> Engine::move(AppPtr app, RunPtr run, Happening happening) {
  run->course.blamed = !run->nodes_fault && (run->position.state != State::starting || members_.ever_ran(*app, run->row.release));
  auto transition = step(run->position, run->course, happening);
  if (!transition) transition = step(run->position, run->course, Happening::failed);
  if (happening == Happening::superseded && left_instances(*app, *run)) transition->effects.push_back(Effect::drop_new);
  auto prepared = co_await before(app, run, transition->effects);
  if (node_.closed) co_return;
  if (!prepared) {
    run->failure = prepared.error();
    co_await move(app, run, Happening::failed);
    co_return;
  }
  if (is_terminal(transition->to.state)) co_await hooks_.end(app, run);
  if (node_.closed) co_return;
  const Position was = run->position;
  if (has(transition->effects, Effect::reject)) run->row.detail["rejected"] = true;
  if (transition->to.state == State::baking) run->row.detail["boot"] = node_.options.node.boot;
  take_position(*run, transition->to, node_.options.node.boot);
  if (begins_judging(*run)) judge_.begin(*app, *run);
  const bool decides = has(transition->effects, Effect::decide);
  auto committed = co_await commit(app, run, transition->effects);
  for (auto pause = 100ms; !committed && !decides && !node_.closed; pause = std::min(pause * 2, milliseconds(5000))) {
    // The disk takes nothing: what runs goes on, and so does this when it can.
    note_problem(*app, committed.error().message);
    co_await io::sleep_for(pause);
    committed = co_await commit(app, run, transition->effects);
  }
  if (node_.closed) co_return;
  if (!committed) {
    // No decision: as if it had not been tried.
    run->position = was;
    run->steps.pop_back();
    run->failure = committed.error();
    run->nodes_fault = true;  // which says nothing of the release
    co_await move(app, run, Happening::failed);
    co_return;
  }
  log_state(*run);
  count_step(*run);
  if (is_terminal(run->position.state)) run->in_use.reset();
  if (run->is_revert() && run->position.state == State::reverted) static_cast<void>(co_await node_.reload(app));  // what is previous now
  for (const Effect effect : transition->effects)
    if (effect == Effect::decide || effect == Effect::decide_revert || effect == Effect::reject || effect == Effect::tidy) co_await after(app, run, effect);
  run->changed.notify();
  if (!is_terminal(run->position.state)) co_return;
  if (run->position.state == State::active) app->accepted = run->row.id;
  ++node_.counts.ended[{app->name(), end_counted_of(*run)}];
  deployment_ended_();
  // Whoever deployed by hand may still have to say that it is to stay.
  if (run->row.by == kFollow) settled_(app->name());
}

/// The step that the run has just left.
void Engine::count_step(const Run& run) {
  if (run.steps.size() < 2) return;
  const auto& left = run.steps[run.steps.size() - 2];
  const auto began = logs::parse_rfc3339(left.at), ended = logs::parse_rfc3339(run.steps.back().at);
  StepTime& time = node_.counts.steps[{run.row.app, left.state}];
  ++time.count;
  if (began && ended && *ended > *began) time.seconds += std::chrono::duration<double>(*ended - *began).count();
}

const Counts& Engine::counts() {
  node_.unknown.forget_old(io::Steady::now(), node_.counts);
  return node_.counts;
}

/// The database learns where the deployment is; a decision is in the same transaction, and that its release is rejected, with the reason that the history shows.
awaitable<Result<void>> Engine::commit(AppPtr app, RunPtr run, std::vector<Effect> effects) {
  const bool decides = has(effects, Effect::decide), reverts = has(effects, Effect::decide_revert);
  const bool reverting = reverts && run->position.state == State::reverting;
  const bool undone = run->is_revert() && run->position.state == State::reverted;
  store::Event event = deployment_event(*run);
  std::optional<store::Rejected> rejected;
  if (has(effects, Effect::reject)) {
    event.data["rejected"] = true;
    rejected = store::Rejected{.release = run->row.release, .manifest_sha256 = run->row.manifest_sha256, .reason = run->row.reason, .at = {}};
  }
  const auto held = std::make_shared<store::Hold>();
  const auto write = [this, row = run->row, event, decides, reverts, reverting, undone, rejected, held]() -> Result<void> {
    std::vector<store::Event> events{event};
    if (reverting) events.clear();  // that it goes back was told when it began to
    if (decides && status_of(row).stopped) events.push_back(operator_event("start", row.app, {row.by, row.why}));
    if (decides) return node_.store.decide(row, std::move(events));
    if (reverts) return node_.store.decide_revert(row, row.from, std::move(events), rejected);
    if (undone) {
      BERTH_TRY(*held, node_.store.end_undone_revert(row, event));
      return {};
    }
    return node_.store.update_deployment(row, std::move(events), rejected);
  };
  auto written = co_await node_.pool.run(write);
  if (written && undone) app->row.held = *held;
  if (written || !decides) co_return written;
  // An error of the disk can come after the decision was on it.
  const auto look = [this, id = run->row.id] { return node_.store.deployment(id); };
  const auto row = co_await node_.pool.run(look);
  if (row && *row && (*row)->decided) co_return Result<void>();
  co_return written;
}

awaitable<void> Engine::after(AppPtr app, RunPtr run, Effect effect) {
  switch (effect) {
    case Effect::decide: {
      app->row.active = run->row.release;
      if (status_of(run->row).stopped) {
        app->row.stopped = false;
        app->row.stop = {};
      }
      static_cast<void>(co_await node_.reload(app));  // what is previous now
      app->since = run->steps.back().at;
      app->manifests[run->row.release] = run->manifest;
      break;
    }
    case Effect::decide_revert: {
      app->row.active = run->row.from;
      static_cast<void>(co_await node_.reload(app));  // what is previous now
      const std::function<Result<void>()> swap = [this, name = app->name()] { return node_.store.swap_current(name); };
      co_await node_.insist(app, swap);
      break;
    }
    case Effect::reject: {
      static_cast<void>(co_await node_.reload(app));  // what is previous now
      break;
    }
    case Effect::drop_new: co_await drop_new(app, run); break;
    case Effect::tidy: {
      if (run->position.state == State::active && !run->is_revert()) app->problem.clear();
      const std::vector<std::string> in_use = releases_in_use(*app);
      std::vector<std::string> waiting;
      for (const RunPtr& later : app->queue) waiting.push_back(later->row.release);
      std::vector<std::int64_t> open{run->row.id};
      for (const RunPtr& older : app->giving_way) open.push_back(older->row.id);
      const std::function<Result<void>()> accept = [this, name = app->name(), release = run->row.release] { return node_.store.unreject(name, release); };
      if (run->position.state == State::active) co_await node_.insist(app, accept);
      const auto tidy = [this, name = app->name(), open, in_use, waiting, keep = node_.options.keep] {
        auto collected = node_.store.collect(name, in_use, keep);
        static_cast<void>(node_.store.drop_imports(name, waiting, false));
        static_cast<void>(node_.store.collect_data(name, open, false));
        return collected;
      };
      const auto removed = co_await node_.pool.run(tidy);
      if (removed) forget_manifests(*app, *removed);
      else remove_rests_later();
      break;
    }
    case Effect::seal: break;  // before the transition counts
  }
}

}  // namespace berth::deploy
