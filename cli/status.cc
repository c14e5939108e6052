#include <memory>

#include "cli/common.h"
#include "cli/json_view.h"
#include "cli/status_text.h"
#include "cli/verbs.h"

namespace berth::cli {
namespace {

Result<Exit> status(const Console& console, const std::string& name) {
  const ApiClient api(console);
  const StatusView view{.now = std::chrono::system_clock::now(), .colour = console.colour, .width = console.terminal ? console.width : 0};
  if (!name.empty()) {
    BERTH_TRY(const auto app, app_argument(name, "status"));
    BERTH_TRY(const auto answer, api.get(app_target(app)));
    if (console.json) {
      console.document(answer);
    } else {
      console.print(app_text(answer, view));
    }
    return Exit::ok;
  }
  BERTH_TRY(const auto answer, api.get("/v1/status"));
  if (console.json) {
    console.document(answer);
    return Exit::ok;
  }
  if (!console.quiet) console.print(node_text(answer, view));
  const std::string apps = apps_text(answer, view);
  console.print(apps);
  if (apps.empty()) console.note("No apps yet; deploy one: berth deploy APP@RELEASE");
  return Exit::ok;
}

}  // namespace

Verb status_verb() {
  auto name = std::make_shared<std::string>();
  return {
      .name = "status",
      .summary = "Show apps, active releases, instances and health; what is wrong first",
      .examples = {"berth status", "berth status web # its instances, and why one is not ready", "berth status --json"},
      .exits = with_daemon_exits({Exit::not_found}),
      .arguments = {{"APP", "one app in detail", name.get(), Completes::app, false}},
      .action = [name](Console& console) { return status(console, *name); },
  };
}

}  // namespace berth::cli
