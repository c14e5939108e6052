#include <algorithm>
#include <ranges>

#include <fmt/core.h>

#include "core/logs/record_time.h"
#include "daemon/deploy/app_facts.h"
#include "daemon/deploy/last_lines.h"
#include "daemon/deploy/queries.h"
#include "daemon/deploy/story.h"

namespace berth::deploy {
namespace {

constexpr int kMostLookedAt = 1000;  ///< deployments of an app
constexpr std::size_t kMostTold = 100;

bool is_later(const std::string& one, const std::string& other) {
  return logs::parse_rfc3339(one).value_or(logs::Time()) > logs::parse_rfc3339(other).value_or(logs::Time());
}

/// Why the deployment ended so: "web@v3 failed: not ready within 1m".
std::string why_of(const store::DeploymentRow& row) {
  const std::string name = row.app + "@" + row.release, prefix = name + ": ";
  const std::string reason = row.reason.starts_with(prefix) ? row.reason.substr(prefix.size()) : row.reason;
  return fmt::format("{} {}{}", name, row.state, reason.empty() ? "" : ": " + reason);
}

/// What berthd could not do for the app that runs, and what of it is not as it was sealed.
void note_troubles(Story& story, const AppStatus& now) {
  if (!now.problem.empty() && !now.row.active.empty()) story.notes.push_back(now.problem);
  for (const store::SlotRow& slot : now.slots)
    if (slot.drifted > 0 && slot.release == now.row.active)
      story.notes.push_back(fmt::format("{}@{} is not as it was sealed ({}): 'berth deploy {}@{} --force' repairs it", slot.app, slot.release, slot.drift, slot.app, slot.release));
  for (const store::Rejected& one : now.rejected)
    if (one.release == now.row.active) story.notes.push_back(fmt::format("{}, which is active, is rejected here: {}", one.release, one.reason));
}

/// The instances that somebody stopped on their own: where nothing else of the app is to run, the app is what is stopped.
void note_stops(Story& story, const AppStatus& now) {
  std::vector<const InstanceView*> stopped;
  for (const InstanceView& instance : now.instances)
    if (instance.stopped && instance.status.id.release == now.row.active) stopped.push_back(&instance);
  if (stopped.empty() || !story.stopped.empty()) return;
  const InstanceView& last = **std::ranges::max_element(stopped, {}, [](const InstanceView* one) { return one->stopped->at; });
  const std::string text = store::stopped_text(*last.stopped), name = short_name(last.status.id);
  if (now.health == "stopped") story.stopped = text;
  else if (stopped.size() == 1) story.notes.push_back(fmt::format("{0} is {1}: 'berth start {0}' starts it", name, text));
  else story.notes.push_back(fmt::format("{0} of its instances are stopped on their own: 'berth status {1}' lists them, 'berth start {1}' starts them",
                                         stopped.size(), story.app));
}

}  // namespace

/// What is written down of the newest of its jobs that failed.
awaitable<Result<Story>> Queries::story_of_job(Story story) {
  const store::JobRow row = story.jobs.front().row;
  story.about = Story::About::job;
  story.why = failure_text(story.jobs.front());
  // That it ended is told a moment after it did.
  const std::string until = logs::format_rfc3339(moment_of(row.ended_at) + std::chrono::seconds(1));
  const auto look = [this, row, until] { return node_.store.events_between(row.app, row.began_at, until); };
  const auto then = co_await node_.pool.run(look);
  if (!then) co_return std::unexpected(then.error());
  story.told = timeline(nullptr, *then);
  story.lines_of = fmt::format("{}/{}@{}", row.app, row.process, row.release);
  const InstanceSelector which{.app = row.app, .process = row.process, .number = {}, .release = {}};
  const auto since = logs::parse_rfc3339(row.began_at).value_or(logs::Time());
  const auto read = [logs = node_.store.paths().logs, which, since, redact = node_.redacting(row.app)] { return printed_last(logs, which, since, {}, redact); };
  auto lines = co_await node_.pool.run(read);
  if (lines) story.lines = std::move(*lines);
  co_return story;
}

awaitable<Result<Story>> Queries::story(std::string name) {
  Story story{.app = name, .active = {}};
  const auto list = [this, name] { return node_.store.deployments(name, kMostLookedAt); };
  const auto rows = co_await node_.pool.run(list);
  if (!rows) co_return std::unexpected(rows.error());
  const AppPtr app = node_.find(name);
  if (const auto* failed = failure_to_tell(*rows, app && !app->row.active.empty()); failed != nullptr) story.deployment = status_of(*failed);
  if (!app && rows->empty()) co_return std::unexpected(node_.known(name).error());
  if (story.deployment) story.over = is_over(story.deployment->row, *rows);
  std::string since, before;
  if (app) {
    auto now = co_await status(name);
    if (!now) co_return std::unexpected(now.error());
    story.active = now->row.active;
    since = now->since;
    story.health = now->health;
    story.since = now->since;
    if (app->row.stopped) story.stopped = store::stopped_text(app->row);
    else if (node_.drained) story.stopped = fmt::format("drained ({})", to_string(*node_.drained));
    note_troubles(story, *now);
    note_stops(story, *now);
    if (story.deployment) story.deployment->rejected = std::ranges::find(now->rejected, story.deployment->row.release, &store::Rejected::release) != now->rejected.end();
    const bool moves = now->deployment && now->deployment->row.state != "baking";  // then it is the deployment that tells
    const auto moment = std::chrono::time_point_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now());
    for (InstanceView& instance : now->instances) {
      if (app->row.stopped || node_.drained || moves || is_paused(*app, instance.status.id)) continue;
      if (is_troubled(instance, story.active) || came_back(instance, story.active, moment)) story.instances.push_back(std::move(instance));
    }
    for (JobStatus& job : now->jobs)
      if (job.row.state == "failed") story.jobs.push_back(std::move(job));
    std::ranges::stable_sort(story.jobs, [](const JobStatus& one, const JobStatus& other) { return is_later(one.row.ended_at, other.row.ended_at); });
    auto other = co_await release_before(app);
    if (other) before = std::move(*other);
  }
  const auto look = [this, name, since] { return node_.store.events_between(name, since, {}); };
  auto events = co_await node_.pool.run(look);
  if (!events) co_return std::unexpected(events.error());
  const auto worse = [&](const InstanceView& one) { return one.status.crash_loop ? 2 : is_troubled(one, story.active) ? 1 : 0; };
  std::ranges::stable_sort(story.instances, std::ranges::greater(), worse);
  std::string troubled_at;
  for (const InstanceView& instance : story.instances)
    if (const std::string at = trouble_at(instance, *events); troubled_at.empty() || is_later(at, troubled_at)) troubled_at = at;

