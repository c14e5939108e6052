#include "cli/deployment.h"

#include <algorithm>

#include <fmt/core.h>

#include "cli/advice.h"
#include "cli/json_view.h"
#include "cli/output/progress.h"
#include "cli/output/table.h"
#include "cli/output/text.h"
#include "core/logs/record_time.h"

namespace berth::cli {
namespace {

std::string bake_left(const Deployment& deployment, WallTime now) {
  const auto until = logs::parse_rfc3339(deployment.bake_until);
  if (!until) return {};
  const auto left = std::chrono::ceil<std::chrono::seconds>(*until - now).count();
  return left > 0 ? fmt::format("{}s left", left) : "nearly over";
}

/// ", 2.0 MB/s, 40s left", as far as that is known.
std::string rate_text(const TransferRate& rate, std::uint64_t total) {
  const auto now = rate.rate();
  if (!now) return {};
  std::string text = fmt::format(", {}/s", bytes_text(*now));
  const auto left = rate.left(total);
  if (!left || left->count() == 0) return text;
  return text + fmt::format(", {} left", left->count() < 60 ? fmt::format("{}s", left->count()) : took_text(*left));
}

std::string instances_text(const Deployment& deployment) {
  if (deployment.instances_wanted == 0) return {};
  return fmt::format("{} of {} instances ready", deployment.instances_ready, deployment.instances_wanted);
}

/// Who serves now that it did not come to be.
std::string what_serves(const Deployment& deployment) {
  if (deployment.from.empty()) return fmt::format("{} has no active release.", deployment.app);
  if (deployment.stopped) return fmt::format("{} is stopped, as before.", deployment.app);
  return fmt::format("{} still runs {}.", deployment.app, deployment.from);
}

/// Where to look further: what never ran has no logs.
std::string where_to_look(const Deployment& deployment) {
  if (!deployment.last_lines.empty()) return fmt::format("See: berth logs {}; berth history {}.", deployment.name(), deployment.app);
  if (exit_of(deployment) != Exit::not_found) return fmt::format("See: berth history {}.", deployment.app);
  if (deployment.reason.find(" lists what ") != std::string::npos) return {};  // the reason leads there
  return deployment.from.empty() ? "See: berth apps, for what there is." : fmt::format("See: berth releases {}, for what there is.", deployment.app);
}

std::string hint_of(const Deployment& deployment) {
  const std::string logs = where_to_look(deployment);
  const std::string rejected = deployment.rejected ? fmt::format("\n{} is rejected here until it is deployed with --force.", deployment.name()) : std::string();
  if (deployment.state == "failed") return fmt::format("{}{}{}{}", what_serves(deployment), logs.empty() ? "" : " ", logs, rejected);
  if (deployment.state == "reverted") {
    const std::string now = deployment.from.empty() ? fmt::format("{} was stopped, it had no release before.", deployment.app)
                                                    : fmt::format("{} runs {} again.", deployment.app, deployment.from);
    return fmt::format("{} {}{}", now, logs, rejected);
  }
  if (deployment.state == "superseded") return fmt::format("What runs now: berth status {}.", deployment.app);
  if (deployment.state == "cancelled") return what_serves(deployment);
  return fmt::format("See: berth history {}.", deployment.app);
}

std::string notes_text(const Deployment& deployment) {
  std::string text;
  for (const std::string& note : deployment.notes) text += "Note: " + printable(note) + ".\n";
  return text;
}

}  // namespace

std::string without_name(const Deployment& d) {
  std::string_view reason = d.reason;
  for (;;) {
    const auto colon = reason.find(": ");
    const std::string_view head = reason.substr(0, colon == std::string_view::npos ? 0 : colon);
    const bool full = head.starts_with(d.app + "/") && head.ends_with("@" + d.release) && head.find(' ') == std::string_view::npos;
    if (head.empty() || (head != d.name() && !full)) break;
    reason.remove_prefix(colon + 2);
  }
  return std::string(reason);
}

Deployment read_deployment(const boost::json::value& json) {
  Deployment d;
  d.id = number_of(json, "id");
  d.app = text_of(json, "app");
  d.release = text_of(json, "release");
  d.kind = text_of(json, "kind");
  d.state = text_of(json, "state");
  d.reason = text_of(json, "reason");
  d.from = text_of(json, "from");
  d.by = text_of(json, "by");
  d.why = text_of(json, "why");
  d.decided = truth_of(json, "decided");
  d.already = truth_of(json, "already");
  d.rejected = truth_of(json, "rejected");
  d.stopped = truth_of(json, "stopped");
  d.exit = static_cast<int>(number_of(json, "exit", -1));
  d.created_at = text_of(json, "created_at");
  d.ended_at = text_of(json, "ended_at");
  d.bake_until = text_of(json, "bake_until");
  if (const auto* progress = member(json, "progress")) {
    d.bytes_done = std::max<std::int64_t>(number_of(*progress, "bytes_done"), 0);
    d.bytes_total = std::max<std::int64_t>(number_of(*progress, "bytes_total"), 0);
    d.instances_ready = number_of(*progress, "instances_ready");
    d.instances_wanted = number_of(*progress, "instances_wanted");
  }
  for (const auto& step : list_of(json, "steps")) d.steps.push_back({text_of(step, "state"), text_of(step, "at")});
  for (const auto& line : list_of(json, "last_lines"))
    if (line.is_string()) d.last_lines.emplace_back(line.get_string());
  for (const auto& note : list_of(json, "notes"))
    if (note.is_string()) d.notes.emplace_back(note.get_string());
  for (const auto& one : list_of(json, "hooks")) {
    d.hooks.push_back({text_of(one, "hook"), text_of(one, "release"), text_of(one, "began_at"), text_of(one, "ended_at"), text_of(one, "result"),
                       number_of(one, "attempts", 1)});
  }
  return d;
}

Exit exit_of(const Deployment& deployment) {
  const int exit = deployment.exit;
  return exit >= 0 && exit <= 9 ? static_cast<Exit>(exit) : Exit::failed;
}

std::string live_text(const Deployment& d, WallTime now, int width, const TransferRate& rate) {
  std::string text = fmt::format("{} {}", d.name(), d.state);
  if (d.state == "fetching" && d.bytes_total > 0) {
    const auto done = static_cast<std::uint64_t>(d.bytes_done);
    const auto total = static_cast<std::uint64_t>(d.bytes_total);
    const std::string amount = fmt::format(" {} of {}{}", bytes_text(done), bytes_text(total), rate_text(rate, total));
    const std::size_t used = columns(text) + columns(amount) + 2;
    const std::size_t room = static_cast<std::size_t>(std::max(width, 0)) > used ? static_cast<std::size_t>(width) - used : 0;
    const std::string drawn = bar(done, total, std::min<std::size_t>(room, 32));
    return text + (drawn.empty() ? "" : " " + drawn) + amount;
  }
  if (d.state == "baking" || d.state == "canary") {
    const std::string left = bake_left(d, now);
    if (!left.empty()) text += ", " + left;
  }
  if (!d.hooks.empty() && d.hooks.back().ended_at.empty()) {
    text += ", in its " + printable(d.hooks.back().hook) + " hook";
  } else if (!d.hooks.empty() && d.hooks.back().result == "postponed") {
    text += ", postponed by its ready-to-switch hook";
  }
  if (const std::string instances = instances_text(d); !instances.empty() && (d.state == "starting" || d.state == "canary" || d.state == "switching" || d.state == "baking"))
    text += ", " + instances;
  return text + " …";
}

std::string step_text(const Deployment& d, const Deployment::Step& step) {
  const bool latest = step.state == d.state;
  std::string more;
  if (step.state == "fetching" && d.bytes_total > 0) more = bytes_text(static_cast<std::uint64_t>(d.bytes_total));
  if ((step.state == "baking" || step.state == "canary") && !d.bake_until.empty() && latest) more = "until " + short_time(d.bake_until);
  return fmt::format("{}: {}{}", d.name(), step.state, more.empty() ? "" : " (" + more + ")");
}

std::string result_text(const Deployment& d, bool colour, const std::string& node) {
  const auto took = between(d.created_at, d.ended_at);
  if (d.already) return fmt::format("{} is active already.\n", d.name()) + notes_text(d);
  if (d.exit == 0) {
    const std::string after = took ? fmt::format(" (took {})", took_text(*took)) : "";
    return tinted(fmt::format("{} is active", d.name()), Tint::good, colour) + after + ".\n" + notes_text(d);
  }
  std::string text = tinted(fmt::format("{} {}", d.name(), d.state), Tint::bad, colour);
  text += d.reason.empty() ? ".\n" : ": " + for_node(printable(without_name(d)), node) + "\n";
  if (!d.last_lines.empty()) {
    text += fmt::format("Last lines of {}:\n", d.name());
    for (const std::string& line : d.last_lines) text += "  | " + printable(line) + "\n";
  }
  return text + for_node(notes_text(d) + hint_of(d), node) + "\n";
}

std::string hooks_text(const Deployment& d) {
  std::string text;
  for (const Deployment::Hook& one : d.hooks) {
    text += text.empty() ? "hooks: " : ", ";
    text += one.release == d.release ? one.hook : fmt::format("{} of {}", one.hook, one.release);
    if (one.attempts > 1) text += fmt::format(" ({} times)", one.attempts);
    const auto took = between(one.began_at, one.ended_at);
    if (one.ended_at.empty()) text += " …";
    else if (one.result != "ok") text += " " + one.result;
    else if (took) text += " " + took_text(*took);
  }
  return text;
}

std::string steps_text(const Deployment& d) {
  std::string text;
  for (std::size_t i = 0; i < d.steps.size(); ++i) {
    const std::string& end = i + 1 < d.steps.size() ? d.steps[i + 1].at : d.ended_at;
    const auto took = between(d.steps[i].at, end);
    const bool last = i + 1 == d.steps.size();
    text += (i == 0 ? "" : " → ") + d.steps[i].state;
    if (took && !(last && d.ended())) text += " " + took_text(*took);
  }
  return text;
}

}  // namespace berth::cli
