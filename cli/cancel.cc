#include <algorithm>
#include <charconv>
#include <memory>

#include <fmt/core.h>

#include "cli/common.h"
#include "cli/deployment.h"
#include "cli/json_view.h"
#include "cli/verbs.h"
#include "core/io/http.h"

namespace berth::cli {
namespace {

struct CancelOptions {
  std::string what, reason;
};

/// What is under way of an app and can be cancelled still; else what is decided, so that berthd says what to do instead.
Result<std::int64_t> under_way(const ApiClient& api, const std::string& app) {
  BERTH_TRY(const auto answer, api.get("/v1/deployments?limit=50&app=" + io::percent_encode(app)));
  std::vector<Deployment> running;
  for (const auto& one : list_of(answer, "deployments"))
    if (auto deployment = read_deployment(one); !deployment.ended()) running.push_back(std::move(deployment));
  if (const auto open = std::ranges::find(running, false, &Deployment::decided); open != running.end()) return open->id;
  if (!running.empty()) return running.front().id;
  if (list_of(answer, "deployments").empty()) BERTH_CHECK(api.get(app_target(app)));
  return fail(Errc::conflict, fmt::format("no deployment of {0} is under way; 'berth history {0}' lists those that ended", app));
}

/// A number, or an app.
Result<std::int64_t> deployment_of(const ApiClient& api, const std::string& what) {
  std::int64_t id = 0;
  const auto [end, error] = std::from_chars(what.data(), what.data() + what.size(), id);
  if (error == std::errc() && end == what.data() + what.size() && id > 0) return id;
  if (!is_name(what))
    return fail(Errc::usage, fmt::format("berth cancel: '{}' is neither the number of a deployment nor an app; 'berth status' shows both", what));
  return under_way(api, what);
}

}  // namespace

Verb cancel_verb() {
  auto o = std::make_shared<CancelOptions>();
  return {
      .name = "cancel",
      .summary = "Cancel a deployment before its decision",
      .text = "After the decision there is nothing to cancel: 'berth revert' goes back.",
      .examples = {"berth cancel web # what is under way of it", "berth cancel 7 --reason 'the wrong release'"},
      .exits = with_daemon_exits({Exit::not_found, Exit::conflict}),
      .arguments = {{"APP|ID", "the app whose deployment is under way, or the number of one; 'berth status' and 'berth history' show it", &o->what, Completes::app}},
      .options = {reason_option(o->reason)},
      .action = [o](Console& console) -> Result<Exit> {
        const ApiClient api(console);
        BERTH_TRY(const auto id, deployment_of(api, o->what));
        json::object body;
        put_if(body, "reason", o->reason);
        BERTH_TRY(const auto answer, api.post(fmt::format("/v1/deployments/{}/cancel", id), std::move(body), kLongCall));
        if (console.json) console.document(answer);
        const Deployment deployment = read_deployment(answer);
        console.note(fmt::format("Deployment {}{} is cancelled.", id, deployment.app.empty() ? "" : " of " + deployment.name()));
        return Exit::ok;
      },
  };
}

}  // namespace berth::cli
