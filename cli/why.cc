#include <chrono>
#include <memory>

#include "cli/common.h"
#include "cli/story_text.h"
#include "cli/verbs.h"

namespace berth::cli {
namespace {

Result<Exit> why(const Console& console, const std::string& name) {
  BERTH_TRY(const auto app, app_argument(name, "why"));
  BERTH_TRY(const auto story, ApiClient(console).get(app_target(app, "/why")));
  if (console.json) console.document(story);
  else console.print(story_text(story, {.now = std::chrono::system_clock::now(), .colour = console.colour, .width = console.room(), .node = console.node ? console.node->name : ""}));
  return Exit::ok;
}

}  // namespace

Verb why_verb() {
  const auto app = std::make_shared<std::string>();
  return {
      .name = "why",
      .summary = "Tell the story of an app's last failure, and what to do next",
      .text = "The last deployment that failed or was reverted, or what is wrong with the app's instances now, whichever is newer: what happened in order of time, what "
              "probes were answered, how instances ended, what was printed last. Ends with 0 also where nothing failed, which it says then.",
      .examples = {"berth why web", "berth why web --json"},
      .exits = with_daemon_exits({Exit::not_found}),
      .arguments = {{"APP", "the app", app.get(), Completes::app}},
      .action = [app](Console& console) { return why(console, *app); },
  };
}

}  // namespace berth::cli
