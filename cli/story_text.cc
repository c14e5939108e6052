#include "cli/story_text.h"

#include <algorithm>
#include <vector>

#include <fmt/core.h>

#include "cli/advice.h"
#include "cli/json_view.h"
#include "cli/output/table.h"
#include "cli/output/text.h"
#include "core/logs/record_time.h"

namespace berth::cli {
namespace {

using boost::json::value;

constexpr std::size_t kFirst = 4, kLast = 8;  ///< events that are shown where there are more
constexpr std::size_t kMostLines = 6;         ///< of what was printed last

/// "09:00:04", or with its day where that is another than the first one's.
std::string time_of(const std::string& at, const std::string& day) {
  const std::string moment = short_time(at);
  if (moment.size() < 20) return moment;
  return moment.starts_with(day) ? moment.substr(11, 8) : moment.substr(0, 10) + " " + moment.substr(11, 8);
}

std::string event_text(const value& event, const std::string& day) {
  const std::int64_t times = number_of(event, "times", 1);
  std::string text = fmt::format("  {}  {}", time_of(text_of(event, "at"), day), text_of(event, "text"));
  if (times > 1) text += fmt::format(" ({} times until {})", times, time_of(text_of(event, "until"), day));
  return text;
}

std::string line(const std::string& text, const StatusView& view) {
  const std::string safe = printable(text);
  return (view.width > 0 ? shorten(safe, static_cast<std::size_t>(view.width)) : safe) + "\n";
}

/// A row of what happened, and when.
struct Row {
  logs::Time at;
  std::string text;
};

logs::Time moment_of(const value& one) { return logs::parse_rfc3339(text_of(one, "at")).value_or(logs::Time()); }

/// The newest lines, where the moment of each is known; else none.
std::vector<const value*> timed_lines(const value& story) {
  const auto& lines = list_of(story, "lines");
  std::vector<const value*> found;
  for (std::size_t i = lines.size() > kMostLines ? lines.size() - kMostLines : 0; i < lines.size(); ++i) {
    if (!logs::parse_rfc3339(text_of(lines[i], "at"))) return {};
    found.push_back(&lines[i]);
  }
  return found;
}

std::vector<Row> event_rows(const boost::json::array& events, const std::string& day, const std::string& node) {
  const std::size_t left_out = events.size() > kFirst + kLast + 1 ? events.size() - kFirst - kLast : 0;
  std::vector<Row> rows;
  for (std::size_t i = 0; i < events.size(); ++i) {
    if (left_out > 0 && i == kFirst) rows.push_back({moment_of(events[i]), fmt::format("  … {} more (--json has them)", left_out)});
    if (left_out > 0 && i >= kFirst && i < kFirst + left_out) continue;
    rows.push_back({moment_of(events[i]), for_node(event_text(events[i], day), node)});
  }
  return rows;
}

/// What happened, with what was printed meanwhile: each line after the last event that was not later.
std::string events_text(const value& story, const StatusView& view) {
  const auto& events = list_of(story, "events");
  if (events.empty()) return {};
  const std::string day = short_time(text_of(events.front(), "at")).substr(0, 10);
  std::vector<Row> rows = event_rows(events, day, view.node);
  const auto lines = timed_lines(story);
  for (const value* line : lines) {
    const logs::Time at = moment_of(*line);
    const auto before = std::find_if(rows.rbegin(), rows.rend(), [at](const Row& row) { return row.at <= at; });
    rows.insert(before.base(), {at, fmt::format("  {}  | {}", time_of(text_of(*line, "at"), day), text_of(*line, "text"))});
  }
  std::string head = "What happened" + (day.empty() ? "" : " on " + day + ", UTC");
  if (!lines.empty()) head += printable("; | is what " + text_of(story, "lines_of") + " printed last");
  std::string text = tinted(head, Tint::dim, view.colour) + "\n";
  for (const Row& row : rows) text += line(row.text, view);
  return text;
}

/// What was printed last, where it is not among the events: of an older berthd, or where nothing happened.
std::string lines_text(const value& story, const StatusView& view) {
  const auto& lines = list_of(story, "last_lines");
  if (lines.empty() || (!list_of(story, "events").empty() && !timed_lines(story).empty())) return {};
  std::string text = tinted(printable("Last lines of " + text_of(story, "lines_of")), Tint::dim, view.colour) + "\n";
  for (std::size_t i = lines.size() > kMostLines ? lines.size() - kMostLines : 0; i < lines.size(); ++i)
    if (lines[i].is_string()) text += line("  | " + std::string(lines[i].get_string()), view);
  return text;
}

/// What is the matter with an instance of `instances`.
std::string trouble_of(const value& instance) {
  if (const std::string why = text_of(instance, "not_ready"); !why.empty()) return why;
  if (truth_of(instance, "crash_loop")) return "it ends again and again";
  const value* exit = member(instance, "last_exit");
  return "it was started again: " + (exit != nullptr ? text_of(*exit, "reason") : std::string());
}

/// Of a deployment or instances, where the story is about the other.
std::string beside_text_of_others(const value& story) {
  const value* deployment = member(story, "deployment");
  const auto& instances = list_of(story, "instances");
  if (text_of(story, "about") == "deployment" && !instances.empty()) {
    return printable(fmt::format("Now {} of {} is not well: {}", text_of(instances.front(), "instance"), text_of(story, "active"), trouble_of(instances.front()))) + "\n";
  }
  if (text_of(story, "about") == "instances" && deployment != nullptr && deployment->is_object())
    return printable(fmt::format("Before that, {}@{} {}: berth history {}", text_of(*deployment, "app"), text_of(*deployment, "release"), text_of(*deployment, "state"), text_of(story, "app"))) + "\n";
  return {};
}

/// The other troubles, where there are several.
std::string beside_text(const value& story) {
  const auto& jobs = list_of(story, "jobs");
  std::string text = beside_text_of_others(story);
  if (text_of(story, "about") != "job" && !jobs.empty())
    text += printable(fmt::format("The job {}/{} failed, too: {}", text_of(story, "app"), text_of(jobs.front(), "process"), text_of(jobs.front(), "result"))) + "\n";
  return text;
}

/// How the app is now, whatever failed. Empty where the story is about just that.
std::string now_text(const value& story, const StatusView& view) {
  const std::string app = text_of(story, "app"), active = text_of(story, "active"), health = text_of(story, "health"), stopped = text_of(story, "stopped"), about = text_of(story, "about");
  if (!stopped.empty()) {
    const bool by_node = stopped.starts_with("drained");
    const std::string what = by_node ? fmt::format("This node is {}, and {} does not run", stopped, app) : fmt::format("{} is {}", app, stopped);
    const std::string to_go_on = by_node ? "berth node resume" : "berth start " + app;
    return printable(fmt::format("{}{}: '{}' starts it.", what, active.empty() ? "" : fmt::format("; {} is its active release", active), to_go_on)) + "\n";
  }
  if (about == "instances" || about == "nothing") return {};
  if (active.empty()) return fmt::format("{} has no active release.\n", app);
  const std::string age = since_text(text_of(story, "since"), view.now);
  std::string how = health;
  if (!age.empty()) how += (how.empty() ? "" : ", ") + fmt::format("active for {}", age);
  return fmt::format("{} runs {}{}{}.\n", app, active, about == "job" ? " all the same" : "", how.empty() ? "" : " (" + how + ")");
}

std::string notes_text(const value& story) {
  std::string text;
  for (const value& note : list_of(story, "notes"))
    if (note.is_string()) text += "Note: " + printable(note.get_string()) + ".\n";
  return text;
}

}  // namespace

std::string story_text(const value& story, const StatusView& view) {
  const std::string app = text_of(story, "app"), now = now_text(story, view);
  if (text_of(story, "about") == "nothing")
    return now + fmt::format("Nothing is wrong with {}: no deployment of it failed here, none of its instances is in trouble, and no job failed.\n", app) + notes_text(story);
  const value* deployment = member(story, "deployment");
  std::string ago;
  if (text_of(story, "about") == "deployment" && deployment != nullptr) ago = since_text(text_of(*deployment, "ended_at"), view.now);
  if (const auto& jobs = list_of(story, "jobs"); text_of(story, "about") == "job" && !jobs.empty()) ago = since_text(text_of(jobs.front(), "ended_at"), view.now);
  const bool over = truth_of(story, "over");
  const std::string why = tinted(printable(text_of(story, "why")), over ? Tint::dim : Tint::bad, view.colour) + (ago.empty() ? "" : fmt::format(" ({} ago)", ago)) + "\n";
  std::string text = over ? now + "Its last failure, which is over: " + why : why + now;
  text += beside_text(story);
  text += notes_text(story);
  text = for_node(text, view.node) + events_text(story, view);
  text += lines_text(story, view);
  const auto& next = list_of(story, "next");
  if (!next.empty()) text += tinted("What to do next", Tint::dim, view.colour) + "\n";
  for (const value& one : next)
    if (one.is_string()) text += "  " + printable(for_node(one.get_string(), view.node)) + "\n";
  return text;
}

}  // namespace berth::cli
