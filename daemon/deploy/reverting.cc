#include <algorithm>

#include <fmt/core.h>

#include "daemon/deploy/engine.h"

namespace berth::deploy {
namespace {

using namespace std::chrono_literals;

}  // namespace

/// Back to the release before. From the moment it is decided the app goes there whatever happens: a release that was good before is not given up because
/// it takes long to become ready.
awaitable<Result<void>> Engine::go_back(AppPtr app, RunPtr run) {
  const std::string old = run->row.from;
  auto whole = co_await slots_.whole_or_repaired(app, run, old);
  if (node_.closed) co_return fail(Errc::cancelled, "berthd stops");
  if (!whole) co_return cannot_go_back(app, run, whole.error());
  auto manifest = co_await node_.manifest_of(app, old);
  if (!manifest) co_return cannot_go_back(app, run, manifest.error());
  const milliseconds drain = run->manifest ? run->manifest->spec.deploy.drain : (*manifest)->spec.deploy.drain;
  const bool beside = !run->course.stop_first && (*manifest)->spec.strategy() != spec::Strategy::recreate;
  const std::string on_revert = "on-revert";
  const bool hooks = run->manifest && !run->is_revert();  // one by hand that goes back itself leaves nothing that a hook of its release would know of
  if (!beside) {
    co_await members_.stop_all_but(app, old, drain);
    if (hooks && !node_.closed) co_await hooks_.attempt(app, run, run->manifest, on_revert);
    if (node_.closed) co_return fail(Errc::cancelled, "berthd stops");
    co_await data_steps_.undo(app, run);
  }
  if (node_.closed) co_return fail(Errc::cancelled, "berthd stops");
  auto claimed = co_await routes_.claim(app, *manifest);
  auto started = claimed;
  if (claimed && beside && run->course.gradual) {
    const Rolling back{.to = *manifest, .rules = run->manifest ? run->manifest->spec.deploy : (*manifest)->spec.deploy, .drain = drain, .insist = true};
    static_cast<void>(co_await roll(app, run, back));  // what it could not do is tried, and told, by what follows
  }
  if (node_.closed) co_return fail(Errc::cancelled, "berthd stops");
  if (claimed) started = co_await members_.start_release(app, *manifest, nullptr);
  auto ready = started;
  if (started) ready = co_await members_.wait_ready(app, old, nullptr, (*manifest)->spec.deploy.ready_timeout);
  if (node_.closed) co_return fail(Errc::cancelled, "berthd stops");
  if (!ready) note_problem(*app, fmt::format("{}@{}, to which it was gone back: {}", app->name(), old, ready.error().message));

  const std::vector<Effect> decision{Effect::decide_revert};
  put_detail(*run);
  auto committed = co_await commit(app, run, decision);
  for (auto pause = 100ms; !committed && !node_.closed; pause = std::min(pause * 2, milliseconds(5000))) {
    note_problem(*app, committed.error().message);
    co_await io::sleep_for(pause);
    committed = co_await commit(app, run, decision);
  }
  if (node_.closed) co_return fail(Errc::cancelled, "berthd stops");
  app->routed = old;
  forget_joined(*app);
  app->since = store::now_text();
  static_cast<void>(co_await routes_.lead(app));
  co_await after(app, run, Effect::decide_revert);
  co_await members_.stop_all_but(app, old, drain);
  if (beside && !node_.closed) {
    if (hooks) co_await hooks_.attempt(app, run, run->manifest, on_revert);
    co_await data_steps_.undo(app, run);
  }
  if (node_.closed) co_return fail(Errc::cancelled, "berthd stops");
  co_await routes_.give_up_but(app, *manifest);
  if (!started) node_.spawn(members_.heal(app));
  co_return Result<void>();
}

/// The release that was to be left stays the active one. What does not run of it is tried again, since there is nothing better.
Result<void> Engine::cannot_go_back(AppPtr app, RunPtr run, const Error& error) {
  auto failed = pass(error, fmt::format("{}; and going back to {} is not possible", run->row.reason, run->row.from));
  run->row.reason = failed.error().message;
  note_problem(*app, run->row.reason);
  app->routed = run->row.release;
  forget_joined(*app);
  node_.spawn(members_.heal(app));
  return failed;
}

/// Instances of the release that serves that made room for new ones before anything was decided.
awaitable<void> Engine::put_back_replaced(AppPtr app, RunPtr run) {
  const ManifestPtr active = app->active();
  if (!run->course.gradual || !active || app->row.stopped || node_.drained) co_return;
  const auto wanted = co_await members_.wanted_by_process(app, active);
  const auto there = members_of(*app, active->release);
  const auto all_there = [&](const auto& process) {
    return std::ranges::count(there, process.first, &InstanceId::process) >= process.second;
  };
  if (wanted && std::ranges::all_of(*wanted, all_there)) co_return;
  const auto started = co_await members_.start_release(app, active, nullptr);
  if (started) co_return;
  note_problem(*app, started.error().message);
  node_.spawn(members_.heal(app));
}

/// Ends what was begun of the new release: its instances, its ports, its staging.
awaitable<void> Engine::drop_new(AppPtr app, RunPtr run) {
  if (run->row.release != run->row.from) {
    if (app->routed == run->row.release) app->routed = run->row.from;
    milliseconds drain = 0ms;
    if (run->position.state == State::canary) drain = run->manifest->spec.deploy.drain;
    if (run->position.state != State::queued) {  // those of a first release have none that takes over
      const std::string kept = run->row.from;
      co_await jobs_.end_but(app, kept);
      if (node_.closed) co_return;
    }
    co_await members_.stop_release(app, run->row.release, drain);
    if (node_.closed) co_return;
    co_await put_back_replaced(app, run);
    if (node_.closed) co_return;
    ManifestPtr kept = run->row.from.empty() ? nullptr : app->active();
    if (run->position.state != State::queued) co_await routes_.give_up_but(app, kept);
  }
  note_migration(*run);
  const auto drop = [this, id = run->row.id] { static_cast<void>(node_.store.drop_staging(id)); };
  co_await node_.pool.run(drop);
}

}  // namespace berth::deploy
