#include <string_view>

#include <fmt/core.h>

#include "core/json/json.h"
#include "daemon/api/handle_streams.h"
#include "daemon/api/problem.h"
#include "daemon/api/routes.h"
#include "daemon/api/to_json.h"
#include "daemon/page/files.h"

namespace berth::api {
namespace {

/// Nothing but files of ours and what berthd tells; nowhere in a frame of somebody else's.
constexpr const char* kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// Why the page is not there, or not for whoever asks.
std::optional<Error> page_complaint(const Call& call) {
  const PageAccess* access = call.node.page();
  if (access == nullptr) return Error{Errc::not_found, fmt::format("{}: this node has no status page; [metrics] page = true in its berthd.toml gives it one", call.request.path)};
  if (call.caller.role != Role::anybody) return {};  // no browser comes to the socket, nor with a certificate under another name
  return host_complaint(*access, call.request.headers);
}

void guard(io::ServerReply& answer) {
  answer.headers["content-security-policy"] = kPolicy;
  answer.headers["x-content-type-options"] = "nosniff";
  answer.headers["referrer-policy"] = "no-referrer";
  answer.headers["cross-origin-resource-policy"] = "same-origin";
}

const char* type_of(std::string_view name) {
  if (name.ends_with(".html")) return "text/html; charset=utf-8";
  if (name.ends_with(".css")) return "text/css; charset=utf-8";
  if (name.ends_with(".js")) return "text/javascript; charset=utf-8";
  return "image/svg+xml";
}

/// Whether `If-None-Match` has the tag, or takes any.
bool is_known(const io::ServerRequest& request, std::string_view etag) {
  const auto known = request.headers.find("if-none-match");
  return known != request.headers.end() && (known->second == "*" || known->second.find(etag) != std::string::npos);
}

/// Without a name: a browser tells a page those events alone whose names it has.
std::string page_message(const store::Event& event) { return fmt::format("id: {}\ndata: {}\n\n", event.number, json::text(page_json(event))); }

io::ServerReply file_reply(const io::ServerRequest& request, const page::File& file) {
  io::ServerReply answer;
  guard(answer);
  answer.headers["etag"] = file.etag;
  answer.headers["cache-control"] = "no-cache";  // kept, and asked after
  answer.content_type = type_of(file.name);
  if (is_known(request, file.etag)) answer.status = 304;
  else answer.body = file.text;
  return answer;
}

}  // namespace

awaitable<Answer> get_page(Call call) {
  if (auto complaint = page_complaint(call)) co_return std::unexpected(*complaint);
  co_return file_reply(call.request, *page::find_file("index.html"));
}

awaitable<Answer> get_page_file(Call call) {
  if (auto complaint = page_complaint(call)) co_return std::unexpected(*complaint);
  const page::File* file = page::find_file(call.parameters.at("file"));
  if (file == nullptr) co_return fail(Errc::not_found, fmt::format("{}: the status page has no such file", call.request.path));
  co_return file_reply(call.request, *file);
}

awaitable<Answer> get_page_status(Call call) {
  if (auto complaint = page_complaint(call)) co_return std::unexpected(*complaint);
  QueryReader query(call.request);
  if (const auto known = query.done(); !known) co_return pass(known.error());
  // Read first: what comes meanwhile is told by an event, and the page asks again.
  const std::int64_t last = call.node.last_event();
  auto apps = co_await call.operations.status();
  if (!apps) co_return pass(apps.error());
  auto node = co_await call.node.status();
  WriteBody body = [node = std::move(node), apps = std::move(*apps), last] { return page_json(node, apps, last); };
  auto answer = co_await reply_aside(call, std::move(body));
  guard(answer);
  answer.headers["cache-control"] = "no-store";
  co_return answer;
}

awaitable<Answer> follow_page_events(Call call) {
  if (auto complaint = page_complaint(call)) co_return std::unexpected(*complaint);
  auto place = call.node.page_place();
  auto answer = co_await follow_events(std::move(call), page_message, std::move(place));
  if (answer) guard(*answer);
  co_return answer;
}

}  // namespace berth::api
