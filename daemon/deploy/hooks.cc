#include "daemon/deploy/hooks.h"

#include <algorithm>

#include <fmt/core.h>
#include <spdlog/spdlog.h>

#include "daemon/deploy/app_facts.h"
#include "daemon/deploy/last_lines.h"

// A hook is an instance of its own, under a keeper of its own, that is started once: web/pre-start.1@v2. So its output is in a log like that of any other
// process, it runs on while berthd is away, and a berthd that returns finds it again, or what became of it. What was begun and what ended is in the
// deployment's row, each before the next step, so that no hook runs twice unless it is said.

namespace berth::deploy {
namespace {

using namespace std::chrono_literals;
using io::Steady;

constexpr std::string_view kReadyToSwitch = "ready-to-switch";
constexpr std::string_view kNotNow = "postponed";
constexpr std::string_view kAskingEnds = "asking_ends";  ///< in a row's detail: a berthd that comes back asks no longer than the one before would have

/// The record of the hook in this deployment; a new one where there is none.
std::size_t place_of(Run& run, const std::string& hook, const std::string& release) {
  const auto found = std::ranges::find_if(run.hooks, [&](const HookRun& one) { return one.hook == hook && one.release == release; });
  if (found != run.hooks.end()) return static_cast<std::size_t>(found - run.hooks.begin());
  run.hooks.push_back({.hook = hook, .release = release, .began_at = {}, .ended_at = {}, .result = {}});
  return run.hooks.size() - 1;
}

std::string result_of_hook(const std::string& hook, std::string ended) {
  if (hook == kReadyToSwitch && ended == fmt::format("exited with {}", spec::kPostponed)) return std::string(kNotNow);
  return ended;
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

bool is_awaited_hook(const App& app, const InstanceId& id) {
  const auto awaits = [&id](const RunPtr& run) {
    return run && std::ranges::any_of(run->hooks, [&id](const HookRun& one) { return one.running() && one.hook == id.process && one.release == id.release; });
  };
  return awaits(app.run) || std::ranges::any_of(app.queue, awaits);
}

awaitable<Result<void>> Hooks::run(AppPtr app, RunPtr run, ManifestPtr manifest, std::string hook) {
  if (!manifest->spec.hooks.contains(hook)) co_return Result<void>();
  const HookRun known = run->hooks[place_of(*run, hook, manifest->release)];
  std::string result = known.result;
  if (known.running()) {
    auto ran = co_await run_once(app, run, manifest, hook);
    if (!ran) co_return std::unexpected(ran.error());
    result = std::move(*ran);
  }
  if (result == kOk) co_return Result<void>();
  run->hook_failed = true;
  co_return fail(Errc::io, fmt::format("{}@{}: its {} hook {}", app->name(), manifest->release, hook, result));
}

awaitable<void> Hooks::attempt(AppPtr app, RunPtr run, ManifestPtr manifest, std::string hook) {
  const auto ran = co_await this->run(app, run, manifest, hook);
  if (ran || node_.closed) co_return;
  run->hook_failed = false;
  spdlog::warn("{}", ran.error().message);
  const std::string text = ran.error().message + "; the deployment went on all the same";
  co_await node_.note(run, text);
}

awaitable<Result<bool>> Hooks::ask_ready_to_switch(AppPtr app, RunPtr run) {
  const std::string hook(kReadyToSwitch);
  const auto found = run->manifest->spec.hooks.find(hook);
  if (found == run->manifest->spec.hooks.end() || run->is_revert()) co_return false;
  const spec::Hook rules = found->second;
  const BakeClocks clocks = bake_clocks(node_.options.node.boot);
  if (!run->row.detail.contains(kAskingEnds)) set_end(run->row.detail, kAskingEnds, rules.give_up, clocks);
  const auto end = Steady::now() + left_of(run->row.detail, kAskingEnds, rules.give_up, clocks).value_or(rules.give_up);
  for (int postponed = 0;; ++postponed) {
    const auto result = co_await run_once(app, run, run->manifest, hook);
    if (!result) co_return std::unexpected(result.error());
    if (*result == kOk) co_return postponed > 0;
    run->hook_failed = true;
    if (*result != kNotNow) co_return fail(Errc::io, fmt::format("{}@{}: its {} hook {}", app->name(), run->row.release, hook, *result));
    if (Steady::now() + rules.retry > end) {
      co_return fail(Errc::timeout, fmt::format("{}@{}: its {} hook said \"not now\" (exit code {}) {} times within {}", app->name(), run->row.release, hook,
                                                spec::kPostponed, postponed + 1, spec::to_string(rules.give_up)));
    }
    run->hook_failed = false;
    auto paused = co_await pause_asking(run, rules.retry);
    if (!paused) co_return std::unexpected(paused.error());
  }
}

/// Meanwhile it may be cancelled, and a newer request takes its place.
awaitable<Result<void>> Hooks::pause_asking(RunPtr run, milliseconds pause) {
  const auto end = Steady::now() + pause;
  run->may_give_way = true;
  Result<void> over;
  while (over && !node_.closed) {
    const auto left = std::chrono::ceil<milliseconds>(end - Steady::now());
    if (left <= 0ms) break;
    if (!run->cancelled_by.empty()) over = fail(Errc::cancelled, "cancelled by " + run->cancelled_by);
    else if (!run->superseded.empty()) over = fail(Errc::conflict, run->superseded);
    else co_await run->changed.wait(left);
  }
  if (over) run->may_give_way = false;
  if (node_.closed) co_return fail(Errc::cancelled, "berthd stops");
  co_return over;
}

/// Runs a hook from its start, or from where the berthd before left it, to its end; how it ended. An error where it was not run, or berthd stops.
awaitable<Result<std::string>> Hooks::run_once(AppPtr app, RunPtr run, ManifestPtr manifest, std::string hook) {
  const spec::Hook rules = manifest->spec.hooks.at(hook);
  const InstanceId id{app->name(), hook, 1, manifest->release};
  const std::size_t place = place_of(*run, hook, manifest->release);
  bool goes_on = run->hooks[place].running() && run->hooks[place].attempts > 0;
  if (goes_on && hook == kReadyToSwitch) {  // it only asks, and its answer may have grown old
    co_await end(app, run);
    goes_on = false;
  }
  std::string result;
  if (!goes_on) {
    co_await one_offs_.stop(app, id);  // none, unless a crash came between its end and that of its keeper
    HookRun& begun = run->hooks[place];
    ++begun.attempts;
    begun.began_at = store::now_text();
    begun.ended_at.clear();
    begun.result.clear();
    auto recorded = co_await write_down(run, place, false);
    if (!recorded) {
      run->hooks.erase(run->hooks.begin() + static_cast<std::ptrdiff_t>(place));
      co_return pass(recorded.error(), fmt::format("{}@{}: its {} hook was not begun", app->name(), manifest->release, hook));
    }
    run->changed.notify();
    auto started = co_await one_offs_.start(app, manifest, id, 0);
    if (!started) result = without_name(started.error().message, id);
  }
  if (node_.closed) co_return fail(Errc::cancelled, "berthd stops");
  if (result.empty()) {
    const Moment began = one_offs_.began_of(id, run->hooks[place].began_at);
    const std::function<std::string()> unwanted = [run] {
      const bool cancelled = !run->cancelled_by.empty() && !run->position.decided;
      return std::string(cancelled ? "was stopped, since the deployment was cancelled" : "");
    };
    auto followed = co_await one_offs_.follow(app, id, rules.timeout, began, unwanted);
    if (!followed) co_return std::unexpected(followed.error());
    result = result_of_hook(hook, std::move(*followed));
  }
  run->hooks[place].ended_at = store::now_text();
  run->hooks[place].result = result;
  const HookRun record = run->hooks[place];
  const bool is_first = run->row.reason.empty();  // else the release has failed, and what it printed says why
  if (result != kOk && result != kNotNow && is_first) co_await keep_last_lines(app, run, record);
  static_cast<void>(co_await write_down(run, place, true));
  if (node_.closed) co_return fail(Errc::cancelled, "berthd stops");
  co_await one_offs_.stop(app, id);
  const std::string counted = result == kOk || result == kNotNow ? result : std::string("failed");
  ++node_.counts.hooks[{app->name(), hook, counted}];
  spdlog::info("{}@{}: {} hook: {}", app->name(), manifest->release, hook, result);
  run->changed.notify();
  co_return result;
}

/// Writes down that a hook begins, or how it ended, with an event. `insist`: until the disk takes it.
awaitable<Result<void>> Hooks::write_down(RunPtr run, std::size_t place, bool insist) {
  put_detail(*run);
  const std::vector<store::Event> events{hook_event(*run, run->hooks[place])};
  const auto write = [this, row = run->row, events] { return node_.store.update_deployment(row, events); };
  auto written = co_await node_.pool.run(write);
  for (auto pause = 100ms; !written && insist && !node_.closed; pause = std::min(pause * 2, milliseconds(5000))) {
    co_await io::sleep_for(pause);
    written = co_await node_.pool.run(write);
  }
  co_return written;
}

/// What the hook printed last, for the history.
awaitable<void> Hooks::keep_last_lines(AppPtr app, RunPtr run, HookRun record) {
  const InstanceSelector what{.app = app->name(), .process = record.hook, .number = {}, .release = {}};
  const auto read = [logs = node_.store.paths().logs, what, since = moment_of(record.began_at), redact = node_.redacting(app->name())] {
    return printed_last(logs, what, since, {}, redact);
  };
  auto lines = co_await node_.pool.run(read);
  if (lines) keep_lines(*run, std::move(*lines));
}

awaitable<void> Hooks::end(AppPtr app, RunPtr run) {
  for (std::size_t place = 0; place < run->hooks.size(); ++place) {
    const HookRun one = run->hooks[place];
    if (!one.running() || one.attempts == 0) continue;
    const InstanceId id{app->name(), one.hook, 1, one.release};
    co_await one_offs_.stop(app, id);
    if (node_.closed) co_return;
    run->hooks[place].ended_at = store::now_text();
    run->hooks[place].result = "was stopped, since nobody waits for it any more";
    static_cast<void>(co_await write_down(run, place, false));
  }
}

}  // namespace berth::deploy
