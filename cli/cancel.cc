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

constexpr int kMostAsked = 4;  ///< times, each for 30 s: what it began is taken back, by its app's stop rules

/// Returns when the deployment is over, so that whoever comes next meets none under way.
Result<Exit> follow_to_end(const Console& console, const ApiClient& api, std::int64_t id, json::value answer) {
  for (int asked = 0; asked < kMostAsked && !read_deployment(answer).ended(); ++asked) {
    BERTH_TRY(answer, api.get(fmt::format("/v1/deployments/{}?wait=30&until=ended", id), milliseconds(40'000)));
  }
  if (console.json) console.document(answer);
  const Deployment deployment = read_deployment(answer);
  const std::string name = fmt::format("Deployment {}{}", id, deployment.app.empty() ? "" : " of " + deployment.name());
  if (deployment.state == "cancelled") {
    console.note(name + " is cancelled.");
    return Exit::ok;
  }
  if (!deployment.ended()) {
    console.warn(fmt::format("{} is being cancelled, and is {} still; see: berth status {}", name, deployment.state, deployment.app));
    return Exit::still_running;
  }
  console.warn(fmt::format("{} ended otherwise before it could be cancelled: it is {}", name, deployment.state));
  return Exit::conflict;
}

}  // namespace

Verb cancel_verb() {
  auto o = std::make_shared<CancelOptions>();
  return {
      .name = "cancel",
      .summary = "Cancel a deployment before its decision",
      .text = "Returns when the deployment is over and what it began is taken back. After the decision there is nothing to cancel: 'berth revert' goes back.",
      .examples = {"berth cancel web # what is under way of it", "berth cancel 7 --reason 'the wrong release'"},
      .exits = with_daemon_exits({Exit::not_found, Exit::conflict, Exit::still_running}),
      .arguments = {{"APP|ID", "the app whose deployment is under way, or the number of one; 'berth status' and 'berth history' show it", &o->what, Completes::app}},
      .options = {reason_option(o->reason)},
      .action = [o](Console& console) -> Result<Exit> {
        const ApiClient api(console);
        BERTH_TRY(const auto id, deployment_of(api, o->what));
        json::object body;
        put_if(body, "reason", o->reason);
        BERTH_TRY(const auto answer, api.post(fmt::format("/v1/deployments/{}/cancel", id), std::move(body), kLongCall));
        return follow_to_end(console, api, id, answer);
      },
  };
}

}  // namespace berth::cli
