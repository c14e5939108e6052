#include <algorithm>
#include <chrono>

#include "daemon/deploy/app_facts.h"
#include "daemon/deploy/data_steps.h"
#include "daemon/deploy/instance_plan.h"
#include "daemon/deploy/members.h"

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

awaitable<Result<void>> Members::begin_healing(AppPtr app, Result<void> outcome) {
  if (node_.closed) co_return outcome;
  const std::string lack = lack_of(*app, app->row.active);
  if (outcome && lack.empty()) {
    if (app->healing) app->problem.clear();
    co_return outcome;
  }
  if (outcome) note_problem(*app, lack + kGoesOn);
  else note_problem(*app, outcome.error().message);
  node_.spawn(heal(app));
  if (outcome) co_return outcome;
  const store::Event event{.number = 0, .at = {}, .kind = "start.failed", .app = app->name(), .data = {{"release", app->row.active}, {"reason", outcome.error().message}}};
  co_await node_.tell(event);
  Error error = outcome.error();
  if (error.code == Errc::not_found || error.code == Errc::permission || error.code == Errc::usage) error.code = Errc::io;
  error.message += "; berthd tries again by itself, within a minute at most";
  co_return std::unexpected(std::move(error));
}

awaitable<void> Members::heal(AppPtr app) {
  if (app->healing) co_return;
  app->healing = true;
  for (auto pause = 1s; !node_.closed && !app->gone; pause = std::min(pause * 2, 60s)) {
    const auto end = io::Steady::now() + pause;
    while (!node_.closed && !app->gone && io::Steady::now() < end) co_await app->changed.wait(std::chrono::ceil<milliseconds>(end - io::Steady::now()));
    if (node_.closed || app->gone) break;
    if (app->run) continue;  // a deployment starts what it needs; where it fails, this goes on
    const Turn turn = co_await node_.take(app);
    const ManifestPtr active = app->active();
    if (!active || app->row.stopped || node_.drained) break;
    auto started = co_await finish_pending_data(node_, app);
    if (started) started = co_await routes_.claim(app, active);
    if (started) started = co_await start_release(app, active, nullptr);
    static_cast<void>(co_await routes_.lead(app));
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

/// An instance that was stopped, and whose row and folders the disk did not let go, which was `told` of the app: tried again until it does, so that its private
/// port is free.
awaitable<void> Members::forget_later(AppPtr app, store::InstanceRow row, std::string told) {
  const InstanceId id{row.app, row.process, row.number, row.release};
  const auto forget = [this, row, id]() -> Result<void> {
    BERTH_CHECK(remove_folders(node_.options.node, id));
    return node_.store.remove_instance(row);
  };
  for (auto pause = 1s; !node_.closed && !app->gone; pause = std::min(pause * 2, 60s)) {
    const auto end = io::Steady::now() + pause;
    while (!node_.closed && !app->gone && io::Steady::now() < end) co_await app->changed.wait(std::chrono::ceil<milliseconds>(end - io::Steady::now()));
    if (node_.closed || app->gone) break;
    const Turn turn = co_await node_.take(app);
    if (std::ranges::find(app->members, id, &Member::id) != app->members.end()) break;  // it is there again
    const auto forgotten = co_await node_.pool.run(forget);
    if (!forgotten) continue;
    if (app->problem == told) app->problem.clear();
    break;
  }
}

}  // namespace berth::deploy
