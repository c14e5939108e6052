#include <algorithm>
#include <chrono>

#include <boost/asio/post.hpp>

#include "daemon/deploy/engine.h"
#include "daemon/deploy/instance_plan.h"

namespace berth::deploy {
namespace {

using namespace std::chrono_literals;

constexpr const char* kGoesOn = "; what runs goes on with the secrets that it was given";

/// The first of what keeps instances of the release from being started, or would.
std::string lack_of(const App& app, const std::string& release) {
  for (const Member& member : app.members)
    if (member.row.release == release && !member.row.paused && !member.lacks.empty()) return member.lacks;
  return {};
}

}  // namespace

/// After a try to start the active release, unasked or by somebody's command: what could not be started is tried again until it could, and what runs is told of
/// where it could not be started anew. A failure comes back as one of the node: what was asked for is there.
awaitable<Result<void>> Engine::begin_healing(AppPtr app, Result<void> outcome) {
  if (closed_) co_return outcome;
  const std::string lack = lack_of(*app, app->row.active);
  if (outcome && lack.empty()) {
    if (app->healing) app->problem.clear();
    co_return outcome;
  }
  if (outcome) note_problem(*app, lack + kGoesOn);
  else note_problem(*app, outcome.error().message);
  spawn(heal(app));
  if (outcome) co_return outcome;
  const store::Event event{.number = 0, .at = {}, .kind = "start.failed", .app = app->name(), .data = {{"release", app->row.active}, {"reason", outcome.error().message}}};
  co_await tell(event);
  Error error = outcome.error();
  if (error.code == Errc::not_found || error.code == Errc::permission || error.code == Errc::usage) error.code = Errc::io;
  error.message += "; berthd tries again by itself, within a minute at most";
  co_return std::unexpected(std::move(error));
}

/// Tries again to start what could not be started: a secret's file that is not there yet, a full disk.
awaitable<void> Engine::heal(AppPtr app) {
  if (app->healing) co_return;
  app->healing = true;
  for (auto pause = 1s; !closed_ && !app->gone; pause = std::min(pause * 2, 60s)) {
    const auto end = io::Steady::now() + pause;
    while (!closed_ && !app->gone && io::Steady::now() < end) co_await app->changed.wait(std::chrono::ceil<milliseconds>(end - io::Steady::now()));
    if (closed_ || app->gone) break;
    if (app->run) continue;  // a deployment starts what it needs; where it fails, this goes on
    const Turn turn = co_await take(app);
    const ManifestPtr active = app->active();
    if (!active || app->row.stopped || drained_) break;
    auto started = co_await finish_pending_data(app);
    if (started) started = co_await claim(app, active);
    if (started) started = co_await start_release(app, active, nullptr);
    static_cast<void>(co_await route(app));
    const std::string lack = lack_of(*app, active->release);
    if (started && lack.empty()) {
      const std::string kept = app->row.active;
      const milliseconds drain = drain_of(*app);
      co_await stop_all_but(app, kept, drain);
      app->problem.clear();
      break;
    }
    note_problem(*app, started ? lack + kGoesOn : started.error().message);
  }
  app->healing = false;
}

/// Events that the disk did not take are written when it does, though nothing else happens.
void Engine::watch_events() {
  store_.on_waiting([executor = executor_, weak = weak_from_this()] {
    boost::asio::post(executor, [weak] {
      const auto engine = weak.lock();
      if (!engine || engine->closed_ || engine->writing_events_) return;
      engine->writing_events_ = true;
      engine->spawn(engine->write_events());
    });
  });
}

awaitable<void> Engine::write_events() {
  const auto write = [this] { return store_.write_out(); };
  for (auto pause = 1s; !closed_; pause = std::min(pause * 2, 60s)) {
    co_await io::sleep_for(pause);
    if (closed_) co_return;
    const auto written = co_await pool_.run(write);
    if (written) break;
  }
  writing_events_ = false;
}

/// An instance that was stopped, and whose row and folders the disk did not let go: tried again until it does, so that its private port is free.
awaitable<void> Engine::forget_later(AppPtr app, store::InstanceRow row) {
  const InstanceId id{row.app, row.process, row.number, row.release};
  const auto forget = [this, row, id]() -> Result<void> {
    BERTH_CHECK(remove_folders(options_.node, id));
    return store_.remove_instance(row);
  };
  for (auto pause = 1s; !closed_ && !app->gone; pause = std::min(pause * 2, 60s)) {
    const auto end = io::Steady::now() + pause;
    while (!closed_ && !app->gone && io::Steady::now() < end) co_await app->changed.wait(std::chrono::ceil<milliseconds>(end - io::Steady::now()));
    if (closed_ || app->gone) break;
    const Turn turn = co_await take(app);
    if (std::ranges::find(app->members, id, &Member::id) != app->members.end()) break;  // it is there again
    const auto forgotten = co_await pool_.run(forget);
    if (!forgotten) continue;
    if (!app->healing) app->problem.clear();
    break;
  }
}

}  // namespace berth::deploy
