#include <chrono>
#include <memory>

#include "cli/common.h"
#include "cli/verbs.h"
#include "cli/watch_picture.h"
#include "cli/watch_status.h"

namespace berth::cli {
namespace {

struct StatusOptions {
  std::string name, interval;
  bool watch = false;
};

Result<Exit> status(const Console& console, const StatusOptions& options) {
  std::string app;
  if (!options.name.empty()) {
    BERTH_TRY(app, app_argument(options.name, "status"));
  }
  BERTH_TRY(const auto interval, duration_argument(options.interval, "--interval"));
  if (interval && !options.watch) return fail(Errc::usage, "berth status: --interval is for --watch");
  if (options.watch) return watch_status(console, console.all_nodes, {.app = app, .interval = interval.value_or(StatusWatch().interval)});
  BERTH_TRY(const auto answer, ApiClient(console).get(app.empty() ? "/v1/status" : app_target(app)));
  if (console.json) {
    console.document(answer);
  } else {
    const StatusView view{.now = std::chrono::system_clock::now(), .colour = console.colour, .width = console.room(), .node = console.node ? console.node->name : ""};
    console.print(answer_text(answer, app, console.quiet, view));
  }
  return Exit::ok;
}

}  // namespace

Verb status_verb() {
  const auto o = std::make_shared<StatusOptions>();
  return {
      .name = "status",
      .summary = "Show apps, active releases, instances and health; what is wrong first",
      .text = "Sinks of logs are on a line, with how far they are behind and what their rate left out; those with trouble have one of their own, and 'berth sinks' has all that is known of each. --watch shows it again and again in the same place, of several nodes, too, until 'q' or Ctrl-C. A berthd that is away is said, and it goes on when that is back.",
      .examples = {"berth status", "berth status web # its instances, and why one is not ready", "berth status --json", "berth status --watch --node edge-1 --node edge-2"},
      .exits = with_daemon_exits({Exit::not_found}),
      .arguments = {{"APP", "one app in detail", &o->name, Completes::app, false}},
      .options = {{"-w,--watch", "", "go on showing it, at a terminal; with --json a document at each look", &o->watch},
                  {"--interval", "DURATION", "with --watch: how long from one look to the next (default 2s)", &o->interval}},
      .action = [o](Console& console) { return status(console, *o); },
      .takes_nodes = [o] { return o->watch; },
  };
}

}  // namespace berth::cli
