#include "daemon/deploy/story.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/core.h>

#include "core/exit_code.h"
#include "core/logs/record_time.h"
#include "core/spec/app_spec.h"
#include "daemon/deploy/app_facts.h"
#include "daemon/deploy/run.h"

namespace berth::deploy {
namespace {

/// A text member of an event; empty where it has none.
std::string text_in(const store::Event& event, std::string_view name) {
  const auto* found = event.data.if_contains(name);
  return found != nullptr && found->is_string() ? std::string(found->get_string()) : std::string();
}

std::string took_in(const store::Event& event, std::string_view name) {
  const auto* found = event.data.if_contains(name);
  if (found == nullptr || !found->is_number()) return {};
  const auto ms = found->to_number<std::int64_t>();
  if (ms < 1000) return fmt::format("{}ms", ms);
  return ms < 60'000 ? fmt::format("{:.1f}s", static_cast<double>(ms) / 1000) : fmt::format("{}m", ms / 60'000);
}

/// What an event says; empty where it is no part of a story.
std::string text_of(const store::Event& event) {
  const std::string instance = text_in(event, "instance"), reason = text_in(event, "reason");
  if (event.kind == "instance.exit") {
    const std::string took = took_in(event, "ran_ms");
    if (reason.starts_with("stopped: ")) return fmt::format("{} {}", instance, reason);
    return reason == "stopped" ? "" : fmt::format("{} {}{}", instance, reason, took.empty() ? "" : ", after " + took);
  }
  if (event.kind == "instance.unready") return fmt::format("{} was no longer ready: {}", instance, reason);
  if (event.kind == "instance.ready") return fmt::format("{} was ready again", instance);
  if (event.kind == "keeper.gone") return fmt::format("{}: its keeper was gone: {}", instance, reason);
  if (event.kind == "keeper.taken_over") return fmt::format("{}: {}", instance, reason);
  if (event.kind == "job.started") return fmt::format("job {} began, by {}", instance, text_in(event, "by"));
  if (event.kind == "job.ended") {
    const std::string took = took_in(event, "ran_ms"), result = text_in(event, "result");
    return fmt::format("job {} {}{}", instance, result == "ok" ? "ended well" : result, took.empty() ? "" : ", after " + took);
  }
  if (event.kind == "hook.ended") return fmt::format("{} hook of {}: {}", text_in(event, "hook"), text_in(event, "release"), text_in(event, "result"));
  if (event.kind == "deployment.note") return "note: " + text_in(event, "note");
  if (event.kind == "data.copied") return "the data were copied";
  if (event.kind == "data.restored") return "the data are those of before again";
  if (event.kind == "start.unawaited") return reason;
  if (event.kind.starts_with("operator.")) {
    const std::string why = text_in(event, "why");
    return fmt::format("{} by {}{}", event.kind.substr(std::string_view("operator.").size()), text_in(event, "by"), why.empty() ? "" : ": " + why);
  }
  return {};
}

std::string name_of(const store::DeploymentRow& row) { return row.app + "@" + row.release; }

/// A reason without the name of the release in front, which is said already.
std::string reason_of(const store::DeploymentRow& row) {
  const std::string prefix = name_of(row) + ": ";
  return row.reason.starts_with(prefix) ? row.reason.substr(prefix.size()) : row.reason;
}

std::string step_text(const DeploymentStatus& deployment, const DeploymentStatus::Step& step, bool last) {
  const store::DeploymentRow& row = deployment.row;
  if (step.state == "queued") return fmt::format("deployment {} of {} was asked for by {}{}", row.id, name_of(row), row.by, row.why.empty() ? "" : ": " + row.why);
  if (step.state == "unpacking" || step.state == "sealed") return {};
  if (last && !row.reason.empty()) return fmt::format("{}: {}", step.state, reason_of(row));
  return step.state;
}

/// For comparing what is repeated: how long each ran differs.
std::string without_time(const std::string& text) { return text.substr(0, text.rfind(", after ")); }

struct Hint {
  std::string_view words;  ///< whole ones, in the reason
  std::string_view text;
};
constexpr auto kHints = std::to_array<Hint>({
    {"has not accepted a connection on the socket", "it does not use the socket that it is passed: it opens its own, or takes another convention (listen_env in berth.toml)"},
    {"nothing listens at", "nothing listens where it is asked: with port it has to listen on $PORT, on all addresses"},
    {"readiness probe:", "it runs and answers its readiness probe badly: look at what that asks for (a database, a migration), and at its log"},
    {"startup probe:", "its startup probe does not pass in time: look at its log; a slow start wants a longer failure_threshold or ready_timeout"},
    {"liveness probe", "its liveness probe kills it: it hangs, or the probe is too strict (timeout, failure_threshold)"},
    {"oom", "it was killed for its memory: raise MemoryMax, or find out what it needs it for"},
    {"for its memory", "it was killed for its memory: raise MemoryMax, or find out what it needs it for"},
    {" hook ", "its hook says why: the last lines are the hook's; write migrations so that they can be run again"},
    {"secret ", "the node does not have a secret that it wants: put it there"},
    {"too little disk space", "make room: 'berth gc', or a larger disk"},
    {"listens there", "another program has its port: stop that, or give the app another port"},
    {"has it already", "two apps want one port: give one of them another"},
    {"this node has no ", "make it on the node, or leave it out of berth.toml"},
    {"bake", "it gave trouble after the switch, when it had real traffic"},
});

/// Whether `at` is inside a word, or a name such as "web/oom.1", "bake@v3" or "/run/oom": all that has no space in it, but for the punctuation at its end.
bool is_in_a_name(const std::string& text, std::size_t at) {
  constexpr std::string_view kPunctuation = ".,:;!?)'\"";
  if (at >= text.size() || text[at] == ' ' || text[at] == '(') return false;
  const std::size_t end = std::min(text.find(' ', at), text.size());
  return text.find_first_not_of(kPunctuation, at) < end;
}

/// Whether the reason has the words of a hint as such, and not as a part of what somebody named so.
bool says(const std::string& reason, std::string_view words) {
  for (std::size_t at = reason.find(words); at != std::string::npos; at = reason.find(words, at + 1)) {
    const std::size_t end = at + words.size();
    const bool begins = at == 0 || words.front() == ' ' || reason[at - 1] == ' ' || reason[at - 1] == '(';
    if (begins && (words.back() == ' ' || !is_in_a_name(reason, end))) return true;
  }
  return false;
}

/// Where to look, and what the reason means.
void add_hint(std::vector<std::string>& advice, const std::string& reason) {
  const auto hint = std::ranges::find_if(kHints, [&](const Hint& one) { return says(reason, one.words); });
  if (hint != kHints.end()) advice.emplace_back(hint->text);
}

void advise_on_deployment(std::vector<std::string>& advice, const Story& story) {
  const DeploymentStatus& deployment = *story.deployment;
  const std::string name = name_of(deployment.row);
  const bool not_there = deployment.exit == static_cast<int>(Exit::not_found), not_believed = deployment.exit == static_cast<int>(Exit::trust);
  if (not_there) return advice.push_back(fmt::format("berth releases {}   # what there is in the repository", deployment.row.app));
  if (not_believed) return advice.push_back("the repository or the release is not to be believed: berth status shows its metadata; ask who published it");
  add_hint(advice, reason_of(deployment.row));
  if (!deployment.last_lines.empty()) advice.push_back(fmt::format("berth logs {}   # all that it printed", name));
  advice.push_back(fmt::format("berth history {}   # its steps, and those of the deployments before", deployment.row.app));
  const bool by_hook = says(reason_of(deployment.row), " hook ");
  if (!deployment.rejected) return advice.push_back(fmt::format("berth deploy {}   # once {}", name, by_hook ? "its hook can end well" : "what was missing is there"));
  advice.push_back(fmt::format("publish a better release; {} is rejected here until 'berth deploy {} --force'", deployment.row.release, name));
}

void advise_on_instances(std::vector<std::string>& advice, const Story& story, const std::string& before) {
  const InstanceView& first = story.instances.front();
  const bool is_back = !is_troubled(first, story.active);
  const supervise::InstanceStatus& status = first.status;
  const std::string name = short_name(status.id);
  add_hint(advice, status.ready || status.pid == 0 || status.crash_loop ? (status.last_exit ? status.last_exit->reason : status.not_ready) : status.not_ready);
  const bool ended = status.pid == 0 || status.crash_loop || is_back;
  advice.push_back(fmt::format("berth logs {}{}   # all that it printed{}", name, ended ? " --previous" : "", ended ? " before it ended" : ""));
  if (!before.empty()) advice.push_back(fmt::format("berth revert {}   # goes back to {}", story.app, before));
  if (!is_back) advice.push_back(fmt::format("berth restart {}   # once what it needs is there", name));
}

void advise_on_job(std::vector<std::string>& advice, const Story& story) {
  const store::JobRow& row = story.jobs.front().row;
  const std::string name = row.app + "/" + row.process;
  add_hint(advice, row.result);
  advice.push_back(fmt::format("berth logs {}   # all that it printed", name));
  advice.push_back(fmt::format("berth run-job {}   # once what it needs is there", name));
}

}  // namespace

