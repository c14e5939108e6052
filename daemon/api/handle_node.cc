#include <algorithm>
#include <chrono>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "core/ids.h"
#include "core/json/json.h"
#include "daemon/api/change.h"
#include "daemon/api/handle_streams.h"
#include "daemon/api/problem.h"
#include "daemon/api/routes.h"
#include "daemon/api/seen.h"
#include "daemon/api/to_json.h"
#include "daemon/metrics/app_metrics.h"

namespace berth::api {
namespace {

constexpr std::int64_t kMostEvents = 1000;
constexpr std::int64_t kUsualEvents = 200;
constexpr const char* kPrometheusText = "text/plain; version=0.0.4; charset=utf-8";

constexpr std::size_t kPieceOfPage = 256u << 10;

/// A page that may have megabytes, of which the loop copies a piece at a time.
awaitable<void> write_pieces(std::shared_ptr<const std::string> page, io::BodyWriter& writer) {
  for (std::size_t at = 0; at < page->size(); at += kPieceOfPage) {
    std::string piece = page->substr(at, kPieceOfPage);
    const bool written = co_await writer.write(std::move(piece));
    if (!written) co_return;
  }
}

/// Those from `first` on, at once or, where there is none, when there is one; none after `at_most`.
awaitable<Result<std::vector<store::Event>>> wait_for_events(Call& call, std::int64_t first, int most, std::string app, std::chrono::milliseconds at_most) {
  const auto end = io::Steady::now() + at_most;
  for (;;) {
    const std::int64_t last = call.node.last_event();
    auto events = co_await events_seen(call, first, most, app);
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - io::Steady::now());
    if (!events || !events->empty() || left.count() <= 0) co_return events;
    co_await call.node.event_after(last, left);
  }
}

struct Collect {
  std::string app;
  bool dry_run = false;
  deploy::Asked asked;
};

Result<Collect> read_collect(const Call& call) {
  BERTH_TRY(const auto body, body_of(call.request));
  auto reader = read_body(body);
  Collect collect{.app = reader.string_or("app", ""), .dry_run = reader.boolean_or("dry_run", false), .asked = call.asked(reason_of(reader))};
  if (!collect.app.empty() && !is_name(collect.app)) reader.complain("'app' is no name of an app");
  BERTH_CHECK(reader.done());
  return collect;
}

/// Who only looks removes nothing.
Result<void> may_collect(const Call& call, const Collect& collect) {
  if (collect.dry_run || call.caller.role >= Role::admin) return {};
  return fail(Errc::permission, fmt::format("{} is {} here, and 'berth gc' (POST /v1/gc) needs the role admin, but for --dry-run, which removes nothing: see {} of this node's berthd.toml", call.by,
                                            with_article(call.caller.role), call.caller.on_node ? "[[api.local]]" : "[[api.client]]"));
}

}  // namespace

awaitable<Answer> get_status(Call call) {
  QueryReader query(call.request);
  if (const auto known = query.done(); !known) co_return pass(known.error());
  auto apps = co_await call.operations.status();
  if (!apps) co_return pass(apps.error());
  auto node = co_await call.node.status();
  leave_others_out(call.caller, node, *apps);
  WriteBody body = [node = std::move(node), apps = std::move(*apps), limited_to = call.caller.apps] {
    json::object status = to_json(node, apps);
    status["limited_to"] = json::array(limited_to.begin(), limited_to.end());
    return status;
  };
  auto answer = co_await reply_aside(call, std::move(body));
  co_return answer;
}

awaitable<Answer> drain_node(Call call) {
  const auto asked = read_reason(call);
  if (!asked) co_return pass(asked.error());
  const Change change(call, "operator.node_drain");
  auto made = co_await call.operations.drain_node(*asked);
  json::object what;
  auto answer = co_await change.answer(std::move(made), std::move(what));
  co_return answer;
}

awaitable<Answer> resume_node(Call call) {
  const auto asked = read_reason(call);
  if (!asked) co_return pass(asked.error());
  const Change change(call, "operator.node_resume");
  auto made = co_await call.operations.resume_node(*asked);
  json::object what;
  auto answer = co_await change.answer(std::move(made), std::move(what));
  co_return answer;
}

awaitable<Answer> reload_config(Call call) {
  const auto asked = read_reason(call);
  if (!asked) co_return pass(asked.error());
  auto reloaded = co_await call.node.reload(*asked);
  if (!reloaded) co_return pass(reloaded.error());
  json::object body;
  body["files"] = json::array(reloaded->files.begin(), reloaded->files.end());
  body["until_restart"] = json::array(reloaded->until_restart.begin(), reloaded->until_restart.end());
  io::ServerReply answer = reply(200, body);
  answer.then = std::move(reloaded->then);
  co_return answer;
}

awaitable<Answer> test_webhook(Call call) {
  const auto asked = read_reason(call);
  if (!asked) co_return pass(asked.error());
  const Change change(call, "operator.webhook_test");
  const std::string webhook = call.parameters.at("webhook");
  auto made = co_await call.node.test_webhook(webhook, *asked);
  json::object what{{"webhook", webhook}};
  auto answer = co_await change.answer(std::move(made), std::move(what));
  co_return answer;
}

