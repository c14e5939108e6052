#include "cli/plan_text.h"

#include <algorithm>
#include <vector>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "cli/json_view.h"
#include "cli/output/table.h"
#include "cli/output/text.h"

namespace berth::cli {
namespace {

using boost::json::value;

constexpr std::size_t kMostNamed = 4;   ///< files
constexpr std::size_t kMostChanges = 6; ///< of configuration and spec, a line each
constexpr std::size_t kTitle = 11;

/// A missing member reads as an empty object.
const value& part(const value& json, std::string_view name) {
  static const value kNone = boost::json::object();
  const value* found = member(json, name);
  return found == nullptr ? kNone : *found;
}

bool is_revert(const value& plan) { return text_of(plan, "kind") == "revert"; }

std::uint64_t bytes(const value& json, std::string_view name) { return static_cast<std::uint64_t>(std::max<std::int64_t>(number_of(json, name), 0)); }

std::string time_text(const value& json, std::string_view name) {
  const std::int64_t ms = number_of(json, name);
  const std::pair<std::int64_t, const char*> units[] = {{3'600'000, "h"}, {60'000, "m"}, {1000, "s"}};
  for (const auto& [unit, letter] : units)
    if (ms >= unit && ms % unit == 0) return fmt::format("{}{}", ms / unit, letter);
  return fmt::format("{}ms", ms);
}

std::string files_text(const value& count) {
  const std::int64_t files = number_of(count, "files");
  return fmt::format("{} file{} ({})", files, files == 1 ? "" : "s", bytes_text(bytes(count, "bytes")));
}

class Screen {
 public:
  Screen(bool colour, int width) : colour_(colour), width_(width) {}

  /// One more line below a title; the title is shown once.
  void add(const std::string& title, const std::string& text) {
    const std::string shown = title == last_ ? "" : title;
    last_ = title;
    std::string safe = printable(text);
    if (width_ > 0) safe = shorten(safe, std::max<std::size_t>(static_cast<std::size_t>(width_) - std::min<std::size_t>(width_, kTitle + 2), 20));
    text_ += "  " + tinted(shown, Tint::dim, colour_) + std::string(kTitle - std::min(shown.size(), kTitle), ' ') + safe + "\n";
  }
  std::string take() { return std::move(text_); }

 private:
  bool colour_;
  int width_;
  std::string last_, text_;
};

char mark_of(const value& change) {
  const std::string kind = text_of(change, "kind");
  return kind == "added" ? '+' : kind == "removed" ? '-' : '~';
}

std::string change_text(const value& change) {
  const std::string what = text_of(change, "what"), name = text_of(change, "name"), before = text_of(change, "before"), after = text_of(change, "after");
  std::string text = fmt::format("{} {}{}{}", mark_of(change), what, name.empty() ? "" : " ", name);
  if (what == "configuration") return text;  // sizes and digests say little
  const char mark = mark_of(change);
  if (mark == '~') return fmt::format("{}: {} -> {}", text, before, after);
  return text + ": " + (mark == '+' ? after : before);
}

void add_build(Screen& screen, const value& plan) {
  const value& build = part(plan, "build");
  const std::string version = text_of(build, "version"), before = text_of(build, "from_version"), digest = text_of(build, "digest");
  std::string name = version.empty() ? digest.substr(0, 12) : version;
  const value* difference = member(plan, "difference");
  if (difference == nullptr || !difference->is_object()) {
    const bool first = text_of(plan, "from").empty() || text_of(plan, "from") == text_of(plan, "release");
    return screen.add("build", fmt::format("{}, {}{}", name, files_text(part(build, "tree")), first ? "" : "; what is active cannot be compared"));
  }
  if (digest == text_of(build, "from_digest")) {
    screen.add("build", fmt::format("{}, the same", name));
  } else {
    if (!before.empty() && before != version) name = before + " -> " + name;
    screen.add("build", fmt::format("{}: {} added, {} changed, {} removed", name, files_text(part(*difference, "added")), files_text(part(*difference, "changed")),
                                    files_text(part(*difference, "removed"))));
    std::vector<std::string> named;
    std::size_t files = 0;
    for (const value& one : list_of(*difference, "changes")) {
      if (text_of(one, "what") != "file") continue;
      if (++files <= kMostNamed) named.push_back(fmt::format("{} {}", mark_of(one), text_of(one, "name")));
    }
    if (files > kMostNamed) named.push_back("…");
    if (!named.empty()) screen.add("build", fmt::format("{}", fmt::join(named, "  ")));
  }
}

void add_changes(Screen& screen, const value& plan) {
  const value* difference = member(plan, "difference");
  if (difference == nullptr || !difference->is_object()) return;
  std::size_t shown = 0, others = 0;
  for (const value& one : list_of(*difference, "changes")) {
    const std::string what = text_of(one, "what");
    if (what != "configuration" && what != "variable" && what != "secret" && what != "spec") continue;
    if (shown < kMostChanges) {
      screen.add("config", change_text(one));
      ++shown;
    } else {
      ++others;
    }
  }
  if (others > 0) screen.add("config", fmt::format("… and {} more (--json has them)", others));
  if (shown == 0) screen.add("config", "the same");
}

std::string blob_text(const value& blob) {
  const std::string kind = text_of(blob, "kind"), from = text_of(blob, "from");
  const std::string of = text_of(blob, "part") == "config" ? "the configuration's " : "the ";
  return fmt::format("{}{}{}{} {}", of, kind, from.empty() ? "" : " from ", from, bytes_text(bytes(blob, "bytes")));
}

void add_fetch(Screen& screen, const value& plan) {
  const value& fetch = part(plan, "fetch");
  const std::string from = text_of(fetch, "from");
  if (from == "node") return screen.add("fetch", is_revert(plan) ? "nothing, it is on this node, and as it was sealed" : "nothing, it is on this node");
  std::vector<std::string> blobs;
  for (const value& blob : list_of(fetch, "blobs")) blobs.push_back(blob_text(blob));
  const std::string where = from == "file" ? " from the file that was loaded" : "";
  screen.add("fetch", blobs.empty() ? "nothing but what is signed: all files are on this node" : fmt::format("{}{}: {}", bytes_text(bytes(fetch, "bytes")), where, fmt::join(blobs, ", ")));
  const value& disk = part(plan, "disk");
  const std::uint64_t free = bytes(disk, "free"), reserve = bytes(disk, "reserve");
  screen.add("disk", fmt::format("{} at most; {} are free beside the reserve of {}", bytes_text(bytes(disk, "needed")), bytes_text(free > reserve ? free - reserve : 0), bytes_text(reserve)));
}

std::string strategy_text(const value& plan) {
  const value& way = part(plan, "way");
  const std::string strategy = text_of(way, "strategy");
  if (truth_of(way, "goes_on")) return fmt::format("its instances go on as they are; 'berth restart {}' starts them anew", text_of(plan, "app"));
  if (text_of(plan, "from").empty()) return strategy + ": nothing is active, so there is nothing to go back to";
  if (truth_of(way, "stops_first")) return strategy + ": the old instances are stopped first, so nobody serves meanwhile";
  if (const value* canary = member(way, "canary"); canary != nullptr && canary->is_object())
    return fmt::format("{}: {} of each process beside the old ones for {}, then a few at a time", strategy, number_of(*canary, "instances"), time_text(*canary, "bake_ms"));
  if (truth_of(way, "gradual")) return strategy + ": a few instances at a time, while both releases serve";
  if (strategy == "recreate") return strategy + ": nothing runs that would have to be stopped";
  return strategy + ": all new instances beside the old ones, then one switch";
}

void add_way(Screen& screen, const value& plan) {
  const value& way = part(plan, "way");
  screen.add("strategy", strategy_text(plan));
  std::vector<std::string> ports, instances, waits;
  for (const value& one : list_of(way, "ports"))
    ports.push_back(fmt::format("{} at {} by {}", text_of(one, "process"), number_of(one, "port"), text_of(one, "routing")));
  if (!ports.empty()) screen.add("routing", fmt::format("{}; a drain of {} at most", fmt::join(ports, ", "), time_text(way, "drain_ms")));
  for (const value& one : list_of(plan, "instances")) {
    const std::int64_t before = number_of(one, "before"), after = number_of(one, "after");
    instances.push_back(fmt::format("{} {}{}", text_of(one, "process"), after, before == after || text_of(plan, "from").empty() ? "" : fmt::format(" (now {})", before)));
  }
  screen.add("instances", fmt::format("{}; ready within {}", fmt::join(instances, ", "), time_text(way, "ready_timeout_ms")));
  for (const value& app : list_of(way, "waits_for"))
    if (app.is_string()) waits.emplace_back(app.get_string());
  if (!waits.empty()) screen.add("waits for", fmt::format("{}", fmt::join(waits, ", ")));
}

void add_hooks(Screen& screen, const value& plan) {
  std::vector<std::string> hooks;
  for (const value& one : list_of(plan, "hooks")) {
    const std::string release = text_of(one, "release"), whose = release == text_of(plan, "release") ? "" : " of " + release;
    hooks.push_back(fmt::format("{}{} ({})", text_of(one, "hook"), whose, time_text(one, "timeout_ms")));
  }
  if (!hooks.empty()) screen.add("hooks", fmt::format("{}", fmt::join(hooks, ", then ")));
  if (truth_of(plan, "on_revert")) screen.add("hooks", "on-revert, where it is reverted");
}

std::string names_in(const value& plan, std::string_view list) {
  std::string text;
  for (const value& one : list_of(plan, list))
    if (one.is_string()) text += (text.empty() ? "" : ", ") + std::string(one.get_string());
  return text;
}

void add_jobs(Screen& screen, const value& plan) {
  if (const std::string jobs = names_in(plan, "jobs"); !jobs.empty()) screen.add("jobs", jobs + ", after the switch; one that fails reverts nothing");
  if (const std::string jobs = names_in(plan, "jobs_by_hand"); !jobs.empty()) screen.add("jobs", jobs + ", by hand alone: berth run-job");
  if (const std::string jobs = names_in(plan, "jobs_ended"); !jobs.empty()) screen.add("jobs", fmt::format("{} of {} runs now, and is ended by the switch", jobs, text_of(plan, "from")));
}

void add_bake(Screen& screen, const value& plan) {
  if (is_revert(plan)) return screen.add("bake", "none: what ran before is not judged again");
  const value& bake = part(plan, "bake");
  if (number_of(bake, "duration_ms") == 0) return screen.add("bake", "none");
  const char* what = text_of(plan, "from").empty() ? "is stopped, and has failed," : "reverts";
  std::string text = fmt::format("{}: {} when an instance ends or is no longer ready", time_text(bake, "duration_ms"), what);
  if (const value* metric = member(bake, "metric"); metric != nullptr && metric->is_object())
    text += fmt::format(", {} grows over {}", text_of(*metric, "query"), text_of(*metric, "max_rate"));
  if (const value* log = member(bake, "log"); log != nullptr && log->is_object())
    text += fmt::format(", lines with '{}' come over {}", text_of(*log, "pattern"), text_of(*log, "max_rate"));
  screen.add("bake", text);
}

/// What becomes of the data when somebody goes back.
std::string data_of_revert(const value& plan, const value& data) {
  const std::string migrated = text_of(data, "migrated");
  const std::string hook = migrated.empty() ? "" : fmt::format("; the pre-start hook of {} may have changed them", migrated);
  if (const value* copy = member(data, "puts_back"); copy != nullptr && copy->is_object())
    return fmt::format("become what they were at {} ({}); what was written since is set aside until 'berth gc {}'", short_time(text_of(*copy, "at")), text_of(*copy, "folder"), text_of(plan, "app"));
  if (truth_of(data, "keeps")) return "stay as they are, by --keep-data: their copy from before is left where it is" + hook;
  return (migrated.empty() ? "stay as they are" : "stay as they are, since there is no copy of them from before") + hook;
}

void add_data(Screen& screen, const value& plan) {
  const value& data = part(plan, "data");
  if (is_revert(plan)) screen.add("data", data_of_revert(plan, data));
  if (is_revert(plan) && !truth_of(data, "snapshot")) return;
  if (truth_of(data, "snapshot")) {
    const std::string method = text_of(data, "method");
    screen.add("data", fmt::format("copied before ({}{}); a revert of this deployment puts that copy back and sets aside what was written since", method,
                                   method == "copy" ? ", " + bytes_text(bytes(data, "bytes")) : ""));
  } else if (truth_of(data, "migration_stays")) {
    screen.add("data", "not copied: what the pre-start hook does to them is not undone by a revert");
  } else if (text_of(plan, "from").empty()) {
    screen.add("data", truth_of(data, "migrates") ? "not copied: the pre-start hook may change what is there" : "not touched");
  } else {
    screen.add("data", "not touched: a revert leaves them as they are");
  }
}

void add_others(Screen& screen, const value& plan) {
  for (const value& one : list_of(plan, "others")) {
    screen.add("before it", fmt::format("deployment {} of {} is {}: {}", number_of(one, "id"), text_of(one, "release"), text_of(one, "state"),
                                        truth_of(one, "gives_way") ? "it gives way, and is superseded when this one is active" : "its end is waited for"));
  }
}

}  // namespace

std::string plan_text(const value& plan, bool colour, int width) {
  const std::string app = text_of(plan, "app"), name = app + "@" + text_of(plan, "release"), from = text_of(plan, "from");
  if (truth_of(plan, "already")) return name + " is active already: nothing would be done.\n";
  if (const value* same = member(plan, "same"); same != nullptr && same->is_object())
    return fmt::format("{}: deployment {} of it is {} already: nothing new would begin.\n", name, number_of(*same, "id"), text_of(*same, "state"));
  if (member(plan, "build") == nullptr) return {};
  std::string head = from.empty() ? fmt::format("{} would be the first release of {} here.", name, app) : fmt::format("{} would take the place of {}.", name, from);
  if (is_revert(plan)) head = fmt::format("{} would come back{}.", name, from.empty() ? "" : " in the place of " + from);
  else if (from == text_of(plan, "release")) head = fmt::format("{} is active, and would be deployed once more.", name);
  Screen screen(colour, width);
  add_others(screen, plan);
  add_build(screen, plan);
  add_changes(screen, plan);
  add_fetch(screen, plan);
  add_way(screen, plan);
  add_hooks(screen, plan);
  add_jobs(screen, plan);
  add_bake(screen, plan);
  add_data(screen, plan);
  for (const value& note : list_of(plan, "notes"))
    if (note.is_string()) screen.add("note", std::string(note.get_string()));
  return tinted(head, Tint::bold, colour) + "\n" + screen.take();
}

std::string refusals_text(const value& plan) {
  std::string text;
  for (const value& one : list_of(plan, "refusals")) {
    if (!text.empty()) text += "\n";
    text += text_of(one, "detail");
  }
  return text;
}

Exit exit_of_plan(const value& plan) {
  const std::int64_t exit = number_of(plan, "exit");
  return exit >= 0 && exit <= 9 ? static_cast<Exit>(exit) : Exit::failed;
}

}  // namespace berth::cli