  if (!story.instances.empty() && (!story.deployment || story.over || is_later(troubled_at, story.deployment->row.ended_at))) {
    story.about = Story::About::instances;
    story.why = trouble_text(story.instances.front());
    story.told = timeline(nullptr, *events);
    InstanceId id = story.instances.front().status.id;
    story.lines_of = to_string(id);
    const auto read = [logs = node_.store.paths().logs, id, redact = node_.redacting(id.app)] {
      return printed_last(logs, InstanceSelector{.app = id.app, .process = id.process, .number = id.number}, logs::Time(), id.release, redact);
    };
    auto lines = co_await node_.pool.run(read);
    if (lines) story.lines = std::move(*lines);
  } else if (!story.jobs.empty() && (!story.deployment || story.over || is_later(story.jobs.front().row.ended_at, story.deployment->row.ended_at))) {
    auto said = co_await story_of_job(std::move(story));
    if (!said) co_return std::unexpected(said.error());
    story = std::move(*said);
  } else if (story.deployment) {
    story.about = Story::About::deployment;
    const store::DeploymentRow row = story.deployment->row;
    story.why = why_of(row);
    story.notes.insert(story.notes.begin(), story.deployment->notes.begin(), story.deployment->notes.end());
    const auto look_back = [this, row] { return node_.store.events_between(row.app, row.created_at, row.ended_at); };
    const auto then = co_await node_.pool.run(look_back);
    if (!then) co_return std::unexpected(then.error());
    story.told = timeline(&*story.deployment, *then);
    const auto moments = lines_at(row);
    for (std::size_t i = 0; i < story.deployment->last_lines.size(); ++i)
      story.lines.push_back({.at = i < moments.size() ? moments[i] : std::string(), .text = story.deployment->last_lines[i]});
    if (!story.lines.empty()) story.lines_of = row.app + "@" + row.release;
  }
  if (const std::string killed = killed_at_a_stop(*events); story.about == Story::About::nothing && !killed.empty()) story.notes.push_back(killed);
  std::erase_if(story.notes, [&](const std::string& note) { return std::ranges::find(story.told, "note: " + note, &Told::text) != story.told.end(); });
  if (story.told.size() > kMostTold) story.told.erase(story.told.begin(), story.told.end() - kMostTold);
  story.advice = advise(story, before);
  co_return story;
}

}  // namespace berth::deploy
