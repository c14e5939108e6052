#include <algorithm>

#include <fmt/core.h>
#include <spdlog/spdlog.h>

#include "core/json/json.h"
#include "daemon/api/handle_streams.h"
#include "daemon/api/log_query.h"
#include "daemon/api/problem.h"
#include "daemon/api/routes.h"
#include "daemon/api/seen.h"
#include "daemon/api/to_json.h"

namespace berth::api {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kSign{15'000};     ///< of life, to a client that there is nothing new for
constexpr int kEventsAtOnce = 200;
constexpr std::int64_t kMostOfNewest = 1'000'000;

/// Says who was dropped, of what, and after how long, where the client took nothing for too long.
void tell_slow(const Call& call, io::Steady::time_point began, const io::BodyWriter& writer) {
  if (writer.stalled().count() == 0) return;
  const auto whole = [](auto time) { return std::chrono::duration_cast<std::chrono::seconds>(time).count(); };
  spdlog::warn("api: {} was dropped, who took nothing of GET {:?} for {} s, after {} s", call.by, call.request.path, whole(writer.stalled()), whole(io::Steady::now() - began));
  call.node.reader_dropped();
}

Error no_place() { return {Errc::refused, "as many read events and logs of this node as may at once: end another one, or ask for pages"}; }

/// Tells `sign`, a comment, and events from number `next` on, until the client is gone.
awaitable<void> tell_events(Call call, std::int64_t next, std::string app, EventMessage message_of, std::string sign, io::BodyWriter& writer) {
  const auto began = io::Steady::now();
  bool there = co_await writer.write(std::move(sign));
  auto told = io::Steady::now();
  while (there && !writer.gone()) {
    const std::int64_t last = call.node.last_event();
    std::string messages;
    if (last >= next) {
      const auto events = co_await events_seen(call, next, kEventsAtOnce, app);
      if (!events) co_return;  // whoever follows asks again, from where it is
      for (const store::Event& event : *events) messages += message_of(event);
      // A page that is not full has all up to `last`, of which some were of other apps.
      const std::int64_t highest = events->empty() ? 0 : events->back().number;
      const bool is_full = static_cast<int>(events->size()) >= kEventsAtOnce;
      next = (is_full ? highest : std::max(last, highest)) + 1;
    } else {
      co_await call.node.event_after(last, kSign);
    }
    const auto now = io::Steady::now();
    if (messages.empty() && now - told >= kSign) messages = ":\n\n";
    if (messages.empty()) continue;
    there = co_await writer.write(std::move(messages));
    told = now;
  }
  tell_slow(call, began, writer);
}

/// Tells lines until the end, or, where they are followed, until the client is gone.
awaitable<void> tell_lines(std::shared_ptr<const Call> call, std::shared_ptr<LogFeed> feed, bool follow, io::BodyWriter& writer) {
  const auto began = io::Steady::now();
  auto told = began;
  bool there = true;
  while (there && !writer.gone()) {
    auto piece = co_await feed->next();
    if (!piece) co_return;
    std::string lines = std::move(piece->lines);
    if (lines.empty() && piece->is_last) {
      if (!follow) co_return;
      const auto grown = co_await feed->grown(kSign);
      if (!grown) co_return;
      if (*grown) continue;
    }
    const auto now = io::Steady::now();
    if (lines.empty() && now - told >= kSign) lines = "\n";
    if (lines.empty()) continue;
    there = co_await writer.write(std::move(lines));
    told = now;
  }
  tell_slow(*call, began, writer);
}

/// What a reader says names folders of the node and, where the app has no logs, other apps: neither is for who is limited to some.
Error log_error(const Caller& caller, const InstanceSelector& what, Error error) {
  if (caller.apps.empty()) return error;
  std::string name = what.app;
  if (what.process) name += "/" + *what.process;
  if (what.number) name += fmt::format(".{}", *what.number);
  if (error.code == Errc::not_found) error.message = fmt::format("{}: this node has no such logs; 'berth status {}' lists its instances", name, what.app);
  else error.message = fmt::format("{}: its logs cannot be read; the log of this node's berthd says why", name);
  return error;
}

}  // namespace

awaitable<Answer> get_logs(Call call) {
  auto asked = read_log_query(call.request, call.app(), std::chrono::system_clock::now());
  if (!asked) co_return pass(asked.error());
  const bool follow = asked->follow;
  InstanceSelector what = asked->selector;
  what.release.reset();
  auto place = call.node.place(call.caller);
  if (!place) co_return std::unexpected(no_place());
  auto feed = co_await call.node.logs(std::move(*asked));
  if (!feed) co_return std::unexpected(log_error(call.caller, what, feed.error()));
  io::ServerReply answer;
  answer.content_type = "application/x-ndjson";
  auto asking = std::make_shared<const Call>(std::move(call));
  answer.stream = [asking = std::move(asking), feed = std::move(*feed), follow, place = std::move(place)](io::BodyWriter& writer) { return tell_lines(asking, feed, follow, writer); };
  co_return answer;
}

std::string whole_message(const store::Event& event) {
  return fmt::format("id: {}\nevent: {}\ndata: {}\n\n", event.number, event.kind, json::text(to_json(event)));
}

bool wants_stream(const io::ServerRequest& request) {
  const auto accept = request.headers.find("accept");
  return accept != request.headers.end() && accept->second.find("text/event-stream") != std::string::npos;
}

FirstEvent read_first_event(QueryReader& query) {
  FirstEvent first{.from = query.integer("from", 0, 1, INT64_MAX), .last = static_cast<int>(query.integer("last", 0, 1, kMostOfNewest))};
  if (first.from > 0 && first.last > 0) query.complain("from and last say two things");
  return first;
}

awaitable<Answer> follow_events(Call call, EventMessage message_of, std::shared_ptr<void> place) {
  QueryReader query(call.request);
  const FirstEvent wanted = read_first_event(query);
  std::int64_t first = wanted.from;
  const std::string app = query.app();
  if (const auto known = query.done(); !known) co_return pass(known.error());
  if (const auto seen = check_app(call.caller, app); !seen) co_return pass(seen.error());
  const auto id = last_event_id(call.request.headers);
  if (!id) co_return pass(id.error());
  const bool has_id = id->has_value();
  if (has_id) first = **id + 1;
  if (!has_id && wanted.last > 0) {
    const auto begin = co_await first_of_newest_seen(call, wanted.last, app);
    if (!begin) co_return pass(begin.error());
    first = *begin;
  }
  const std::int64_t newest = call.node.last_event();
  std::string sign = ": events of berthd\n\n";
  if (has_id && first > newest + 1) {  // of another node, or of a log that was replaced: how that goes on is not known here, and waiting for its numbers would pass over what comes
    sign = fmt::format(": events of berthd; its log ends at {}, and Last-Event-ID is none of it: the new ones come\n\n", newest);
    first = newest + 1;
  }
  if (first == 0) first = newest + 1;
  if (!place) co_return std::unexpected(no_place());
  io::ServerReply answer;
  answer.content_type = "text/event-stream";
  answer.headers["cache-control"] = "no-store";
  auto shared = std::make_shared<Call>(std::move(call));
  answer.stream = [shared, first, app, message_of, sign, place = std::move(place)](io::BodyWriter& writer) {
    Call copy = *shared;
    return tell_events(std::move(copy), first, app, message_of, sign, writer);
  };
  co_return answer;
}

}  // namespace berth::api
