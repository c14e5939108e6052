#include "daemon/api/routes.h"

#include <algorithm>

namespace berth::api {
namespace {

constexpr Route kRoutes[] = {
    {"GET", "/v1/status", Role::viewer, Scope::lists, get_status},
    {"GET", "/v1/apps/{app}", Role::viewer, Scope::app, get_app},
    {"GET", "/v1/apps/{app}/why", Role::viewer, Scope::app, get_story},
    {"DELETE", "/v1/apps/{app}", Role::admin, Scope::app, remove_app},
    {"POST", "/v1/apps/{app}/deployments", Role::deployer, Scope::app, deploy_app},
    {"POST", "/v1/apps/{app}/plan", Role::deployer, Scope::app, plan_app},
    {"POST", "/v1/apps/{app}/revert", Role::deployer, Scope::app, revert_app},
    {"POST", "/v1/apps/{app}/revert/plan", Role::deployer, Scope::app, plan_revert},
    {"POST", "/v1/apps/{app}/hold", Role::operator_, Scope::app, hold_app},
    {"POST", "/v1/apps/{app}/resume", Role::operator_, Scope::app, resume_app},
    {"POST", "/v1/apps/{app}/mark", Role::operator_, Scope::app, mark_release},
    {"POST", "/v1/apps/{app}/stop", Role::operator_, Scope::app, stop_app},
    {"POST", "/v1/apps/{app}/start", Role::operator_, Scope::app, start_app},
    {"POST", "/v1/apps/{app}/restart", Role::operator_, Scope::app, restart_app},
    {"POST", "/v1/apps/{app}/scale", Role::operator_, Scope::app, scale_app},
    {"POST", "/v1/apps/{app}/exec", Role::operator_, Scope::app, exec_in_app},
    {"POST", "/v1/apps/{app}/exec/files", Role::operator_, Scope::app, exec_with_files, true},
    {"GET", "/v1/apps/{app}/jobs/{process}", Role::viewer, Scope::app, get_job},
    {"POST", "/v1/apps/{app}/jobs/{process}/run", Role::operator_, Scope::app, run_job},
    {"POST", "/v1/apps/{app}/pin", Role::deployer, Scope::app, pin_release},
    {"POST", "/v1/apps/{app}/unpin", Role::deployer, Scope::app, unpin_release},
    {"GET", "/v1/apps/{app}/releases", Role::viewer, Scope::app, list_releases},
    {"GET", "/v1/apps/{app}/logs", Role::viewer, Scope::app, get_logs},
    {"GET", "/v1/deployments", Role::viewer, Scope::lists, list_deployments},
    {"GET", "/v1/deployments/{id}", Role::viewer, Scope::deployment, get_deployment},
    {"POST", "/v1/deployments/{id}/cancel", Role::deployer, Scope::deployment, cancel_deployment},
    {"POST", "/v1/node/drain", Role::operator_, Scope::node, drain_node},
    {"POST", "/v1/node/resume", Role::operator_, Scope::node, resume_node},
    {"POST", "/v1/reload", Role::admin, Scope::node, reload_config},
    {"POST", "/v1/webhooks/{webhook}/test", Role::operator_, Scope::node, test_webhook},
    {"GET", "/v1/repository/apps", Role::viewer, Scope::lists, list_repository_apps},
    {"GET", "/v1/events", Role::viewer, Scope::lists, list_events},
    {"POST", "/v1/gc", Role::viewer, Scope::node, collect_slots},  // what removes anything is for an admin, which the handler sees to
    {"POST", "/v1/imports", Role::admin, Scope::node, import_release, true},
    {"POST", "/v1/verify", Role::operator_, Scope::lists, verify_slots},
    {"GET", "/metrics", Role::anybody, Scope::node, get_metrics},
    {"GET", "/metrics/apps", Role::anybody, Scope::node, get_app_metrics},
    {"GET", "/sd", Role::anybody, Scope::node, get_discovery},
    {"GET", "/status", Role::anybody, Scope::node, get_summary},
    {"GET", "/page", Role::anybody, Scope::node, get_page},
    {"GET", "/page/files/{file}", Role::anybody, Scope::node, get_page_file},
    {"GET", "/page/status", Role::anybody, Scope::node, get_page_status},
    {"GET", "/page/events", Role::anybody, Scope::node, follow_page_events},
    {"GET", "/healthz", Role::anybody, Scope::nothing, get_health},
    {"GET", "/readyz", Role::anybody, Scope::nothing, get_readiness},
};

/// The part up to the next '/', which is taken off with it.
std::string_view take_segment(std::string_view& path) {
  const auto slash = path.find('/');
  const std::string_view segment = path.substr(0, slash);
  path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
  return segment;
}

std::optional<std::map<std::string, std::string>> match(std::string_view pattern, std::string_view path) {
  std::map<std::string, std::string> parameters;
  if (std::ranges::count(pattern, '/') != std::ranges::count(path, '/')) return {};
  while (!pattern.empty() || !path.empty()) {
    const std::string_view wanted = take_segment(pattern), got = take_segment(path);
    if (wanted.starts_with('{')) {
      parameters.emplace(wanted.substr(1, wanted.size() - 2), got);
    } else if (wanted != got) {
      return {};
    }
  }
  return parameters;
}

}  // namespace

std::span<const Route> routes() { return kRoutes; }

bool Route::has_revision() const {
  if (scope != Scope::app) return false;
  return method == "GET" ? handle == get_app : handle != plan_app && handle != plan_revert && handle != exec_in_app && handle != exec_with_files && handle != run_job;
}

std::variant<Matched, Unmatched> find_route(std::span<const Route> all, std::string_view method, std::string_view path, Role role) {
  Unmatched unmatched;
  const std::string_view wanted = method == "HEAD" ? "GET" : method;  // the server leaves the body out
  for (const Route& route : all) {
    if (role == Role::anybody && route.role != Role::anybody) continue;
    auto parameters = match(route.pattern, path);
    if (!parameters) continue;
    if (route.method == wanted) return Matched{&route, std::move(*parameters)};
    unmatched.allowed.push_back(route.method);
    if (route.method == "GET") unmatched.allowed.emplace_back("HEAD");
  }
  return unmatched;
}

}  // namespace berth::api
