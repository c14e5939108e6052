#include <algorithm>
#include <optional>

#include <fmt/core.h>

#include "daemon/deploy/engine.h"

namespace berth::deploy {

using namespace std::chrono_literals;

namespace {

/// How much is left is written down that often: for a machine that goes down, which then has to bake so much longer at most.
milliseconds marks_apart(milliseconds whole) { return std::max(whole / 20, milliseconds(5000)); }

/// Why the bake waits, and the ways out of it.
std::string why_it_rests(const App& app, const Run& run) {
  if (!app.row.stopped) return "the node is drained: its bake waits, and begins again when 'berth node resume' starts the app";
  return fmt::format("the app is {}: its bake waits, and begins again with 'berth start {}'{}", store::stopped_text(app.row), app.name(), or_back(app, run));
}

}  // namespace

/// Until the bake is over. What was asked for since goes first, a stopped app does not bake, and trouble ends it.
awaitable<Result<void>> Engine::bake(AppPtr app, RunPtr run) {
  const bool serves = run->position.state == State::baking;  // else beside the release before, as a canary
  const milliseconds whole = serves ? whole_bake(*run) : run->manifest->spec.deploy.canary.bake;
  // The wall clock may jump, before and in between: the bake is never longer than it is to be, and its end is one of the monotonic clock.
  std::optional<io::Steady::time_point> end;  // none: it is not looked at
  io::Steady::time_point mark;
  count_ready(*app, *run);
  if (run->resumed && app->run == run) judge_.look_back(*app);
  while (!node_.closed) {
    if (!run->to_note.empty()) co_await node_.tell_notes(run);
    if (run->unsaved) co_await judge_.save(run);
    if (serves && !run->superseded.empty()) {
      end.reset();
      const auto carried = co_await carry_newer(app, run);
      if (!carried) co_return carried;
      continue;
    }
    if (bake_rests(*app, *run)) {
      end.reset();
      co_await rest(app, run);
      continue;
    }
    if (!run->trouble.empty()) co_return fail(Errc::io, run->trouble);
    if (!run->cancelled_by.empty() && !run->position.decided) co_return fail(Errc::cancelled, "cancelled by " + run->cancelled_by);
    if (!run->superseded.empty()) co_return fail(Errc::conflict, run->superseded);
    if (bake_waits(*run)) {
      co_await await_instances(app, run);
      continue;
    }
    if (!end) {
      end = io::Steady::now() + bake_left(run->row, whole, bake_clocks(node_.options.node.boot));
      mark = io::Steady::now() + marks_apart(whole);
      co_await begin_bake(app, run);
      continue;
    }
    const auto left = std::chrono::ceil<milliseconds>(*end - io::Steady::now());
    const auto until_mark = std::chrono::ceil<milliseconds>(mark - io::Steady::now());
    if (left > 0ms && until_mark <= 0ms) {
      keep_bake_left(run->row, left);
      run->unsaved = true;
      mark = io::Steady::now() + marks_apart(whole);
      continue;
    }
    if (left > 0ms) {
      co_await run->changed.wait(std::min(left, until_mark));
      continue;
    }
    const auto whole_now = co_await judge_.whole_after(app, run);
    if (whole_now && run->trouble.empty()) break;
    if (!whole_now && whole_now.error().code == Errc::timeout) run->trouble = fmt::format("{}, at the end of its bake", whole_now.error().message);
  }
  co_return Result<void>();
}

/// From now on rates are looked at, and who looked before stops. Its jobs run, those that were not begun.
awaitable<void> Engine::begin_bake(AppPtr app, RunPtr run) {
  ++run->bakes;
  if (watches_rates(*run)) node_.spawn(rates_.watch(app, run));
  if (run->position.state == State::baking) co_await jobs_.run_of_deployment(app, run);
}

/// A stopped app does not bake, nor does one of a drained node.
bool Engine::bake_rests(const App& app, const Run& run) const { return run.position.state == State::baking && (app.row.stopped || node_.drained); }

/// Until the app is to run again, or is asked for something newer. Then its bake begins again.
awaitable<void> Engine::rest(AppPtr app, RunPtr run) {
  ++run->bakes;
  run->ready = 0;
  keep_bake_left(run->row, whole_bake(*run));
  hold_bake(run->row);  // a berthd that comes back after the start does not take the rest for a bake
  co_await judge_.save(run);
  const std::string waits = why_it_rests(*app, *run);
  co_await node_.note(run, waits);
  while (!node_.closed && bake_rests(*app, *run) && run->superseded.empty()) co_await app->changed.wait(1h);
  const std::string started = "the app was started again";
  if (!node_.closed && run->superseded.empty()) co_await bake_again(run, started);
}

/// How many instances of a release that bakes are ready now: also of those that were adopted, and while one is restarted.
void Engine::count_ready(const App& app, Run& run) const {
  int ready = 0, wanted = 0;
  for (const InstanceId& id : members_of(app, run.row.release)) {
    if (is_paused(app, id)) continue;
    const auto status = node_.supervisor.status(id);
    ++wanted;
    if (status && status->ready) ++ready;
  }
  run.ready = ready;
  run.wanted = wanted;
}

/// Carries what was asked for during the bake. What does not become active leaves the release as it was before: serving, and not yet found good. The bake
/// begins again where instances were touched. An error: the bake is over.
awaitable<Result<void>> Engine::carry_newer(AppPtr app, RunPtr run) {
  const std::string why = run->superseded;
  ++run->bakes;
  app->giving_way.push_back(run);
  std::string ended = "what was asked for since did not become active";
  bool touched = app->queue.empty();  // it was carried before berthd ended
  while (!node_.closed && !app->queue.empty()) {
    const RunPtr newer = app->queue.front();
    app->run = newer;
    app->queue.pop_front();
    co_await carry(app, newer);
    if (node_.closed) co_return fail(Errc::cancelled, "berthd stops");
    ended = fmt::format("deployment {} of {} is {}", newer->row.id, newer->row.release, to_string(newer->position.state));
    for (const auto& step : newer->steps) touched = touched || step.state == to_string(State::preparing);
    app->changed.notify();
  }
  app->giving_way.pop_back();
  app->run = run;
  app->changed.notify();
  if (app->accepted > run->row.id || app->row.active != run->row.release || run->ends_bake) co_return fail(Errc::conflict, why);
  run->superseded.clear();
  judge_.look_back(*app);
  if (touched) co_await bake_again(run, ended);
  co_return Result<void>();
}

/// From its beginning, when all instances are ready: nobody has looked at the release for a while. Trouble that is known ends it all the same.
awaitable<void> Engine::bake_again(RunPtr run, std::string why) {
  if (!run->trouble.empty()) co_return;
  count_troubles_again(*run);
  keep_bake_left(run->row, whole_bake(*run));
  hold_bake(run->row);
  co_await judge_.save(run);
  const std::string text = fmt::format("its bake began again: {}", why);
  co_await node_.note(run, text);
}

/// What is left of a bake that waits begins when all instances are ready. By then they are what those of a deployment are that starts: not ready in time, or ended
/// too often, they are its trouble.
awaitable<void> Engine::await_instances(AppPtr app, RunPtr run) {
  const auto goes_on = [this, app, run] { return !node_.closed && run->superseded.empty() && !bake_rests(*app, *run); };
  Result<void> ready;
  {
    const Turn turn = co_await node_.take(app);  // whoever starts it is done
    if (goes_on()) ready = co_await members_.start_release(app, run->manifest, nullptr);
  }
  if (ready) ready = co_await members_.wait_ready(app, run->row.release, run, run->manifest->spec.deploy.ready_timeout);
  if (!goes_on()) co_return;
  if (!ready) {
    run->trouble = fmt::format("{}, in its bake", ready.error().message);
    co_return;
  }
  judge_.look_back(*app);
  go_on_with_bake(run->row, whole_bake(*run), bake_clocks(node_.options.node.boot));
  co_await judge_.save(run);
}

}  // namespace berth::deploy
