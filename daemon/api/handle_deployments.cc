#include <algorithm>
#include <chrono>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string_view>

#include <fmt/core.h>

#include "core/ids.h"
#include "core/logs/record_time.h"
#include "daemon/api/problem.h"
#include "daemon/api/routes.h"
#include "daemon/api/seen.h"
#include "daemon/api/to_json.h"
#include "daemon/store/time_text.h"

namespace berth::api {
namespace {

constexpr std::int64_t kMostListed = 1000;

/// Those of deploy::State, and of docs/api.md.
constexpr std::string_view kStates[] = {"queued", "fetching", "unpacking", "sealed", "preparing", "starting", "canary", "switching", "baking", "active", "failed", "reverting", "reverted", "cancelled", "superseded", "interrupted"};

Answer begun(const Result<deploy::DeploymentStatus>& deployment) {
  if (!deployment) return pass(deployment.error());
  return reply(deployment->already ? 200 : 202, to_json(*deployment));
}

Answer shown(const Result<deploy::DeploymentStatus>& deployment) {
  if (!deployment) return pass(deployment.error());
  return reply(200, to_json(*deployment));
}

Result<deploy::DeployRequest> read_deploy(const Call& call) {
  BERTH_TRY(const auto body, body_of(call.request));
  auto reader = read_body(body);
  deploy::DeployRequest request{.app = call.app()};
  request.release = reader.string("release");
  request.force = reader.boolean_or("force", false);
  request.environment = reader.string_or("environment", "");
  request.asked = call.asked(reason_of(reader));
  if (!is_release_id(request.release)) reader.complain(fmt::format("'{}' is no id of a release", request.release.substr(0, 64)));
  if (!request.environment.empty() && !is_name(request.environment)) reader.complain("'environment' is no name of an environment");
  BERTH_CHECK(reader.done());
  BERTH_TRY(request.key, idempotency_key(call.request));
  return request;
}

Result<deploy::RevertRequest> read_revert(const Call& call) {
  BERTH_TRY(const auto body, body_of(call.request));
  auto reader = read_body(body);
  deploy::RevertRequest revert{.app = call.app(), .to = reader.string_or("to", ""), .keep_data = reader.boolean_or("keep_data", false)};
  revert.asked = call.asked(reason_of(reader));
  if (!revert.to.empty() && !is_release_id(revert.to)) reader.complain("'to' is no id of a release");
  BERTH_CHECK(reader.done());
  return revert;
}

/// What `force` goes over is what operators said.
Result<void> may_force(const Call& call, const deploy::DeployRequest& request) {
  if (!request.force || call.caller.role >= Role::operator_) return {};
  return fail(Errc::permission, fmt::format("{} is a {} here, and 'force' needs the role operator", call.by, to_string(call.caller.role)));
}

/// What an operator said of the app, or of the release, that going back to it would go over; nothing where nothing is in the way. `to`: empty for the release
/// before, which is never a rejected one.
std::optional<Error> in_the_way_of_revert(const Call& call, const deploy::AppStatus& app, const std::string& to) {
  const auto refuse = [&](const std::string& why) {
    return Error{Errc::permission, fmt::format("{}, {} is a {} here, and to revert all the same needs the role operator", why, call.by, to_string(call.caller.role))};
  };
  if (app.row.held && app.row.held.firm) return refuse(fmt::format("{} is held ({})", call.app(), store::to_string(app.row.held)));
  const auto rejected = std::ranges::find(app.rejected, to, &store::Rejected::release);
  if (rejected != app.rejected.end()) return refuse(fmt::format("{}@{} is rejected on this node since {} ({})", call.app(), to, store::to_seconds(rejected->at), rejected->reason));
  return std::nullopt;
}

/// As with `force`: what a deployer's revert would go over is what operators said.
awaitable<Result<void>> may_revert(Call call, std::string to) {
  if (call.caller.role >= Role::operator_) co_return Result<void>();
  const auto app = co_await call.operations.status(call.app());
  if (!app) co_return pass(app.error());
  if (auto refused = in_the_way_of_revert(call, *app, to)) co_return std::unexpected(std::move(*refused));
  co_return Result<void>();
}

/// `?wait=SECONDS&until=switched|ended&after=STATE`. Whoever wants longer asks again.
Result<deploy::WaitFor> read_wait(const Call& call) {
  QueryReader query(call.request);
  deploy::WaitFor wait;
  wait.at_most = query.wait();
  const std::string until = query.text("until", "ended");
  wait.until_decided = until == "switched";
  wait.after = query.text("after");
  if (until != "switched" && until != "ended") query.complain("until is neither 'switched' nor 'ended'");
  if (!wait.after.empty() && std::ranges::find(kStates, wait.after) == std::end(kStates)) query.complain("after is no state of a deployment, such as 'starting'; docs/api.md lists them");
  BERTH_CHECK(query.done());
  return wait;
}

/// `?app=APP&limit=N&before=NUMBER&since=WHEN&until=WHEN`.
Result<store::DeploymentQuery> read_list(const Call& call) {
  constexpr int kDigits = 6;  // as the store has them
  QueryReader query(call.request);
  const logs::Time now = std::chrono::system_clock::now();
  store::DeploymentQuery wanted;
  wanted.app = query.app();
  wanted.most = static_cast<int>(query.integer("limit", 20, 1, kMostListed));
  wanted.before = query.integer("before", 0, 1, INT64_MAX);
  const auto since = query.moment("since", now), until = query.moment("until", now);
  if (since) wanted.since = logs::format_rfc3339(*since, kDigits);
  if (until) wanted.until = logs::format_rfc3339(*until, kDigits);
  if (since && until && *since >= *until) query.complain("since is not before until");
  BERTH_CHECK(query.done());
  return wanted;
}

}  // namespace

awaitable<Answer> deploy_app(Call call) {
  const auto request = read_deploy(call);
  if (!request) co_return pass(request.error());
  if (auto may = may_force(call, *request); !may) co_return pass(may.error());
  co_return begun(co_await call.operations.deploy(*request));
}

awaitable<Answer> plan_app(Call call) {
  const auto request = read_deploy(call);
  if (!request) co_return pass(request.error());
  if (auto may = may_force(call, *request); !may) co_return pass(may.error());  // it would promise what is refused
  const auto plan = co_await call.operations.plan(*request);
  if (!plan) co_return pass(plan.error());
  co_return reply(200, to_json(*plan));
}

awaitable<Answer> revert_app(Call call) {
  const auto revert = read_revert(call);
  if (!revert) co_return pass(revert.error());
  const auto may = co_await may_revert(call, revert->to);
  if (!may) co_return pass(may.error());
  co_return begun(co_await call.operations.revert(*revert));
}

awaitable<Answer> plan_revert(Call call) {
  const auto revert = read_revert(call);
  if (!revert) co_return pass(revert.error());
  const auto may = co_await may_revert(call, revert->to);  // else it would promise what is refused
  if (!may) co_return pass(may.error());
  const auto plan = co_await call.operations.plan_revert(*revert);
  if (!plan) co_return pass(plan.error());
  co_return reply(200, to_json(*plan));
}

awaitable<Answer> get_deployment(Call call) {
  const auto wait = read_wait(call);
  if (!wait) co_return pass(wait.error());
  if (wait->at_most.count() == 0) co_return shown(co_await call.operations.deployment(call.id()));
  co_return shown(co_await call.operations.wait(call.id(), *wait));
}

awaitable<Answer> cancel_deployment(Call call) {
  const auto body = body_of(call.request);
  if (!body) co_return pass(body.error());
  auto reader = read_body(*body);
  const deploy::Asked asked = call.asked(reason_of(reader));
  if (const auto done = reader.done(); !done) co_return pass(done.error());
  co_return shown(co_await call.operations.cancel(call.id(), asked));
}

awaitable<Answer> list_deployments(Call call) {
  auto wanted = read_list(call);
  if (!wanted) co_return pass(wanted.error());
  const auto most = static_cast<std::size_t>(wanted->most);
  ++wanted->most;  // whether there are more
  auto deployments = co_await deployments_seen(call, *wanted);
  if (!deployments) co_return pass(deployments.error());
  std::optional<std::int64_t> next;
  if (deployments->size() > most) {
    deployments->resize(most);
    next = deployments->back().row.id;
  }
  WriteBody body = [deployments = std::move(*deployments), next] { return deployments_json(deployments, next); };
  auto answer = co_await reply_aside(call, std::move(body));
  co_return answer;
}

}  // namespace berth::api
