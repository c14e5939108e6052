#include "cli/status_text.h"

#include <algorithm>
#include <tuple>
#include <vector>

#include <fmt/core.h>

#include "cli/json_view.h"
#include "cli/output/table.h"
#include "cli/output/text.h"
#include "core/logs/record_time.h"

namespace berth::cli {
namespace {

using boost::json::value;

/// That what is active was found to be bad; empty where it was not.
std::string rejected_text(const value& app) {
  const std::string active = text_of(app, "active");
  for (const auto& one : list_of(app, "rejected"))
    if (!active.empty() && text_of(one, "release") == active) return fmt::format("{}, which is active, is rejected here: {}", active, text_of(one, "reason"));
  return {};
}

/// What is worse comes first.
int severity(const value& app) {
  const std::string health = text_of(app, "health");
  if (health == "down") return 0;
  if (health == "degraded") return 1;
  if (!text_of(app, "problem").empty() || !list_of(app, "drifted").empty() || !rejected_text(app).empty()) return 2;
  if (health == "deploying") return 3;
  if (!text_of(app, "held").empty()) return 4;
  if (health == "stopped") return 5;
  return 6;
}

Tint tint_of(const std::string& health) {
  if (health == "down") return Tint::bad;
  if (health == "degraded" || health == "deploying") return Tint::warning;
  if (health == "healthy") return Tint::good;
  return Tint::dim;
}

/// "2/2", over all processes of the app.
std::string ready_text(const value& app) {
  std::int64_t ready = 0, wanted = 0;
  for (const auto& process : list_of(app, "processes")) {
    ready += number_of(process, "ready");
    wanted += number_of(process, "wanted");
  }
  return fmt::format("{}/{}", ready, wanted);
}

bool is_under_way(const value& app) {
  const auto* deployment = member(app, "deployment");
  return deployment != nullptr && deployment->is_object();
}

/// Why it is held, by whom, since when and until when; empty where it is not.
std::string held_text(const value& app, const StatusView& view) {
  const std::string why = text_of(app, "held"), by = text_of(app, "held_by"), age = since_text(text_of(app, "held_at"), view.now);
  if (why.empty()) return {};
  std::string text = "held: " + why;
  if (!by.empty()) text += fmt::format(" (by {}{})", by, age.empty() ? "" : ", " + age + " ago");
  return text + (truth_of(app, "held_firmly") ? ", until it is resumed" : "");
}

/// By whom it was stopped, since when and why; empty where that is not so, or not known.
std::string stopped_text(const value& app, const StatusView& view) {
  const std::string by = text_of(app, "stopped_by"), why = text_of(app, "stopped_why"), age = since_text(text_of(app, "stopped_at"), view.now);
  if (!truth_of(app, "stopped") || by.empty()) return {};
  return fmt::format("stopped by {}{}{}", by, age.empty() ? "" : " " + age + " ago", why.empty() ? "" : ": " + why);
}

/// "web/worker.2 stopped by root (uid 0) 5m ago: noisy", "web/worker …" where all of a process were at once; of each stop of single instances.
std::vector<std::string> stops_text(const value& app, const StatusView& view) {
  struct Stop {
    std::string process, by, at, why, first;
    std::int64_t count = 0;
  };
  std::vector<Stop> stops;
  for (const auto& instance : list_of(app, "instances")) {
    if (!truth_of(instance, "stopped") || text_of(instance, "release") != text_of(app, "active")) continue;
    Stop one{.process = text_of(instance, "process"), .by = text_of(instance, "stopped_by"), .at = text_of(instance, "stopped_at"),
             .why = text_of(instance, "stopped_why"), .first = text_of(instance, "instance")};
    const auto said = [](const Stop& stop) { return std::tie(stop.process, stop.by, stop.at, stop.why); };
    const auto same = [&](const Stop& other) { return said(one) == said(other); };
    const auto known = std::ranges::find_if(stops, same);
    if (known != stops.end()) {
      ++known->count;
      continue;
    }
    one.count = 1;
    stops.push_back(std::move(one));
  }
  std::vector<std::string> texts;
  for (const Stop& stop : stops) {
    std::int64_t wanted = 0;
    for (const auto& process : list_of(app, "processes"))
      if (text_of(process, "process") == stop.process) wanted = number_of(process, "wanted");
    const std::string age = since_text(stop.at, view.now), whole = fmt::format("{}/{}", text_of(app, "app"), stop.process);
    const std::string what = stop.count == wanted ? whole : stop.count == 1 ? stop.first : fmt::format("{} instances of {}", stop.count, whole);
    texts.push_back(fmt::format("{} stopped {}{}{}{}", what, stop.by.empty() ? "by hand" : "by " + stop.by, age.empty() ? "" : " " + age + " ago",
                                stop.why.empty() ? "" : ": ", stop.why));
  }
  return texts;
}

/// "web/web is scaled to 0 (its release says 2)"; empty where nobody scaled it.
std::string scaled_text(const std::string& app, const value& process) {
  const auto wanted = number_of(process, "wanted"), by_spec = number_of(process, "by_spec", wanted);
  if (wanted == by_spec) return {};
  return fmt::format("{}/{} is scaled to {} (its release says {})", app, text_of(process, "process"), wanted, by_spec);
}

/// Which instance keeps it from being healthy, and why: the first of those that are not ready.
std::string unready_text(const value& app) {
  const std::string health = text_of(app, "health");
  if (health != "down" && health != "degraded") return {};
  for (const auto& instance : list_of(app, "instances"))
    if (const std::string why = text_of(instance, "not_ready"); !why.empty() && text_of(instance, "release") == text_of(app, "active") &&
                                                                !truth_of(instance, "ready") && !truth_of(instance, "crash_loop") && !truth_of(instance, "stopped"))
      return fmt::format("{}: {}", text_of(instance, "instance"), why);
  return {};
}

/// "web/web.1 keeps ending early (exited with 7): crash looping".
std::string crash_loop_text(const value& instance) {
  const auto* exit = member(instance, "last_exit");
  const std::string reason = exit != nullptr && exit->is_object() ? text_of(*exit, "reason") : std::string();
  return fmt::format("{} keeps ending early{}: crash looping", text_of(instance, "instance"), reason.empty() ? "" : " (" + reason + ")");
}

/// "web/exec.1001@v2 of root (uid 0) has run for 5m".
std::string exec_text(const value& exec, const StatusView& view) {
  const std::string by = text_of(exec, "by"), age = since_text(text_of(exec, "since"), view.now);
  return fmt::format("{}@{}{} runs{}", text_of(exec, "instance"), text_of(exec, "release"), by.empty() ? "" : " by " + by, age.empty() ? "" : ", for " + age);
}

/// "report failed 5m ago: exited with 1", "report runs, for 5m"; empty where there is nothing to know of it.
std::string job_note(const value& job, const StatusView& view) {
  const std::string state = text_of(job, "state"), name = text_of(job, "process");
  const std::string began = since_text(text_of(job, "began_at"), view.now), ended = since_text(text_of(job, "ended_at"), view.now);
  if (state == "running") return fmt::format("job {} runs{}", name, began.empty() ? "" : ", for " + began);
  if (state == "failed") return fmt::format("job {} failed{}: {}", name, ended.empty() ? "" : " " + ended + " ago", text_of(job, "result"));
  return {};
}

constexpr std::chrono::minutes kRecentRestart{10};
constexpr std::chrono::hours kRecentDeployment{1};

bool is_within(std::string_view at, std::chrono::milliseconds span, WallTime now) {
  const auto moment = logs::parse_rfc3339(at);
  return moment && now - *moment < span;
}

/// How often it ended by itself and was started again: restarts that somebody asked for are no news to him.
std::int64_t own_restarts(const value& instance) {
  const auto* exits = member(instance, "exits_by_reason");
  if (exits == nullptr || !exits->is_object()) return number_of(instance, "restarts");
  std::int64_t count = 0;
  for (const auto& [reason, times] : exits->get_object()) count += times.is_int64() ? times.get_int64() : 0;
  return std::min(count, number_of(instance, "restarts"));
}

/// "web/web.1 restarted 8 times, last 12s ago: exited with 3", while the last one is news. Empty where none is; crash loops are told apart.
std::string restarts_text(const value& app, const StatusView& view) {
  std::int64_t restarts = 0;
  int instances = 0;
  const value* last = nullptr;  // the instance
  std::string last_at;
  for (const auto& instance : list_of(app, "instances")) {
    const auto* exit = member(instance, "last_exit");
    const auto count = own_restarts(instance);
    if (count == 0 || truth_of(instance, "crash_loop") || exit == nullptr || !exit->is_object() || truth_of(*exit, "asked") || !is_within(text_of(*exit, "at"), kRecentRestart, view.now)) continue;
    restarts += count;
    ++instances;
    if (const std::string at = text_of(*exit, "at"); last == nullptr || logs::parse_rfc3339(at) > logs::parse_rfc3339(last_at)) {
      last = &instance;
      last_at = at;
    }
  }
  if (last == nullptr) return {};
  const std::string name = text_of(*last, "instance"), reason = text_of(*member(*last, "last_exit"), "reason");
  const std::string times = restarts == 1 ? "once" : fmt::format("{} times", restarts), age = since_text(last_at, view.now);
  if (instances == 1) return fmt::format("{} restarted {}, last {} ago: {}", name, times, age, reason);
  return fmt::format("restarted {}, last {} ago: {} {}", times, age, name, reason);
}

/// "last deployment v5 reverted 5m ago: never ready", while that is news.
std::string last_deployment_text(const value& app, const StatusView& view) {
  const auto* json = member(app, "last_deployment");
  if (json == nullptr || !json->is_object()) return {};
  const Deployment last = read_deployment(*json);
  if (last.exit <= 0 || exit_of(last) == Exit::not_found || last.state == "superseded" || !is_within(last.ended_at, kRecentDeployment, view.now)) return {};
  const std::string reason = without_name(last);
  return fmt::format("last deployment {} {} {} ago{}", last.release, last.state, since_text(last.ended_at, view.now), reason.empty() ? "" : ": " + reason);
}

/// What a person should know of the app beside its health, on a line.
std::string note_of(const value& app, const StatusView& view) {
  std::vector<std::string> notes;
  if (const std::string problem = text_of(app, "problem"); !problem.empty()) notes.push_back(problem);
  if (const auto* json = member(app, "deployment"); json != nullptr && json->is_object()) {
    const Deployment deployment = read_deployment(*json);
    std::string text = live_text(deployment, view.now, 0);
    if (text.ends_with(" …")) text.resize(text.size() - std::string(" …").size());
    notes.push_back(fmt::format("deployment {}: {}", deployment.id, text));
  } else if (!text_of(app, "active").empty()) {  // else it is the app's problem already
    if (const std::string last = last_deployment_text(app, view); !last.empty()) notes.push_back(last);
  }
  if (const std::string rejected = rejected_text(app); !rejected.empty()) notes.push_back(rejected);
  if (const std::string stopped = stopped_text(app, view); !stopped.empty()) notes.push_back(stopped);
  for (const std::string& stopped : stops_text(app, view)) notes.push_back(stopped);
  if (const std::string held = held_text(app, view); !held.empty()) notes.push_back(held);
  const auto* follow = member(app, "follow");
  if (follow != nullptr && follow->is_object() && !is_under_way(app))
    if (const std::string text = follow_text(*follow, text_of(app, "active"), view, false); !text.empty()) notes.push_back(text);
  for (const auto& slot : list_of(app, "drifted"))
    notes.push_back(fmt::format("{} is not as it was sealed ({}; {})", text_of(slot, "release"), count_text(static_cast<std::uint64_t>(number_of(slot, "paths")), "path"), text_of(slot, "first")));
  for (const auto& copy : list_of(app, "data_copies"))
    if (truth_of(copy, "set_aside"))
      notes.push_back(fmt::format("what {} wrote since {} is set aside in {} until 'berth gc', or the next is and a deployment ends well", text_of(copy, "release"), short_time(text_of(copy, "since")),
                                  text_of(copy, "folder")));
  for (const auto& instance : list_of(app, "instances"))
    if (truth_of(instance, "crash_loop")) notes.push_back(crash_loop_text(instance));
  if (const std::string restarts = restarts_text(app, view); !restarts.empty()) notes.push_back(restarts);
  if (const std::string unready = unready_text(app); !unready.empty()) notes.push_back(unready);
  for (const auto& process : list_of(app, "processes"))
    if (const std::string scaled = scaled_text(text_of(app, "app"), process); !scaled.empty()) notes.push_back(scaled);
  for (const auto& exec : list_of(app, "execs")) notes.push_back(exec_text(exec, view));
  for (const auto& job : list_of(app, "jobs"))
    if (const std::string note = job_note(job, view); !note.empty()) notes.push_back(note);
  std::string line;
  for (const std::string& note : notes) line += (line.empty() ? "" : "; ") + note;
  return line;
}

std::string ports_text(const value& app) {
  std::string text;
  for (const auto& process : list_of(app, "processes"))
    if (const auto port = number_of(process, "public_port"); port > 0) text += (text.empty() ? "" : ",") + std::to_string(port);
  return text;
}

/// Why an instance is as it is.
std::string instance_note(const value& instance, const StatusView& view) {
  std::string note = text_of(instance, "not_ready");
  const auto* exit = member(instance, "last_exit");
  if (exit != nullptr && exit->is_object() && number_of(instance, "restarts") > 0) {
    const std::string age = since_text(text_of(*exit, "at"), view.now);
    note += (note.empty() ? "" : "; ") + text_of(*exit, "reason") + (age.empty() ? "" : " " + age + " ago");
  }
  if (const std::string says = text_of(instance, "says"); !says.empty()) note += (note.empty() ? "it says: " : "; it says: ") + says;
  std::string words;
  for (const auto& word : list_of(instance, "unenforced_limits"))
    if (const auto* text = word.if_string()) words += (words.empty() ? "" : ", ") + std::string(*text);
  if (!words.empty()) note += (note.empty() ? "" : "; ") + words + " not enforced here";
  return note;
}

std::string instances_text(const value& app, const StatusView& view) {
  std::vector<const value*> instances;
  for (const auto& instance : list_of(app, "instances")) instances.push_back(&instance);
  std::ranges::stable_sort(instances, {}, [](const value* instance) { return truth_of(*instance, "ready") ? 1 : 0; });
  Table table({"INSTANCE", "RELEASE", "STATE", "SINCE", "RESTARTS", "PID", "PORT", "WHY"});
  for (const value* instance : instances) {
    const bool ready = truth_of(*instance, "ready");
    const std::string phase = text_of(*instance, "phase");
    const std::string state = ready ? (truth_of(*instance, "serving") ? "serving" : "ready") : phase == "running" ? "not ready" : phase;
    const auto pid = number_of(*instance, "pid"), port = number_of(*instance, "port");
    table.row({text_of(*instance, "instance"), text_of(*instance, "release"), {state, ready ? Tint::good : truth_of(*instance, "stopped") ? Tint::dim : Tint::bad},
               since_text(text_of(*instance, "started_at"), view.now), std::to_string(own_restarts(*instance)),
               pid > 0 ? std::to_string(pid) : "", port > 0 ? std::to_string(port) : "", instance_note(*instance, view)});
  }
  return table.render(view.colour, view.width);
}

std::string jobs_text(const value& app, const StatusView& view) {
  const auto& jobs = list_of(app, "jobs");
  if (jobs.empty()) return {};
  Table table({"JOB", "RELEASE", "STATE", "SINCE", "TRIES", "LAST GOOD", "RUNS", "RESULT"});
  for (const auto& job : jobs) {
    const std::string state = text_of(job, "state"), result = text_of(job, "result"), at = text_of(job, state == "running" ? "began_at" : "ended_at");
    const Tint tint = state == "failed" ? Tint::bad : state == "ok" ? Tint::good : state == "running" ? Tint::warning : Tint::dim;
    const auto tries = number_of(job, "attempts");
    table.row({fmt::format("{}/{}", text_of(app, "app"), text_of(job, "process")), text_of(job, "release"), {state == "never" ? "not run yet" : state, tint},
               since_text(at, view.now), tries > 0 ? std::to_string(tries) : "", since_text(text_of(job, "succeeded_at"), view.now), text_of(job, "runs"),
               result == "ok" ? "" : result});
  }
  return table.render(view.colour, view.width);
}

/// "deployment 31 of v6 is baking", as it was at the last poll; where nothing is under way now, that is over.
bool tells_of_a_deployment(std::string_view note) {
  return note.starts_with("deployment ") && note.find(" is ") != std::string_view::npos && std::ranges::count(note, ' ') == 5;
}

}  // namespace

std::string follow_text(const value& follow, const std::string& active, const StatusView& view, bool always) {
  const std::string channel = text_of(follow, "channel"), wanted = text_of(follow, "wanted"), since = text_of(follow, "failing_since");
  const bool there = !wanted.empty() && wanted == active;
  if (!always && there && since.empty()) return {};
  std::string text = channel.empty() ? "follows one release" : "follows " + channel;
  if (!wanted.empty()) text += fmt::format("{} {}", there ? " at" : ", which wants", wanted);
  if (const std::string note = text_of(follow, "note"); !there && !note.empty() && (always || !tells_of_a_deployment(note))) text += ": " + note;
  if (!since.empty())
    text += fmt::format("; cannot be asked for {}: {}", since_text(since, view.now), text_of(follow, "last_error"));
  else if (const std::string age = since_text(text_of(follow, "last_success"), view.now); always && !age.empty())
    text += fmt::format("; asked {} ago", age);
  return text;
}

std::string limits_text(const value& status) {
  std::string apps;
  for (const auto& one : list_of(status, "limited_to"))
    if (const auto* name = one.if_string()) apps += (apps.empty() ? "" : ", ") + std::string(*name);
  return apps.empty() ? apps : fmt::format("this node shows you {} alone", apps);
}

std::string apps_text(const value& status, const StatusView& view) {
  std::vector<const value*> apps;
  for (const auto& app : list_of(status, "apps")) apps.push_back(&app);
  std::ranges::sort(apps, {}, [](const value* app) { return std::pair(severity(*app), text_of(*app, "app")); });
  Table table({"APP", "RELEASE", "SINCE", "HEALTH", "READY", "PORT", "NOTE"});
  for (const value* app : apps) {
    const std::string health = text_of(*app, "health");
    const std::string active = text_of(*app, "active");
    table.row({{text_of(*app, "app"), Tint::bold}, active.empty() ? "none" : active, since_text(text_of(*app, "since"), view.now), {health, tint_of(health)},
               ready_text(*app), ports_text(*app), note_of(*app, view)});
  }
  return table.render(view.colour, view.width);
}

std::string app_text(const value& app, const StatusView& view) {
  const std::string name = text_of(app, "app"), health = text_of(app, "health"), active = text_of(app, "active");
  std::string text = tinted(name, Tint::bold, view.colour) + (active.empty() ? ", no active release" : "@" + active);
  if (const std::string since = since_text(text_of(app, "since"), view.now); !since.empty()) text += " since " + since;
  text += ", " + tinted(health, tint_of(health), view.colour) + ", " + ready_text(app) + " instances ready";
  if (const std::string strategy = text_of(app, "strategy"); !strategy.empty()) text += ", " + strategy;
  if (const std::string previous = text_of(app, "previous"); !previous.empty()) text += ", before it " + previous;
  text += "\n";
  if (const std::string note = note_of(app, view); !note.empty()) text += tinted(printable(note), Tint::warning, view.colour) + "\n";
  if (const auto* follow = member(app, "follow"); follow != nullptr && follow->is_object())
    if (follow_text(*follow, active, view, false).empty() || is_under_way(app)) text += printable(follow_text(*follow, active, view, true)) + "\n";
  for (const auto& rejected : list_of(app, "rejected"))
    text += printable(fmt::format("rejected: {} {} ago: {}", text_of(rejected, "release"), since_text(text_of(rejected, "at"), view.now),
                                  text_of(rejected, "reason"))) + "\n";
  return text + instances_text(app, view) + jobs_text(app, view);
}

}  // namespace berth::cli
