#include <algorithm>
#include <limits>

#include <fmt/core.h>

#include "core/ids.h"
#include "daemon/api/change.h"
#include "daemon/api/problem.h"
#include "daemon/api/routes.h"
#include "daemon/api/to_json.h"

namespace berth::api {
namespace {

constexpr std::int64_t kMostInstances = 256;  ///< as the app spec has it

struct Selected {
  InstanceSelector what;
  deploy::Asked asked;
};

/// `{"process": "worker", "number": 2, "reason": "…"}`, all optional; a number needs its process.
Result<Selected> read_selected(const Call& call) {
  BERTH_TRY(const auto body, body_of(call.request));
  auto reader = read_body(body);
  Selected selected{.what = {.app = call.app()}, .asked = call.asked(reason_of(reader))};
  const std::string process = reader.string_or("process", "");
  const auto number = reader.integer_or("number", 0, 1);
  if (!process.empty()) selected.what.process = process;
  if (number > 0) selected.what.number = static_cast<int>(number);
  if (!process.empty() && !is_name(process)) reader.complain("'process' is no name of a process");
  if (number > kMostInstances) reader.complain(fmt::format("'number' is over {}", kMostInstances));
  if (number > 0 && process.empty()) reader.complain("'number' needs a 'process' that it is of");
  BERTH_CHECK(reader.done());
  return selected;
}

/// What a call named of an app, for its answer.
json::object named(const InstanceSelector& what) {
  json::object named;
  if (what.process) named["process"] = *what.process;
  if (what.number) named["number"] = *what.number;
  return named;
}

struct Scale {
  std::string process;
  int instances = 0;
  deploy::Asked asked;
};

Result<Scale> read_scale(const Call& call) {
  BERTH_TRY(const auto body, body_of(call.request));
  auto reader = read_body(body);
  Scale scale{.process = reader.string("process"),
              .instances = static_cast<int>(reader.integer("instances", 0, kMostInstances)),
              .asked = call.asked(reason_of(reader))};
  if (!is_name(scale.process)) reader.complain("'process' is no name of a process");
  BERTH_CHECK(reader.done());
  return scale;
}

struct Pin {
  std::string release;
  deploy::Asked asked;
};

Result<Pin> read_pin(const Call& call) {
  BERTH_TRY(const auto body, body_of(call.request));
  auto reader = read_body(body);
  Pin pin{.release = reader.string("release"), .asked = call.asked(reason_of(reader))};
  if (!is_release_id(pin.release)) reader.complain("'release' is no id of a release");
  BERTH_CHECK(reader.done());
  return pin;
}

struct Mark {
  std::string release;
  bool good = false;
  deploy::Asked asked;
};

Result<Mark> read_mark(const Call& call) {
  BERTH_TRY(const auto body, body_of(call.request));
  auto reader = read_body(body);
  const std::string release = reader.string("release"), as = reader.string("as");
  if (!is_release_id(release)) reader.complain("'release' is no id of a release");
  if (as != "good" && as != "bad") reader.complain("'as' is neither 'good' nor 'bad'");
  Mark mark{.release = release, .good = as == "good", .asked = call.asked(reason_of(reader))};
  BERTH_CHECK(reader.done());
  return mark;
}

awaitable<Answer> set_pinned(Call call, bool pinned) {
  const auto pin = read_pin(call);
  if (!pin) co_return pass(pin.error());
  const Change change(call, pinned ? "operator.pin" : "operator.unpin", call.app());
  auto made = co_await call.operations.pin(call.app(), pin->release, pinned, pin->asked);
  json::object what{{"release", pin->release}};
  auto answer = co_await change.answer(std::move(made), std::move(what));
  co_return answer;
}

}  // namespace

awaitable<Answer> get_story(Call call) {
  QueryReader query(call.request);
  if (const auto known = query.done(); !known) co_return pass(known.error());
  auto story = co_await call.operations.story(call.app());
  if (!story) co_return pass(story.error());
  if (!call.caller.apps.empty() && story->stopped.starts_with("drained")) story->stopped = "drained";  // by whom and why is the node's affair
  co_return reply(200, to_json(*story));
}

awaitable<Answer> get_app(Call call) {
  QueryReader query(call.request);
  if (const auto known = query.done(); !known) co_return pass(known.error());
  const auto app = co_await call.operations.status(call.app());
  if (!app) co_return pass(app.error());
  const auto node = co_await call.node.status();
  co_return reply(200, to_json(*app, node.follows));
}

awaitable<Answer> hold_app(Call call) {
  const auto asked = read_reason(call);
  if (!asked) co_return pass(asked.error());
  const Change change(call, "operator.hold", call.app());
  auto made = co_await call.operations.hold(call.app(), *asked);
  json::object what;
  auto answer = co_await change.answer(std::move(made), std::move(what));
  co_return answer;
}

awaitable<Answer> mark_release(Call call) {
  const auto mark = read_mark(call);
  if (!mark) co_return pass(mark.error());
  const Change change(call, "operator.mark", call.app());
  auto made = co_await call.operations.mark(call.app(), mark->release, mark->good, mark->asked);
  json::object what{{"release", mark->release}, {"as", mark->good ? "good" : "bad"}};
  auto answer = co_await change.answer(std::move(made), std::move(what));
  co_return answer;
}

awaitable<Answer> resume_app(Call call) {
  const auto asked = read_reason(call);
  if (!asked) co_return pass(asked.error());
  const Change change(call, "operator.resume", call.app());
  auto made = co_await call.operations.resume(call.app(), *asked);
  json::object what;
  auto answer = co_await change.answer(std::move(made), std::move(what));
  co_return answer;
}

awaitable<Answer> stop_app(Call call) {
  const auto selected = read_selected(call);
  if (!selected) co_return pass(selected.error());
  const Change change(call, "operator.stop", call.app());
  auto made = co_await call.operations.stop_app(selected->what, selected->asked);
  json::object what = named(selected->what);
  auto answer = co_await change.answer(std::move(made), std::move(what));
  co_return answer;
}

awaitable<Answer> start_app(Call call) {
  const auto selected = read_selected(call);
  if (!selected) co_return pass(selected.error());
  const Change change(call, "operator.start", call.app());
  auto made = co_await call.operations.start_app(selected->what, selected->asked);
  json::object what = named(selected->what);
  auto answer = co_await change.answer(std::move(made), std::move(what));
  co_return answer;
}

awaitable<Answer> restart_app(Call call) {
  const auto selected = read_selected(call);
  if (!selected) co_return pass(selected.error());
  const Change change(call, "operator.restart", call.app());
  auto made = co_await call.operations.restart_app(selected->what, selected->asked);
  json::object what = named(selected->what);
  auto answer = co_await change.answer(std::move(made), std::move(what));
  co_return answer;
}

awaitable<Answer> scale_app(Call call) {
  const auto scale = read_scale(call);
  if (!scale) co_return pass(scale.error());
  const Change change(call, "operator.scale", call.app());
  auto made = co_await call.operations.scale(call.app(), scale->process, scale->instances, scale->asked);
  json::object what{{"process", scale->process}, {"instances", scale->instances}};
  auto answer = co_await change.answer(std::move(made), std::move(what));
  co_return answer;
}

awaitable<Answer> run_job(Call call) {
  const auto asked = read_reason(call);
  if (!asked) co_return pass(asked.error());
  const std::string process = call.parameters.at("process");
  const auto job = co_await call.operations.run_job(call.app(), process, *asked);
  if (!job) co_return pass(job.error());
  co_return reply(202, to_json(*job));
}

awaitable<Answer> get_job(Call call) {
  QueryReader query(call.request);
  deploy::WaitForJob what{.app = call.app(), .process = call.parameters.at("process"), .run = query.integer("run", 0, 0, std::numeric_limits<std::int64_t>::max())};
  what.at_most = query.wait();
  if (const auto known = query.done(); !known) co_return pass(known.error());
  const auto job = co_await call.operations.job(what);
  if (!job) co_return pass(job.error());
  co_return reply(200, to_json(*job));
}

awaitable<Answer> pin_release(Call call) { return set_pinned(std::move(call), true); }
awaitable<Answer> unpin_release(Call call) { return set_pinned(std::move(call), false); }

awaitable<Answer> remove_app(Call call) {
  QueryReader query(call.request);
  const bool purge = query.boolean("purge", false), force = query.boolean("force", false);
  const deploy::Asked asked = call.asked(query.reason());
  if (const auto known = query.done(); !known) co_return pass(known.error());
  const Change change(call, "operator.remove", call.app());
  auto made = co_await call.operations.remove(call.app(), purge, force, asked);
  json::object what{{"purged", purge}};
  auto answer = co_await change.answer(std::move(made), std::move(what));
  co_return answer;
}

awaitable<Answer> list_releases(Call call) {
  QueryReader query(call.request);
  if (const auto known = query.done(); !known) co_return pass(known.error());
  const auto releases = co_await call.operations.releases(call.app());
  if (!releases) co_return pass(releases.error());
  co_return reply(200, to_json(*releases));
}

}  // namespace berth::api