awaitable<Answer> list_repository_apps(Call call) {
  QueryReader query(call.request);
  if (const auto known = query.done(); !known) co_return pass(known.error());
  auto apps = co_await call.operations.repository_apps();
  if (!apps) co_return pass(apps.error());
  std::erase_if(*apps, [&call](const auto& one) { return !call.caller.sees(one.first); });
  co_return reply(200, repository_apps_json(*apps));
}

awaitable<Answer> list_events(Call call) {
  if (wants_stream(call.request)) {
    auto place = call.node.place(call.caller);
    auto stream = co_await follow_events(std::move(call), whole_message, std::move(place));
    co_return stream;
  }
  QueryReader query(call.request);
  const FirstEvent wanted = read_first_event(query);
  const std::int64_t usual = wanted.last > 0 ? std::min<std::int64_t>(wanted.last, kMostEvents) : kUsualEvents;
  const int most = static_cast<int>(query.integer("limit", usual, 1, kMostEvents));
  const std::string app = query.app();
  const auto wait = query.wait();
  if (const auto known = query.done(); !known) co_return pass(known.error());
  std::int64_t first = std::max<std::int64_t>(wanted.from, 1);
  if (wanted.last > 0) {
    const auto begin = co_await first_of_newest_seen(call, wanted.last, app);
    if (!begin) co_return pass(begin.error());
    first = *begin;
  }
  auto events = co_await wait_for_events(call, first, most, app, wait);
  if (!events) co_return pass(events.error());
  WriteBody body = [events = std::move(*events)] { return events_json(events); };
  auto answer = co_await reply_aside(call, std::move(body));
  co_return answer;
}

awaitable<Answer> collect_slots(Call call) {
  const auto collect = read_collect(call);
  if (!collect) co_return pass(collect.error());
  if (const auto may = may_collect(call, *collect); !may) co_return pass(may.error());
  const auto collected = co_await call.operations.collect(collect->app, collect->dry_run, collect->asked);
  if (!collected) co_return pass(collected.error());
  co_return reply(200, collected_json(*collected, collect->dry_run));
}

awaitable<Answer> import_release(Call call) {
  const auto body = body_of(call.request);
  if (!body) co_return pass(body.error());
  auto reader = read_body(*body);
  deploy::ImportRequest request{.path = reader.string("path"), .allow_expired = reader.boolean_or("allow_expired", false)};
  request.asked = call.asked(reason_of(reader));
  if (!request.path.starts_with('/') || request.path.find('\0') != std::string::npos) reader.complain("'path' is no whole path of a file");
  if (const auto done = reader.done(); !done) co_return pass(done.error());
  const auto imported = co_await call.operations.import(request);
  if (!imported) co_return pass(imported.error());
  co_return reply(200, to_json(*imported));
}

awaitable<Answer> verify_slots(Call call) {
  const auto body = body_of(call.request);
  if (!body) co_return pass(body.error());
  auto reader = read_body(*body);
  deploy::VerifyRequest request{.app = reader.string_or("app", ""), .release = reader.string_or("release", ""), .all = reader.boolean_or("all", false)};
  if (!request.app.empty() && !is_name(request.app)) reader.complain("'app' is no name of an app");
  if (!request.release.empty() && !is_release_id(request.release)) reader.complain("'release' is no id of a release");
  if (!request.release.empty() && request.app.empty()) reader.complain("'release' needs 'app'");
  if (!request.release.empty() && request.all) reader.complain("'release' and 'all' say two things");
  if (const auto done = reader.done(); !done) co_return pass(done.error());
  if (request.app.empty() && !call.caller.apps.empty())
    co_return fail(Errc::permission, fmt::format("{} is limited to {}: name one of them", call.by, fmt::join(call.caller.apps, ", ")));
  if (const auto seen = check_app(call.caller, request.app); !seen) co_return pass(seen.error());
  const auto verified = co_await call.operations.verify(request);
  if (!verified) co_return pass(verified.error());
  co_return reply(200, verdicts_json(*verified));
}

// Prometheus, and whoever else probes, may add parameters of their own to these: they are not read.

awaitable<Answer> get_metrics(Call call) {
  io::ServerReply answer = text_reply(200, co_await call.node.metrics());
  answer.content_type = kPrometheusText;
  co_return answer;
}

awaitable<Answer> get_app_metrics(Call call) {
  io::ServerReply answer;
  answer.content_type = kPrometheusText;
  const auto text = co_await call.node.app_metrics();
  answer.stream = [text](io::BodyWriter& writer) { return write_pieces(text, writer); };
  co_return answer;
}

awaitable<Answer> get_discovery(Call call) {
  const auto targets = co_await call.operations.metrics_targets();
  io::ServerReply answer = text_reply(200, json::text(metrics::discovery_json(targets)) + "\n");
  answer.content_type = "application/json";
  co_return answer;
}

awaitable<Answer> get_summary(Call call) {
  auto apps = co_await call.operations.status();
  if (!apps) co_return pass(apps.error());
  auto node = co_await call.node.status();
  WriteBody body = [node = std::move(node), apps = std::move(*apps)] { return summary_json(node, apps); };
  auto answer = co_await reply_aside(call, std::move(body));
  co_return answer;
}

/// The loop runs, or there would be no answer.
awaitable<Answer> get_health(Call) { co_return text_reply(200, "ok\n"); }

awaitable<Answer> get_readiness(Call call) {
  if (call.operations.ready()) co_return text_reply(200, "ready\n");
  co_return text_reply(503, "not ready: berthd is still taking over or starting what should run on this node\n");
}

}  // namespace berth::api
