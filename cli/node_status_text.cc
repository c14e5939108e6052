#include <algorithm>

#include <fmt/core.h>

#include "cli/json_view.h"
#include "cli/output/text.h"
#include "cli/sinks_text.h"
#include "cli/status_text.h"
#include "core/logs/record_time.h"

namespace berth::cli {
namespace {

using boost::json::value;

/// That nothing is to run here; empty where that is not so.
std::string drained_text(const value& status, const StatusView& view) {
  const auto* drained = member(status, "drained");
  if (drained == nullptr || !drained->is_object()) return {};
  const std::string why = text_of(*drained, "why"), age = since_text(text_of(*drained, "at"), view.now);
  const std::string text = fmt::format("drained by {}{}{}: no app runs, and no deployment is taken until 'berth node resume'", text_of(*drained, "by"),
                                       age.empty() ? "" : " " + age + " ago", why.empty() ? "" : " (" + why + ")");
  return tinted(printable(text), Tint::warning, view.colour) + "\n";
}

/// What is followed by apps that are not here yet. Which these are, a berthd that is not ready does not know.
std::string awaited_text(const value& status, const StatusView& view) {
  if (!truth_of(status, "ready")) return {};
  std::string text;
  for (const auto& follow : list_of(status, "follows")) {
    const std::string name = text_of(follow, "app");
    const auto& apps = list_of(status, "apps");
    if (std::ranges::any_of(apps, [&](const value& app) { return text_of(app, "app") == name; })) continue;
    text += tinted(printable(fmt::format("{}, not on this node yet, {}", name, follow_text(follow, "", view, true))), Tint::warning, view.colour) + "\n";
  }
  return text;
}

std::string repository_text(const value& status, const StatusView& view) {
  const auto* repository = member(status, "repository");
  if (repository == nullptr || !repository->is_object()) return {};
  const std::string url = text_of(*repository, "url");
  if (url.empty()) return {};
  const std::string age = since_text(text_of(*repository, "last_success"), view.now);
  std::string text = "repository " + printable(url) + (age.empty() ? ", never read yet" : ", read " + age + " ago") + "\n";
  if (const std::string error = text_of(*repository, "last_error"); !error.empty())
    text = tinted("repository trouble: " + printable(error), Tint::bad, view.colour) + "\n" + text;
  for (const auto& role : list_of(*repository, "roles")) {
    const auto expires = logs::parse_rfc3339(text_of(role, "expires"));
    if (expires && *expires <= view.now)
      text += tinted(fmt::format("{} metadata expired {} ago: no new release is taken until it is signed again",
                                 printable(text_of(role, "role")), since_text(text_of(role, "expires"), view.now)), Tint::bad, view.colour) + "\n";
  }
  return text;
}

/// That the node does not do what its berthd.toml says now; empty where that is not so.
std::string config_text(const value& status, const StatusView& view) {
  const auto* refused = member(status, "config_refused");
  if (refused == nullptr || !refused->is_object()) return {};
  const std::string age = since_text(text_of(*refused, "at"), view.now);
  const std::string text = fmt::format("berthd.toml was refused{}, and the one before counts still: {}; 'berthd --check' reads it, 'systemctl reload berthd' takes it",
                                       age.empty() ? "" : " " + age + " ago", text_of(*refused, "reason"));
  return tinted(printable(text), Tint::bad, view.colour) + "\n";
}

/// That the history of the node is not what berthd wrote; empty where nothing of that is known.
std::string event_damage_text(const value& status, const StatusView& view) {
  const std::string damage = text_of(status, "events_damaged");
  if (damage.empty()) return {};
  return tinted(printable(fmt::format("events.log was changed: {}; 'berth events --verify' tells all that is wrong with it", damage)), Tint::bad, view.colour) + "\n";
}

/// That nobody elsewhere is answered at a listener of the node, or soon will not be; empty where neither is so.
std::string listener_text(const value& status, std::string_view name, std::string_view table, const StatusView& view) {
  const auto* listener = member(status, name);
  if (listener == nullptr || !listener->is_object()) return {};
  std::string text;
  if (const std::string problem = text_of(*listener, "problem"); !problem.empty())
    text += tinted(printable(fmt::format("{} at {}: {}", table, text_of(*listener, "listen"), problem)), Tint::bad, view.colour) + "\n";
  if (truth_of(*listener, "ending"))
    text += tinted(printable(fmt::format("{} at {}: its certificate ends at {}: put a new one in its place", table, text_of(*listener, "listen"), text_of(*listener, "certificate_expires"))),
                   Tint::warning, view.colour) + "\n";
  return text;
}

bool is_full(const value& disk) { return number_of(disk, "free_bytes") < number_of(disk, "reserve_bytes"); }

std::string disk_text(const value& status, const StatusView& view) {
  const auto* disk = member(status, "disk");
  if (disk == nullptr) return {};
  const auto bytes = [](const value& of, const char* which) { return bytes_text(static_cast<std::uint64_t>(number_of(of, which))); };
  std::string text;
  if (is_full(*disk))
    text = tinted(fmt::format("disk: {} free, less than the reserve of {}: no new release fits; see berth gc", bytes(*disk, "free_bytes"), bytes(*disk, "reserve_bytes")),
                  Tint::bad, view.colour) + "\n";
  if (const auto* logs = member(*disk, "logs"); logs != nullptr && is_full(*logs))
    text += tinted(fmt::format("disk of the logs: {} free: lines are lost when nothing is left", bytes(*logs, "free_bytes")), Tint::bad, view.colour) + "\n";
  return text;
}

}  // namespace

std::string node_text(const value& status, const StatusView& view) {
  std::string text = fmt::format("{} ({}), berthd {}", text_of(status, "node"), text_of(status, "environment"), text_of(status, "version"));
  if (const std::string since = since_text(text_of(status, "since"), view.now); !since.empty()) text += " since " + since;
  text = printable(text) + "\n";
  if (!truth_of(status, "ready")) text += tinted("berthd is not ready yet: it takes over or starts what should run", Tint::warning, view.colour) + "\n";
  text += config_text(status, view) + event_damage_text(status, view) + listener_text(status, "remote_api", "[api]", view) + listener_text(status, "metrics_listener", "[metrics]", view) + drained_text(status, view) + repository_text(status, view) + sinks_text(status, view) + webhooks_text(status, view) +
          awaited_text(status, view);
  text += disk_text(status, view);
  if (!truth_of(status, "limits_enforced")) text += "limits of memory and processes are not enforced here (no cgroup2)\n";
  return text;
}

}  // namespace berth::cli