bool is_failure(const store::DeploymentRow& row) { return row.state == "failed" || row.state == "reverted" || row.state == "interrupted"; }

bool is_of_nothing(const store::DeploymentRow& row) { return is_failure(row) && status_of(row).exit == static_cast<int>(Exit::not_found); }

const store::DeploymentRow* failure_to_tell(const std::vector<store::DeploymentRow>& rows, bool runs) {
  const auto of_something = std::ranges::find_if(rows, [](const auto& row) { return is_failure(row) && !is_of_nothing(row); });
  if (of_something != rows.end()) return &*of_something;
  const auto any = runs ? rows.end() : std::ranges::find_if(rows, is_failure);
  return any == rows.end() ? nullptr : &*any;
}

bool is_over(const store::DeploymentRow& failed, const std::vector<store::DeploymentRow>& rows) {
  return std::ranges::any_of(rows, [&](const store::DeploymentRow& row) { return row.id > failed.id && row.decided && (row.state == "active" || row.state == "baking"); });
}

bool came_back(const InstanceView& instance, const std::string& active, logs::Time now) {
  constexpr std::chrono::minutes kRecent{10};  // as berth status does
  const supervise::InstanceStatus& status = instance.status;
  if (status.id.release != active || status.restarts == 0 || !status.last_exit || status.last_exit->kind.empty()) return false;
  const auto ended = logs::parse_rfc3339(status.last_exit->at);
  return ended && now - *ended < kRecent;
}

