#include "daemon/api/api.h"

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include "daemon/api/network_access.h"
#include "daemon/api/page_access.h"
#include "daemon/api/problem.h"
#include "daemon/api/routes.h"
#include "daemon/api/seen.h"

namespace berth::api {
namespace {

constexpr std::chrono::seconds kPatience{8};

io::ServerReply no_route(const io::ServerRequest& request, const Unmatched& unmatched) {
  if (unmatched.allowed.empty())
    return problem({Errc::not_found, fmt::format("{}: berthd has no such call; docs/api.md lists them", request.path)});
  const std::string allowed = fmt::format("{}", fmt::join(unmatched.allowed, ", "));
  io::ServerReply answer = problem({Errc::usage, fmt::format("{} takes {}, not {}", request.path, allowed, request.method)}, 405);
  answer.headers["allow"] = allowed;
  return answer;
}

/// Changes are worth a line of the log at any time; who only looks is not.
void log_call(const io::ServerRequest& request, const std::string& by, int status) {
  const bool looks = request.method == "GET" || request.method == "HEAD";
  const auto level = looks ? spdlog::level::debug : spdlog::level::info;
  spdlog::log(level, "api: {} {:?} by {}: {}", request.method, request.path, by, status);
}

/// Why a change is not to be made of the app as it is now.
std::optional<io::ServerReply> stale_reply(const Call& call, const std::string& app, const std::string& tag) {
  const auto wanted = call.request.headers.find("if-match");
  if (wanted == call.request.headers.end()) return {};
  const auto fits = matches(wanted->second, tag);
  if (!fits) return problem(fits.error());
  if (*fits) return {};
  if (call.operations.decision_of(app).empty()) return problem({Errc::not_found, fmt::format("app {} is not on this node, and has no ETag that If-Match could be; 'berth apps' lists what is", app)});
  return problem({Errc::conflict, fmt::format("{} was changed since it was read (If-Match): GET /v1/apps/{} tells how it is now, and its ETag", app, app)}, 412);
}

/// Why a call with If-Match that changes no app's revision itself is not to be made: that of the app which it is about is another one, or it is about none.
awaitable<std::optional<io::ServerReply>> unmet(const Route& route, const Revisions& revisions, Call& call) {
  std::optional<io::ServerReply> refused;
  if (!route.is_of_an_app()) {
    refused = problem({Errc::usage, fmt::format("{} {} takes no If-Match: it is about no single app, whose ETag that could be", route.method, route.pattern)});
    co_return refused;
  }
  std::string app = route.scope == Scope::app ? call.app() : std::string();
  if (app.empty()) {
    const auto deployment = co_await call.operations.deployment(call.id());
    if (!deployment) {
      refused = problem(deployment.error());
      co_return refused;
    }
    app = deployment->row.app;
  }
  refused = stale_reply(call, app, revisions.tag(app, call.operations.decision_of(app)));
  co_return refused;
}

/// Whether a deployment of that key is there already: then it was this request that changed the app, and it is answered as it was before.
awaitable<bool> is_repeated(const Route& route, const Call& call) {
  if (route.handle != deploy_app) co_return false;
  const auto key = idempotency_key(call.request);
  if (!key || key->empty()) co_return false;
  const bool known = co_await call.operations.knows_key(call.app(), *key);
  co_return known;
}

/// Nothing comes between the comparison and the change's beginning.
awaitable<Answer> handle_with_revision(const Route& route, Revisions& revisions, Call call) {
  const auto tag = [&revisions, &operations = call.operations, app = call.app()] { return revisions.tag(app, operations.decision_of(app)); };
  const std::string before = tag();
  auto stale = stale_reply(call, call.app(), before);
  bool repeated = false;
  if (stale && stale->status == 412) repeated = co_await is_repeated(route, call);
  if (stale && !repeated) co_return std::move(*stale);
  const bool changes = route.method != "GET" && !repeated;
  const std::string app = call.app(), decided = call.operations.decision_of(app);
  deploy::Operations& operations = call.operations;
  Node& node = call.node;
  const std::int64_t last = node.last_event();
  Revisions::Change change;
  if (changes) change = revisions.change(app);
  Answer result = co_await route.handle(std::move(call));
  if (changes) {
    // What was so already is no event, and neither is what was refused.
    const bool is_told = co_await node.happened_since(last, app);
    if (!is_told && operations.decision_of(app) == decided) revisions.take_back(app, change);
  }
  if (result && result->status < 300) result->headers["etag"] = changes || repeated ? tag() : before;
  co_return result;
}

awaitable<io::ServerReply> answer(deploy::Operations& operations, Node& node, Revisions& revisions, io::ServerRequest request, Caller caller) {
  auto found = find_route(routes(), request.method, request.path, caller.role);
  if (const auto* unmatched = std::get_if<Unmatched>(&found)) co_return no_route(request, *unmatched);
  auto& matched = std::get<Matched>(found);
  for (const auto& [name, value] : matched.parameters)
    if (const auto complaint = parameter_complaint(name, value)) co_return problem({Errc::usage, *complaint});
  if (const auto refused = refusal(*matched.route, matched.parameters, caller)) co_return problem(*refused);
  Call call{operations, node, std::move(request), std::move(matched.parameters), std::move(caller)};
  if (matched.route->scope == Scope::deployment) {
    const auto seen = co_await check_deployment(operations, call.caller, call.id());
    if (!seen) co_return problem(seen.error());
  }
  // What runs already is still being taken over; a change waits for its turn.
  if (matched.route->method != "GET" && !operations.ready()) {
    const bool ready = co_await node.until_ready(kPatience);
    if (!ready) co_return problem({Errc::conflict, "berthd is still taking over or starting what should run on this node: ask again shortly"}, 503);
  }
  if (matched.route->method != "GET" && !matched.route->has_revision() && call.request.headers.contains("if-match")) {
    auto refused = co_await unmet(*matched.route, revisions, call);
    if (refused) co_return std::move(*refused);
  }
  Answer result;
  if (matched.route->has_revision()) result = co_await handle_with_revision(*matched.route, revisions, std::move(call));
  else result = co_await matched.route->handle(std::move(call));
  co_return result ? std::move(*result) : problem(result.error());
}

awaitable<io::ServerReply> logged(deploy::Operations& operations, Node& node, Revisions& revisions, io::ServerRequest request, Caller caller) {
  io::ServerRequest asked;  // what the log tells of it
  asked.method = request.method;
  asked.path = request.path;
  const std::string by = caller.name;
  io::ServerReply result = co_await answer(operations, node, revisions, std::move(request), std::move(caller));
  log_call(asked, by, result.status);
  co_return result;
}

/// What a browser says of requests that a page of somebody else's makes it send. The socket may have been forwarded to a port that one reaches. The status page
/// asks for what it shows without an Origin, and from the same one.
std::optional<Error> page_of_others(const io::ServerRequest& request) {
  if (request.headers.contains("origin")) return Error{Errc::permission, "requests of web pages, which have an Origin, are not taken"};
  const auto site = request.headers.find("sec-fetch-site");
  if (site == request.headers.end() || site->second == "none" || site->second == "same-origin") return {};
  return Error{Errc::permission, "requests of web pages from elsewhere, as Sec-Fetch-Site tells, are not taken"};
}

/// A browser that holds a client's certificate shows it whatever page makes it ask. Its requests say so, or have a type that a page may send unasked.
std::optional<Error> browser_complaint(const io::ServerRequest& request) {
  if (auto complaint = page_of_others(request)) return complaint;
  if (request.method == "GET" || request.method == "HEAD") return {};
  const auto type = request.headers.find("content-type");
  const bool is_json = type != request.headers.end() && (type->second == "application/json" || type->second.starts_with("application/json;"));
  if (is_json || (type == request.headers.end() && request.body.empty())) return {};
  return Error{Errc::permission, "a body has to be application/json, and say so in its Content-Type"};
}

/// Where the status page is, for who asks for it nearby; nothing: something else is asked for.
std::optional<io::ServerReply> lead_to_page(const io::ServerRequest& request) {
  const bool near = request.path == "/" || request.path == "/page/";
  if (!near || (request.method != "GET" && request.method != "HEAD")) return {};
  io::ServerReply answer;
  answer.status = 302;
  answer.headers["location"] = request.path == "/" ? "page" : "../page";  // also behind a proxy that has it in a folder
  answer.content_type = "text/plain; charset=utf-8";
  answer.body = "The status page is at page.\n";
  return answer;
}

}  // namespace

/// Somebody has no role here: the log tells of it whatever was asked, but not each time.
void Api::log_stranger(const io::ServerRequest& request, const Caller& caller) {
  const std::string line = fmt::format("{} {:?} by {}: 403", request.method, request.path, caller.name);
  if (const auto told = strangers_.take(line + ": berthd.toml gives that caller no role", io::Steady::now())) spdlog::info("api: {}", *told);
  else spdlog::debug("api: {}", line);
}

awaitable<io::ServerReply> Api::on_socket(io::ServerRequest request) {
  if (const auto complaint = page_of_others(request)) co_return problem(*complaint);
  Caller caller = co_await node_.caller(request.peer);
  if (caller.role == Role::anybody) {
    log_stranger(request, caller);
    co_return problem({Errc::permission, fmt::format("{} may not use berthd: be root, or a member of a group that [api] or [[api.local]] of berthd.toml names", caller.name)});
  }
  io::ServerReply result = co_await logged(operations_, node_, revisions_, std::move(request), std::move(caller));
  co_return result;
}

awaitable<io::ServerReply> Api::on_tls(io::ServerRequest request) {
  Caller caller = co_await node_.caller(request.peer);
  if (const auto complaint = browser_complaint(request)) {
    log_call(request, caller.name, 403);
    co_return problem(*complaint);
  }
  if (caller.role == Role::anybody) {
    log_stranger(request, caller);
    co_return problem({Errc::permission, fmt::format("{} may not use berthd: no [[api.client]] of its berthd.toml fits a name of that certificate", caller.name)});
  }
  io::ServerReply result = co_await logged(operations_, node_, revisions_, std::move(request), std::move(caller));
  co_return result;
}

awaitable<io::ServerReply> Api::on_network(io::ServerRequest request) {
  if (is_of_page(request.path) && node_.page() != nullptr)  // before a browser asks its user for the token, under somebody else's name
    if (const auto complaint = host_complaint(*node_.page(), request.headers)) co_return problem(*complaint);
  if (request.path == "/status" && node_.status_access() != nullptr)
    if (const auto complaint = host_complaint(*node_.status_access(), request.headers, "/status")) co_return problem(*complaint);
  if (!is_for_probes(request.path)) {
    const auto token = co_await node_.token();
    if (!token) co_return problem(token.error());
    if (*token != nullptr)
      if (auto refused = token_refusal(request, (*token)->view())) co_return std::move(*refused);
  }
  if (node_.page() != nullptr)
    if (auto elsewhere = lead_to_page(request)) co_return std::move(*elsewhere);
  Caller caller{.name = request.peer.address, .role = Role::anybody, .apps = {}};
  io::ServerReply result = co_await answer(operations_, node_, revisions_, std::move(request), std::move(caller));
  co_return result;
}

}  // namespace berth::api
