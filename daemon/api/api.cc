#include "daemon/api/api.h"

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include "daemon/api/problem.h"
#include "daemon/api/routes.h"

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

awaitable<io::ServerReply> answer(deploy::Operations& operations, Node& node, io::ServerRequest request, Role role, std::string by) {
  auto found = find_route(routes(), request.method, request.path, role);
  if (const auto* unmatched = std::get_if<Unmatched>(&found)) co_return no_route(request, *unmatched);
  auto& matched = std::get<Matched>(found);
  for (const auto& [name, value] : matched.parameters)
    if (const auto complaint = parameter_complaint(name, value)) co_return problem({Errc::usage, *complaint});
  // What runs already is still being taken over; a change waits for its turn.
  if (matched.route->method != "GET" && !operations.ready()) {
    const bool ready = co_await node.until_ready(kPatience);
    if (!ready) co_return problem({Errc::conflict, "berthd is still taking over or starting what should run on this node: ask again shortly"}, 503);
  }
  Call call{operations, node, std::move(request), std::move(matched.parameters), std::move(by)};
  Answer result = co_await matched.route->handle(std::move(call));
  co_return result ? std::move(*result) : problem(result.error());
}

}  // namespace

awaitable<io::ServerReply> Api::on_socket(io::ServerRequest request) {
  Caller caller = co_await node_.caller(request.peer);
  io::ServerRequest asked;  // what the log tells of it
  asked.method = request.method;
  asked.path = request.path;
  io::ServerReply result;
  if (caller.operates) {
    result = co_await answer(operations_, node_, std::move(request), Role::operator_, caller.name);
  } else {
    result = problem({Errc::permission, fmt::format("{} may not use berthd: be root, or a member of the group that [api] of berthd.toml names", caller.name)});
  }
  log_call(asked, caller.name, result.status);
  co_return result;
}

awaitable<io::ServerReply> Api::on_network(io::ServerRequest request) {
  const std::string from = request.peer.address;
  io::ServerReply result = co_await answer(operations_, node_, std::move(request), Role::anybody, from);
  co_return result;
}

}  // namespace berth::api