bool is_troubled(const InstanceView& instance, const std::string& active) {
  const supervise::InstanceStatus& status = instance.status;
  if (status.id.release != active) return false;
  return status.crash_loop || (!status.ready && status.judged && status.phase != supervise::Phase::stopping);
}

std::string trouble_text(const InstanceView& instance) {
  const supervise::InstanceStatus& status = instance.status;
  const std::string name = short_name(status.id);
  const std::string restarts = fmt::format("{} restart{}", status.restarts, status.restarts == 1 ? "" : "s");
  if (status.crash_loop && status.last_exit) return fmt::format("{} ends again and again: {} ({})", name, status.last_exit->reason, restarts);
  if ((status.ready || !status.judged) && status.restarts > 0 && status.last_exit) return fmt::format("{} ended and was started again: {} ({})", name, status.last_exit->reason, restarts);
  if (status.pid == 0 && status.last_exit) return fmt::format("{} does not run: {} ({})", name, status.last_exit->reason, restarts);
  return fmt::format("{} is not ready: {}", name, status.not_ready);
}

std::string killed_at_a_stop(const std::vector<store::Event>& events) {
  constexpr std::string_view kStopped = "stopped: ";
  const auto was_killed = [&](const store::Event& event) { return event.kind == "instance.exit" && text_in(event, "reason").starts_with(kStopped); };
  const auto last = std::ranges::find_if(events.rbegin(), events.rend(), was_killed);
  if (last == events.rend()) return {};
  return fmt::format("{} was stopped at {}: {}", text_in(*last, "instance"), last->at, text_in(*last, "reason").substr(kStopped.size()));
}

std::string trouble_at(const InstanceView& instance, const std::vector<store::Event>& events) {
  const std::string name = to_string(instance.status.id);
  std::string at = instance.status.last_exit ? instance.status.last_exit->at : instance.status.started_at;
  for (const store::Event& event : events)
    if (event.kind == "instance.unready" && text_in(event, "instance") == name) at = std::max(at, event.at);
  return at;
}

std::string failure_text(const JobStatus& job) {
  const store::JobRow& row = job.row;
  return fmt::format("{}/{} {} (run {} of the job{})", row.app, row.process, row.result, row.run, row.attempts > 1 ? fmt::format(", after {} tries", row.attempts) : "");
}

std::vector<Told> timeline(const DeploymentStatus* deployment, const std::vector<store::Event>& events) {
  std::vector<Told> all;
  if (deployment != nullptr) {
    for (const auto& step : deployment->steps) {
      std::string text = step_text(*deployment, step, &step == &deployment->steps.back());
      if (!text.empty()) all.push_back({.at = step.at, .until = {}, .kind = "deployment.state", .text = std::move(text)});
    }
  }
  for (const store::Event& event : events)
    if (std::string text = text_of(event); !text.empty()) all.push_back({.at = event.at, .until = {}, .kind = event.kind, .text = std::move(text)});
  const auto moment = [](const Told& one) { return logs::parse_rfc3339(one.at).value_or(logs::Time()); };
  std::ranges::stable_sort(all, {}, moment);
  std::vector<Told> told;
  for (Told& one : all) {
    // Instances that end again and again take turns: what is between one and its like is of that kind, too.
    const auto other = std::find_if(told.rbegin(), told.rend(), [&one](const Told& before) { return before.kind != one.kind; });
    const auto like = std::find_if(told.rbegin(), other, [&one](const Told& before) { return without_time(before.text) == without_time(one.text); });
    if (like != other) {
      ++like->times;
      like->until = one.at;
    } else {
      told.push_back(std::move(one));
    }
  }
  return told;
}

std::vector<std::string> advise(const Story& story, const std::string& before) {
  std::vector<std::string> advice;
  if (story.over && story.about == Story::About::deployment) return advice;
  if (story.about == Story::About::deployment) advise_on_deployment(advice, story);
  if (story.about == Story::About::instances) advise_on_instances(advice, story, before);
  if (story.about == Story::About::job) advise_on_job(advice, story);
  return advice;
}

}  // namespace berth::deploy
