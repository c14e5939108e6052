#include <memory>

#include <fmt/core.h>

#include "cli/common.h"
#include "cli/json_view.h"
#include "cli/show_plan.h"
#include "cli/verbs.h"
#include "cli/watch_deployment.h"

namespace berth::cli {
namespace {

struct RevertOptions {
  std::string app, to, reason, timeout = "1h";
  bool no_wait = false, keep_data = false, plan = false;
};

/// Until when it stays where it is, by what berthd tells of the app.
std::string held_note(const std::string& app, const json::value& told) {
  if (!told.is_object()) return fmt::format("See: berth status {}, for whether it is held.", app);  // berthd could not be asked
  if (text_of(told, "held").empty()) return fmt::format("{} is not held any more: channels may take another release; 'berth status {}' shows it.", app, app);
  if (truth_of(told, "held_firmly")) return fmt::format("{} stays held: no deployment is taken, and channels leave it alone, until 'berth resume {}'.", app, app);
  return fmt::format("{} is held: channels leave it alone until 'berth resume {}' or a newer release.", app, app);
}

Result<Exit> revert(const Console& console, const RevertOptions& options) {
  BERTH_TRY(const auto app, app_argument(options.app, "revert"));
  BERTH_TRY(const auto at_most, duration_argument(options.timeout, "--timeout"));
  if (!options.to.empty() && !is_release_id(options.to))
    return fail(Errc::usage, fmt::format("--to: '{}' is no release id; 'berth releases {}' lists them", options.to, app));
  if (options.plan && options.no_wait) return fail(Errc::usage, "berth revert: --plan begins nothing: it goes without --no-wait");
  json::object body;
  put_if(body, "to", options.to);
  if (options.keep_data) body["keep_data"] = true;
  if (options.plan) return show_plan(console, {.method = "POST", .target = app_target(app, "/revert/plan"), .body = std::move(body)});
  put_if(body, "reason", options.reason);
  const ApiClient api(console);
  BERTH_TRY(const auto answer, api.post(app_target(app, "/revert"), std::move(body), first_call_deadline(at_most)));
  const Deployment deployment = read_deployment(answer);
  if (deployment.already || deployment.ended()) return conclude(console, answer);
  if (options.no_wait) {
    if (console.json) console.document(answer);
    console.note(fmt::format("{}: reverting to {} as deployment {}; see: berth status {}", app, deployment.release, deployment.id, app));
    return Exit::ok;
  }
  auto exit = watch_deployment(console, api, deployment, {.at_most = at_most});
  if (exit && *exit == Exit::ok) console.note(held_note(app, told_of(api, app)));
  return exit;
}

}  // namespace

Verb revert_verb() {
  auto o = std::make_shared<RevertOptions>();
  return {
      .name = "revert",
      .summary = "Go back to the release before, or another one on the node",
      .text = "What ran before is still on the node, so that this needs no repository. The app is held afterwards: channels and retries leave "
              "it alone until 'berth resume' or a newer release; one that 'berth hold' held stays so until 'berth resume'. Where the release's spec says snapshot in [data], the data become what they were before it "
              "came, and what was written since is set aside.",
      .examples = {"berth revert web", "berth revert web --to v40 --reason 'v42 loses sessions'", "berth revert web --plan # what would happen; changes nothing", "berth revert web --keep-data"},
      .exits = with_daemon_exits({Exit::failed, Exit::not_found, Exit::trust, Exit::reverted, Exit::conflict, Exit::still_running}),
      .arguments = {{"APP", "the app", &o->app, Completes::app}},
      .options = {{"--to", "RELEASE", "this release on the node, instead of the one before", &o->to, Completes::release_id_here},
                  {"--plan", "", "show what would happen, and end with what it would be refused with; changes nothing", &o->plan},
                  reason_option(o->reason),
                  {"--keep-data", "", "leave the app's data as they are, where the release was deployed with a snapshot of them", &o->keep_data},
                  {"--no-wait", "", "return at once", &o->no_wait},
                  {"--timeout", "DURATION", "how long to wait (default 1h)", &o->timeout}},
      .action = [o](Console& console) { return revert(console, *o); },
      .deploys = true,
      .exit_texts = {{"5", "the revert was itself reverted: what ran before runs again, neither rejected nor held"}, {"130", "interrupted; the deployment goes on"}},
  };
}

}  // namespace berth::cli
