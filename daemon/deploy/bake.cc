#include <algorithm>

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
  const spec::Deploy& rules = run->manifest->spec.deploy;
  const bool serves = run->position.state == State::baking;  // else beside the release before, as a canary
  const milliseconds whole = serves ? rules.bake.duration : rules.canary.bake;
  // The wall clock may jump, before and in between: the bake is never longer than it is to be, and its end is one of the monotonic clock.
  auto end = io::Steady::now() + bake_left(run->row, whole, bake_clocks(node_.options.node.boot));
  auto mark = io::Steady::now() + marks_apart(whole);
  const auto rests = [this, app, serves] { return serves && (app->row.stopped || node_.drained); };
  count_ready(*app, *run);
  if (run->resumed && app->run == run) judge_.look_back(*app);
  watch_again(app, run);
  if (serves && run->trouble.empty() && run->superseded.empty() && !rests()) co_await jobs_.run_of_deployment(app, run);
  while (!node_.closed) {
    if (!run->to_note.empty()) co_await node_.tell_notes(run);
    if (run->unsaved) co_await judge_.save(run);
    if (serves && !run->superseded.empty()) {
      const auto touched = co_await carry_newer(app, run);
      if (!touched) co_return std::unexpected(touched.error());
      if (*touched) end = io::Steady::now() + whole;
      continue;
    }
    if (rests()) {
      ++run->bakes;
      run->rests = true;
      run->ready = 0;
      const std::string waits = why_it_rests(*app, *run);
      co_await node_.note(run, waits);
      while (!node_.closed && rests() && run->superseded.empty()) co_await app->changed.wait(1h);
      run->rests = false;
      if (node_.closed || !run->superseded.empty()) continue;
      const std::string started = "the app was started again";
      auto again = co_await bake_again(app, run, started);
      if (!again) co_return again;
      end = io::Steady::now() + whole;
      continue;
    }
    if (!run->trouble.empty()) co_return fail(Errc::io, run->trouble);
    if (!run->cancelled_by.empty() && !run->position.decided) co_return fail(Errc::cancelled, "cancelled by " + run->cancelled_by);
    if (!run->superseded.empty()) co_return fail(Errc::conflict, run->superseded);
    const auto left = std::chrono::ceil<milliseconds>(end - io::Steady::now());
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

/// Looks at rates from now on; who looked before stops.
void Engine::watch_again(AppPtr app, RunPtr run) {
  ++run->bakes;
  if (watches_rates(*run)) node_.spawn(rates_.watch(app, run));
}

/// Carries what was asked for during the bake. What does not become active leaves the release as it was before: serving, and not yet found good. Whether the
/// bake begins again, since instances were touched. An error: the bake is over.
awaitable<Result<bool>> Engine::carry_newer(AppPtr app, RunPtr run) {
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
  if (!touched && run->trouble.empty()) {
    watch_again(app, run);
    co_return false;
  }
  const auto again = co_await bake_again(app, run, ended);
  if (!again) co_return std::unexpected(again.error());
  co_return true;
}

/// From its beginning: nobody has looked at the release for a while.
awaitable<Result<void>> Engine::bake_again(AppPtr app, RunPtr run, std::string why) {
  const spec::Deploy& rules = run->manifest->spec.deploy;
  if (!run->trouble.empty()) co_return fail(Errc::io, run->trouble);
  count_troubles_again(*run);
  set_bake_end(run->row, rules.bake.duration, bake_clocks(node_.options.node.boot));
  const auto write = [this, row = run->row] { static_cast<void>(node_.store.update_deployment(row, {})); };
  co_await node_.pool.run(write);
  const std::string text = fmt::format("its bake began again: {}", why);
  co_await node_.note(run, text);
  Result<void> ready;
  {
    const Turn turn = co_await node_.take(app);  // whoever starts it is done
    if (!node_.closed && !app->row.stopped && !node_.drained && run->superseded.empty()) ready = co_await members_.start_release(app, run->manifest, nullptr);
  }
  if (ready) ready = co_await members_.wait_ready(app, run->row.release, run, rules.ready_timeout);
  if (node_.closed || !run->superseded.empty() || app->row.stopped || node_.drained) co_return Result<void>();
  if (!ready) {
    run->trouble = fmt::format("{}, in its bake", ready.error().message);
    co_return fail(Errc::io, run->trouble);
  }
  watch_again(app, run);
  if (run->trouble.empty()) co_await jobs_.run_of_deployment(app, run);
  co_return Result<void>();
}

}  // namespace berth::deploy
