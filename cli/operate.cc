#include <memory>

#include <fmt/core.h>

#include "cli/common.h"
#include "cli/json_view.h"
#include "cli/verbs.h"

namespace berth::cli {
namespace {

struct OperateOptions {
  std::string what, reason;
};

/// Whether all that is named runs.
bool runs_already(const json::value& app, const InstanceSelector& what) {
  if (!app.is_object() || truth_of(app, "stopped")) return false;
  int found = 0;
  for (const auto& instance : list_of(app, "instances")) {
    const bool named = (!what.process || text_of(instance, "process") == *what.process) && (!what.number || number_of(instance, "number") == *what.number);
    if (!named || text_of(instance, "release") != text_of(app, "active")) continue;
    if (number_of(instance, "pid") == 0) return false;
    ++found;
  }
  return found > 0;
}

Result<Exit> operate(const Console& console, const OperateOptions& options, const std::string& verb, const std::string& done) {
  BERTH_TRY(const auto selector, parse_selector(options.what));
  if (selector.release)
    return fail(Errc::usage, fmt::format("berth {}: '{}' names a release; processes and instances are enough: {}/…", verb, options.what, selector.app));
  json::object body;
  if (selector.process) body["process"] = *selector.process;
  if (selector.number) body["number"] = *selector.number;
  put_if(body, "reason", options.reason);
  const ApiClient api(console);
  const bool runs = verb == "start" && runs_already(told_of(api, selector.app), selector);
  BERTH_TRY(const auto answer, api.post(app_target(selector.app, "/" + verb), std::move(body), kLongCall));
  if (console.json) console.document(answer);
  console.note(runs ? fmt::format("{} runs already.", options.what) : fmt::format("{} is {}.", options.what, done));
  return Exit::ok;
}

Verb operation(const std::string& name, std::string summary, std::vector<std::string> examples, const std::string& done) {
  auto o = std::make_shared<OperateOptions>();
  return {
      .name = name,
      .summary = std::move(summary),
      .examples = std::move(examples),
      .exits = with_daemon_exits({Exit::failed, Exit::not_found, Exit::conflict}),
      .arguments = {{"APP[/PROCESS[.N]]", "the app, one of its processes, or one instance", &o->what, Completes::instance}},
      .options = {reason_option(o->reason)},
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
