#include <algorithm>

#include <fmt/core.h>

#include "core/logs/record_time.h"
#include "daemon/deploy/engine.h"
#include "daemon/deploy/instance_plan.h"
#include "daemon/deploy/last_lines.h"

namespace berth::deploy {
namespace {

using namespace std::chrono_literals;
using io::Steady;
using supervise::Phase;

logs::Time moment_of(const std::string& text) { return logs::parse_rfc3339(text).value_or(logs::Time()); }

/// What is left of its time, by the wall clock, which a berthd that returns knows as well; never more than all of it.
milliseconds left_of(milliseconds timeout, const std::string& began_at) {
  const auto now = std::chrono::time_point_cast<logs::Time::duration>(std::chrono::system_clock::now());
  const auto ran = std::chrono::duration_cast<milliseconds>(now - moment_of(began_at));
  return std::clamp(timeout - ran, 0ms, timeout);
}

store::Event hook_event(const Run& run, const HookRun& one) {
  boost::json::object data{{"deployment", run.row.id}, {"release", one.release}, {"hook", one.hook}, {"attempt", one.attempts}};
  if (!one.running()) {
    data["result"] = one.result;
    data["ran_ms"] = std::chrono::duration_cast<milliseconds>(moment_of(one.ended_at) - moment_of(one.began_at)).count();
  }
  return {.number = 0, .at = {}, .kind = one.running() ? "hook.started" : "hook.ended", .app = run.row.app, .data = std::move(data)};
}

}  // namespace

std::string result_of(std::string ended) {
  if (ended == "exited with 0") return std::string(kOk);
  if (ended == "oom") return "was killed by the kernel for its memory";
  if (ended == "stopped") return "was stopped from outside";
  if (ended.starts_with("killed by ")) return "was " + ended;
  return ended;
}

std::string without_name(std::string message, const InstanceId& id) {
  const std::string name = to_string(id) + ": ";
  return message.starts_with(name) ? message.substr(name.size()) : message;
}

/// Starts the process of a hook or a job; an error where it could not be. `tried`: how often a job was, that is to be tried so often at most.
awaitable<Result<void>> Engine::start_once(AppPtr app, ManifestPtr manifest, InstanceId id, int tried) {
  const auto compose = [node = &options_.node, manifest, id, uid = app->row.uid]() -> Result<supervise::InstancePlan> {
    BERTH_TRY(const RunAs who, run_as(*node, *manifest, uid));
    BERTH_TRY(const auto secrets, resolve_secrets(*node, *manifest));
    const auto environment = environment_of(*node, *manifest, id, 0, secrets);
    BERTH_TRY(auto plan, spec::is_hook_name(id.process) ? plan_hook(*node, *manifest, id, who, environment) : plan_job(*node, *manifest, id, who, environment));
    BERTH_CHECK(prepare_folders(*node, *manifest, id, who, environment, secrets));
    return plan;
  };
  auto plan = co_await pool_.run(compose);
  if (!plan) co_return std::unexpected(plan.error());
  plan->retries = std::max<std::int64_t>(plan->retries - tried, 0);
  if (app->run) plan->deployment = app->run->row.id;
  auto started = co_await supervisor_.ensure(std::move(*plan));
  co_return started;
}

/// Waits until no process of a hook or a job is left; how it ended: "exited with 1". One that takes too long is ended, and so is one of which `unwanted` says what
/// is to be told of its end. An error when berthd stops: it goes on.
awaitable<Result<std::string>> Engine::follow_once(AppPtr app, InstanceId id, milliseconds timeout, std::string began_at, std::function<std::string()> unwanted) {
  const auto end = Steady::now() + left_of(timeout, began_at);
  for (;;) {
    if (closed_) co_return fail(Errc::cancelled, "berthd stops");
    const auto status = supervisor_.status(id);
    const bool over = !status || status->phase == Phase::ended || status->phase == Phase::lost;
    // Of one whose keeper is gone only the first try is known to have been the last.
    const bool told = status && status->last_exit && (status->phase == Phase::ended || status->restarts == 0);
    if (over && told) co_return status->last_exit->reason;
    if (over) {
      co_await stop_once(app, id);
      if (closed_) co_return fail(Errc::cancelled, "berthd stops");
      co_return std::string(kCutOff);
    }
    const std::string why = unwanted();
    const auto left = std::chrono::ceil<milliseconds>(end - Steady::now());
    if (!why.empty() || left <= 0ms) {
      co_await stop_once(app, id);
      if (closed_) co_return fail(Errc::cancelled, "berthd stops");
      if (!why.empty()) co_return why;
      co_return fmt::format("did not end within {}, and was stopped", spec::to_string(timeout));
    }
    co_await app->changed.wait(left);
  }
}

/// Ends whatever is left of a hook, a job or a one-off command, its keeper too, and removes its folders, in which there are secrets. Fine where there is none.
awaitable<void> Engine::stop_once(AppPtr app, InstanceId id) {
  const auto stopped = co_await supervisor_.stop(id);
  if (closed_) co_return;
  if (!stopped) note_problem(*app, stopped.error().message);
  const auto remove = [this, id] { return remove_folders(options_.node, id); };
  const auto removed = co_await pool_.run(remove);
  if (!removed) note_problem(*app, removed.error().message);
}

/// Writes down that a hook begins, or how it ended, with an event. `insist`: until the disk takes it.
awaitable<Result<void>> Engine::record_hook(RunPtr run, std::size_t place, bool insist) {
  put_detail(*run);
  const std::vector<store::Event> events{hook_event(*run, run->hooks[place])};
  const auto write = [this, row = run->row, events] { return store_.update_deployment(row, events); };
  auto written = co_await pool_.run(write);
  for (auto pause = 100ms; !written && insist && !closed_; pause = std::min(pause * 2, milliseconds(5000))) {
    co_await io::sleep_for(pause);
    written = co_await pool_.run(write);
  }
  co_return written;
}

/// What the hook printed last, for the history.
awaitable<void> Engine::keep_last_lines(AppPtr app, RunPtr run, HookRun record) {
  const InstanceSelector what{.app = app->name(), .process = record.hook, .number = {}, .release = {}};
  const auto read = [logs = store_.paths().logs, what, since = moment_of(record.began_at)] { return last_lines(logs, what, since); };
  auto lines = co_await pool_.run(read);
  if (lines) run->last_lines = std::move(*lines);
}

}  // namespace berth::deploy
