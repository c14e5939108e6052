#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "daemon/api/call.h"

namespace berth::api {

using Answer = Result<io::ServerReply>;
using HandlerFunction = awaitable<Answer> (*)(Call call);

/// What a call is about, for callers who are limited to some apps.
enum class Scope {
  node,        ///< the whole node: not for them
  app,         ///< the app of its path: theirs alone
  deployment,  ///< the deployment of its path: one of theirs alone
  lists,       ///< several apps, of which its handler shows and takes theirs
  nothing      ///< neither
};

struct Route {
  std::string_view method;
  std::string_view pattern;  ///< "/v1/apps/{app}/revert"; `{…}` takes one segment
  Role role;                 ///< the least that may make it
  Scope scope;
  HandlerFunction handle;
  bool only_on_node = false; ///< it is about files of the caller's machine

  /// Whether it reads or changes what an app is to be, whose state then has a revision.
  bool has_revision() const;
  /// Whether `If-Match` of a call that changes something can mean the revision of an app: its own, or that of its deployment.
  bool is_of_an_app() const { return scope == Scope::app || scope == Scope::deployment; }
};

/// Every call there is.
std::span<const Route> routes();

/// A route and what its pattern's parameters took.
struct Matched {
  const Route* route = nullptr;
  std::map<std::string, std::string> parameters;
};

/// What `path` is instead, where no route has it with that method: the methods it does have, none of them where the path is unknown.
struct Unmatched {
  std::vector<std::string_view> allowed;
};

/// The route of a request among those of `all` that `role` may see.
std::variant<Matched, Unmatched> find_route(std::span<const Route> all, std::string_view method, std::string_view path, Role role);

// The handlers, by what they are about: handle_deployments.cc, handle_apps.cc, handle_exec.cc, handle_node.cc, handle_streams.cc, handle_page.cc.
awaitable<Answer> deploy_app(Call call);
awaitable<Answer> plan_app(Call call);
awaitable<Answer> plan_revert(Call call);
awaitable<Answer> revert_app(Call call);
awaitable<Answer> get_deployment(Call call);
awaitable<Answer> cancel_deployment(Call call);
awaitable<Answer> list_deployments(Call call);

awaitable<Answer> get_app(Call call);
awaitable<Answer> get_story(Call call);
awaitable<Answer> hold_app(Call call);
awaitable<Answer> resume_app(Call call);
awaitable<Answer> mark_release(Call call);
awaitable<Answer> stop_app(Call call);
awaitable<Answer> start_app(Call call);
awaitable<Answer> restart_app(Call call);
awaitable<Answer> scale_app(Call call);
awaitable<Answer> exec_in_app(Call call);
awaitable<Answer> exec_with_files(Call call);
awaitable<Answer> run_job(Call call);
awaitable<Answer> get_job(Call call);
awaitable<Answer> pin_release(Call call);
awaitable<Answer> unpin_release(Call call);
awaitable<Answer> remove_app(Call call);
awaitable<Answer> list_releases(Call call);
awaitable<Answer> get_logs(Call call);

awaitable<Answer> get_status(Call call);
awaitable<Answer> drain_node(Call call);
awaitable<Answer> resume_node(Call call);
awaitable<Answer> reload_config(Call call);
awaitable<Answer> test_webhook(Call call);
awaitable<Answer> list_repository_apps(Call call);
awaitable<Answer> list_events(Call call);
awaitable<Answer> collect_slots(Call call);
awaitable<Answer> verify_slots(Call call);
awaitable<Answer> import_release(Call call);
awaitable<Answer> get_metrics(Call call);
awaitable<Answer> get_app_metrics(Call call);
awaitable<Answer> get_discovery(Call call);
awaitable<Answer> get_summary(Call call);
awaitable<Answer> get_page(Call call);
awaitable<Answer> get_page_file(Call call);
awaitable<Answer> get_page_status(Call call);
awaitable<Answer> follow_page_events(Call call);
awaitable<Answer> get_health(Call call);
awaitable<Answer> get_readiness(Call call);

}  // namespace berth::api
