#include <chrono>
#include <memory>
#include <optional>
#include <thread>

#include <fmt/core.h>

#include "cli/common.h"
#include "cli/interrupt.h"
#include "cli/json_view.h"
#include "cli/output/text.h"
#include "cli/verbs.h"

namespace berth::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr milliseconds kUsualPatience{60'000};  ///< where the release says nothing
constexpr milliseconds kBetweenLooks{200};

struct OperateOptions {
  std::string what, reason, timeout;
  bool no_wait = false;
};

bool is_named(const json::value& instance, const json::value& app, const InstanceSelector& what) {
  const bool named = (!what.process || text_of(instance, "process") == *what.process) && (!what.number || number_of(instance, "number") == *what.number);
  return named && text_of(instance, "release") == text_of(app, "active");
}

/// Waits until all that is named is ready, as long as the app's release gives it, or `at_most` says. Fails with the reason of one that is not.
Result<void> await_ready(const ApiClient& api, const InstanceSelector& what, const std::string& text, const std::string& done, std::optional<milliseconds> at_most) {
  const auto begin = Clock::now();
  for (;;) {
    const json::value app = told_of(api, what.app);
    if (!app.is_object()) return {};  // berthd has answered before: what it did is done
    std::string missing = text_of(app, "problem");
    bool ready = true;
    for (const auto& instance : list_of(app, "instances")) {
      if (!is_named(instance, app, what) || truth_of(instance, "ready") || text_of(instance, "phase") == "ended") continue;
      if (ready) missing = fmt::format("{}: {}", text_of(instance, "instance"), text_of(instance, "not_ready"));
      ready = false;
    }
    if (ready) return {};
    const auto said = number_of(app, "ready_timeout_ms", 0);
    const milliseconds limit = at_most.value_or(said > 0 ? milliseconds(said) : kUsualPatience);
    if (Clock::now() - begin >= limit)
      return fail(Errc::io, fmt::format("{} is {}, and is not ready within {}: {}; see: berth status {}", text, done, took_text(limit), missing, what.app));
    std::this_thread::sleep_for(kBetweenLooks);
  }
}

/// Whether all that is named runs.
bool runs_already(const json::value& app, const InstanceSelector& what) {
  if (!app.is_object() || truth_of(app, "stopped")) return false;
  int found = 0;
  for (const auto& instance : list_of(app, "instances")) {
    if (!is_named(instance, app, what)) continue;
    if (number_of(instance, "pid") == 0) return false;
    ++found;
  }
  return found > 0;
}

/// What becomes of a deployment in whose bake the app was stopped.
void tell_of_bake(const Console& console, const json::value& app, const std::string& name) {
  const auto* deployment = app.is_object() ? member(app, "deployment") : nullptr;
  if (deployment == nullptr || !deployment->is_object() || text_of(*deployment, "state") != "baking") return;
  const std::string from = text_of(*deployment, "from");
  const std::string back = from.empty() ? std::string() : fmt::format("; 'berth deploy {0}@{1} --force' goes back to {1} and starts it", name, from);
  console.note(fmt::format("Its deployment {} of {} was in its bake, which waits and begins again with 'berth start {}'{}.", number_of(*deployment, "id"), text_of(*deployment, "release"), name, back));
}

/// By whom an app or an instance was stopped, since when and why, of what berthd told before: "by root (uid 0), 5m ago: a new disk"; empty where that is
/// not known.
std::string who_stopped(const json::value& stopped) {
  const std::string by = text_of(stopped, "stopped_by"), why = text_of(stopped, "stopped_why");
  if (!truth_of(stopped, "stopped") || by.empty()) return {};
  return fmt::format("by {}, {} ago{}{}", by, since_text(text_of(stopped, "stopped_at"), std::chrono::system_clock::now()), why.empty() ? "" : ": ", why);
}

/// The same of what is named: of single instances where each of them was stopped by then.
std::string who_stopped(const json::value& app, const InstanceSelector& what) {
  if (!app.is_object()) return {};
  if (!what.process) return who_stopped(app);
  const json::value* first = nullptr;
  for (const auto& instance : list_of(app, "instances")) {
    if (!is_named(instance, app, what)) continue;
    if (!truth_of(instance, "stopped")) return {};
    if (first == nullptr) first = &instance;
  }
  return first == nullptr ? std::string() : who_stopped(*first);
}

/// What is told of a stop: also that it was so, and since when. An older berthd does not say whether it changed something.
std::string told_of_stop(const std::string& what, const json::value& answer, const std::string& who) {
  const auto* changed = member(answer, "changed");
  if (changed != nullptr && changed->is_bool() && !changed->get_bool()) return fmt::format("{} is stopped already{}{}.", what, who.empty() ? "" : ", ", who);
  return fmt::format("{} is stopped.{}", what, who.empty() ? "" : fmt::format(" It was already, {}; this takes the place of that.", who));
}

Result<Exit> operate(const Console& console, const OperateOptions& options, const std::string& verb, const std::string& done) {
  BERTH_TRY(const auto selector, parse_selector(options.what));
  if (selector.release)
    return fail(Errc::usage, fmt::format("berth {}: '{}' names a release; processes and instances are enough: {}/…", verb, options.what, selector.app));
  BERTH_TRY(const auto at_most, duration_argument(options.timeout, "--timeout"));
  json::object body;
  if (selector.process) body["process"] = *selector.process;
  if (selector.number) body["number"] = *selector.number;
  put_if(body, "reason", options.reason);
  const Interrupt interrupt({.notice = console.advice(fmt::format("\nberth: what was asked for goes on; see: berth status {}\n", selector.app))});
  const ApiClient api(console);
  const bool runs = verb == "start" && runs_already(told_of(api, selector.app), selector);
  const bool tells = verb == "stop" && !console.json && !console.quiet, tells_of_bake = tells && !selector.process;
  const json::value before = tells ? told_of(api, selector.app) : json::value();
  // Of the others it is how long to wait until they are ready.
  const std::string timeout = verb == "stop" ? options.timeout : std::string();
  BERTH_TRY(const auto answer, long_call(console, {.method = "POST", .target = app_target(selector.app, "/" + verb), .body = std::move(body)}, timeout));
  if (!answer) return Exit::still_running;
  if (console.json) console.document(*answer);
  if (verb != "stop" && !options.no_wait) BERTH_CHECK(await_ready(api, selector, options.what, done, at_most));
  if (verb == "stop") console.note(printable(told_of_stop(options.what, *answer, who_stopped(before, selector))));
  else console.note(runs ? fmt::format("{} runs already.", options.what) : fmt::format("{} is {}.", options.what, done));
  if (tells_of_bake) tell_of_bake(console, before, selector.app);
  return Exit::ok;
}

Verb operation(const std::string& name, std::string summary, std::vector<std::string> examples, const std::string& done) {
  auto o = std::make_shared<OperateOptions>();
  std::vector<Option> options{reason_option(o->reason)};
  std::string text;
  if (name == "stop") {
    options.push_back(timeout_option(o->timeout));
  } else {
    text = "Returns when what it names is ready, and ends with 1 where it is not within its release's ready_timeout; berthd goes on with it then.";
    options.push_back({"--no-wait", "", "return when its processes are started", &o->no_wait});
    options.push_back({"--timeout", "DURATION", "how long to wait until it is ready (default: the release's ready_timeout)", &o->timeout});
  }
  return {
      .name = name,
      .summary = std::move(summary),
      .text = std::move(text),
      .examples = std::move(examples),
      .exits = with_daemon_exits({Exit::failed, Exit::not_found, Exit::conflict, Exit::still_running}),
      .arguments = {{"APP[/PROCESS[.N]]", "the app, one of its processes, or one instance", &o->what, Completes::instance}},
      .options = std::move(options),
      .action = [o, name, done](Console& console) { return operate(console, *o, name, done); },
  };
}

}  // namespace

Verb restart_verb() {
  return operation("restart", "Stop and start again, by the app's own stop rules",
                   {"berth restart web", "berth restart web/worker.2 --reason 'stuck in a loop'"}, "restarted");
}

Verb stop_verb() {
  return operation("stop", "Stop an app until 'berth start', over reboots as well", {"berth stop web --reason 'maintenance until noon'"}, "stopped");
}

Verb start_verb() {
  return operation("start", "Start what 'berth stop' stopped", {"berth start web"}, "started");
}

}  // namespace berth::cli
