#include "daemon/api/seen.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <string_view>
#include <utility>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "daemon/api/routes.h"

namespace berth::api {
namespace {

/// The pattern with what its parameters are: "/v1/apps/web".
std::string path_of(const Route& route, const std::map<std::string, std::string>& parameters) {
  std::string path(route.pattern);
  for (const auto& [name, value] : parameters) {
    const std::string place = "{" + name + "}";
    if (const auto at = path.find(place); at != std::string::npos) path.replace(at, place.size(), value);
  }
  return path;
}

/// What a call is called by whoever uses the command line, and by whoever does not: "'berth remove web' (DELETE /v1/apps/web)".
std::string name_of(const Route& route, const std::map<std::string, std::string>& parameters) {
  constexpr std::pair<std::string_view, std::string_view> kVerbs[] = {  // by how patterns end; what is the end of another one comes after it
      {"/deployments", "deploy"}, {"/revert/plan", "revert --plan"}, {"/plan", "deploy --plan"}, {"/{app}", "remove"}, {"/run", "run-job"}, {"/imports", "import"}, {"/reload", "node reload"}};
  const std::string_view pattern = route.pattern;
  const auto* other = std::ranges::find_if(kVerbs, [&](const auto& one) { return pattern.ends_with(one.first); });
  const std::string_view verb = other == std::end(kVerbs) ? pattern.substr(pattern.rfind('/') + 1) : other->second;
  const std::string call = fmt::format("{} {}", route.method, path_of(route, parameters));
  if (route.method == "GET") return call;  // several verbs ask for it
  std::string what;
  if (const auto app = parameters.find("app"); app != parameters.end()) what = " " + app->second;
  if (const auto process = parameters.find("process"); process != parameters.end()) what += "/" + process->second;
  if (const auto id = parameters.find("id"); id != parameters.end()) what = " " + id->second;
  return fmt::format("'berth {}{}{}' ({})", pattern.starts_with("/v1/node/") ? "node " : "", verb, what, call);
}

}  // namespace

std::string with_article(Role role) {
  const std::string_view name = to_string(role);
  return fmt::format("{} {}", std::string_view("aeiou").find(name.front()) == std::string_view::npos ? "a" : "an", name);
}

std::optional<Error> refusal(const Route& route, const std::map<std::string, std::string>& parameters, const Caller& caller) {
  const std::string call = name_of(route, parameters);
  if (route.only_on_node && !caller.on_node)
    return Error{Errc::permission, fmt::format("{} is for callers on the node alone, since it hands over files of the machine: log in there and use berth", call)};
  if (caller.role < route.role)
    return Error{Errc::permission, fmt::format("{} is {} here, and {} needs the role {}: see {} of this node's berthd.toml", caller.name, with_article(caller.role), call,
                                               to_string(route.role), caller.on_node ? "[[api.local]]" : "[[api.client]]")};
  if (caller.apps.empty()) return {};
  if (route.scope == Scope::node)
    return Error{Errc::permission, fmt::format("{} is limited to {}, and {} is about the whole node", caller.name, fmt::join(caller.apps, ", "), call)};
  if (route.scope != Scope::app) return {};
  if (auto seen = check_app(caller, parameters.at("app")); !seen) return std::move(seen.error());
  return {};
}

Result<void> check_app(const Caller& caller, const std::string& app) {
  if (app.empty() || caller.sees(app)) return {};
  return fail(Errc::permission, fmt::format("{} is limited to {}, and sees nothing of {}", caller.name, fmt::join(caller.apps, ", "), app));
}

awaitable<Result<void>> check_deployment(deploy::Operations& operations, const Caller& caller, std::int64_t id) {
  if (caller.apps.empty()) co_return Result<void>();
  const auto deployment = co_await operations.deployment(id);
  if (!deployment) co_return pass(deployment.error());
  if (!caller.sees(deployment->row.app)) co_return fail(Errc::not_found, fmt::format("there is no deployment {}; 'berth history' lists them", id));
  co_return Result<void>();
}

awaitable<Result<std::vector<deploy::DeploymentStatus>>> deployments_seen(Call& call, store::DeploymentQuery wanted) {
  if (auto seen = check_app(call.caller, wanted.app); !seen) co_return pass(seen.error());
  if (!wanted.app.empty() || call.caller.apps.empty()) {
    auto all = co_await call.operations.deployments(wanted);
    co_return all;
  }
  std::vector<deploy::DeploymentStatus> found;
  for (const std::string& one : call.caller.apps) {
    wanted.app = one;
    auto of_app = co_await call.operations.deployments(wanted);
    if (!of_app) co_return of_app;
    std::ranges::move(*of_app, std::back_inserter(found));
  }
  std::ranges::sort(found, std::ranges::greater(), [](const auto& one) { return one.row.id; });
  if (found.size() > static_cast<std::size_t>(wanted.most)) found.resize(static_cast<std::size_t>(wanted.most));
  co_return found;
}

awaitable<Result<std::vector<store::Event>>> events_seen(Call& call, std::int64_t first, int most, std::string app) {
  if (auto seen = check_app(call.caller, app); !seen) co_return pass(seen.error());
  if (!app.empty() || call.caller.apps.empty()) {
    auto all = co_await call.node.events(first, most, app);
    co_return all;
  }
  // Each app is read by itself: what is newer than this is for the next time, or one of an app that was read before would be missing.
  const std::int64_t last = call.node.last_event();
  std::vector<store::Event> found;
  for (const std::string& one : call.caller.apps) {
    auto of_app = co_await call.node.events(first, most, one);
    if (!of_app) co_return of_app;
    std::ranges::move(*of_app, std::back_inserter(found));
  }
  std::erase_if(found, [last](const store::Event& one) { return one.number > last; });
  std::ranges::sort(found, {}, &store::Event::number);
  if (found.size() > static_cast<std::size_t>(most)) found.resize(static_cast<std::size_t>(most));
  co_return found;
}

awaitable<Result<std::int64_t>> first_of_newest_seen(Call& call, int most, std::string app) {
  if (auto seen = check_app(call.caller, app); !seen) co_return pass(seen.error());
  std::vector<std::string> apps = call.caller.apps;
  if (!app.empty()) apps.assign(1, app);
  const std::int64_t first = co_await call.node.first_of_newest(most, std::move(apps));
  co_return first;
}

void leave_others_out(const Caller& caller, metrics::NodeStatus& node, std::vector<deploy::AppStatus>& apps) {
  if (caller.apps.empty()) return;
  std::erase_if(apps, [&](const deploy::AppStatus& one) { return !caller.sees(one.row.app); });
  std::erase_if(node.follows, [&](const follow::Status& one) { return !caller.sees(one.app); });
  std::erase_if(node.left, [&](const store::LeftApp& one) { return !caller.sees(one.app); });
  node.sinks.clear();  // what they tell is of all apps
  node.webhooks.clear();
  if (node.config_refused) node.config_refused->reason = "the log of this node's berthd says why";
  // Hosts, files and people of the node, and texts that may name them. When its metadata were read and expire stays: it tells what becomes of a deployment.
  node.repository.clear();
  node.root.clear();
  node.ca_file.clear();
  node.certificate_file.clear();
  node.key_file.clear();
  node.trust.last_error.clear();
  node.events_intrusion.clear();
  node.events_trouble.clear();
  node.config_file.clear();
  node.paths = {.state = "", .logs = "", .run = ""};  // not what they usually are
  if (node.remote_api) node.remote_api->problem.clear();
  if (node.metrics_listener) node.metrics_listener->problem.clear();
  if (node.drained) node.drained->by = node.drained->why = "";
}

}  // namespace berth::api
