#include <memory>

#include <fmt/core.h>

#include "cli/common.h"
#include "cli/verbs.h"

namespace berth::cli {

Verb resume_verb() {
  struct Options {
    std::string app, reason;
  };
  auto o = std::make_shared<Options>();
  return {
      .name = "resume",
      .summary = "Let channels and retries act again, at once, on an app that was reverted by hand",
      .examples = {"berth resume web"},
      .exits = with_daemon_exits({Exit::not_found, Exit::conflict}),
      .arguments = {{"APP", "the app", &o->app, Completes::app}},
      .options = {reason_option(o->reason)},
      .action = [o](Console& console) -> Result<Exit> {
        BERTH_TRY(const auto app, app_argument(o->app, "resume"));
        json::object body;
        put_if(body, "reason", o->reason);
        BERTH_TRY(const auto answer, ApiClient(console.socket).post(app_target(app, "/resume"), std::move(body)));
        if (console.json) console.document(answer);
        console.note(fmt::format("{} is no longer held.", app));
        return Exit::ok;
      },
  };
}

}  // namespace berth::cli
