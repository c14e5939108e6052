#include "daemon/deploy/run.h"

#include <algorithm>

#include <fmt/core.h>

#include "core/exit_code.h"

namespace berth::deploy {
namespace {

namespace json = boost::json;

constexpr std::string_view kBakeEnds = "bake_ends", kBakeLeft = "bake_left_ms";

std::string text_in(const json::object& object, std::string_view name) {
  const auto* member = object.if_contains(name);
  return member != nullptr && member->is_string() ? std::string(member->get_string()) : std::string();
}

std::int64_t number_in(const json::object& object, std::string_view name, std::int64_t otherwise) {
  const auto* member = object.if_contains(name);
  return member != nullptr && member->is_int64() ? member->get_int64() : otherwise;
}

constexpr std::string_view kLinesAt = "last_lines_at";  ///< in a deployment's detail, beside its last lines

std::vector<DeploymentStatus::Step> steps_in(const json::object& detail) {
  std::vector<DeploymentStatus::Step> steps;
  const auto* list = detail.if_contains("steps");
  if (list == nullptr || !list->is_array()) return steps;
  for (const auto& step : list->get_array())
    if (step.is_object()) steps.push_back({text_in(step.get_object(), "state"), text_in(step.get_object(), "at")});
  return steps;
}

std::vector<std::string> lines_in(const json::object& detail, std::string_view name = "last_lines") {
  std::vector<std::string> lines;
  const auto* list = detail.if_contains(name);
  if (list == nullptr || !list->is_array()) return lines;
  for (const auto& line : list->get_array())
    if (line.is_string()) lines.emplace_back(line.get_string());
  return lines;
}

std::vector<std::string> notes_in(const json::object& detail) {
  std::vector<std::string> notes;
  const auto* list = detail.if_contains("notes");
  if (list == nullptr || !list->is_array()) return notes;
  for (const auto& note : list->get_array())
    if (note.is_string()) notes.emplace_back(note.get_string());
  return notes;
}

std::vector<HookRun> hooks_in(const json::object& detail) {
  std::vector<HookRun> hooks;
  const auto* list = detail.if_contains("hooks");
  if (list == nullptr || !list->is_array()) return hooks;
  for (const auto& each : list->get_array()) {
    if (!each.is_object()) continue;
    const json::object& one = each.get_object();
    hooks.push_back({.hook = text_in(one, "hook"),
                     .release = text_in(one, "release"),
                     .began_at = text_in(one, "began_at"),
                     .ended_at = text_in(one, "ended_at"),
                     .result = text_in(one, "result"),
                     .attempts = static_cast<int>(number_in(one, "attempts", 1))});
  }
  return hooks;
}

bool truth_in(const json::object& object, std::string_view name) {
  const auto* member = object.if_contains(name);
  return member != nullptr && member->is_bool() && member->get_bool();
}

/// The exit code of a row that ended without one of its own.
Exit exit_of_state(std::string_view state) {
  if (state == "active") return Exit::ok;
  if (state == "reverted") return Exit::reverted;
  if (state == "cancelled" || state == "superseded") return Exit::conflict;
  return Exit::failed;
}

}  // namespace

Run::Run(boost::asio::any_io_executor executor, store::DeploymentRow its_row) : row(std::move(its_row)), changed(std::move(executor)) {}

DeploymentStatus status_of(const store::DeploymentRow& row) {
  DeploymentStatus status{.row = row};
  status.steps = steps_in(row.detail);
  status.last_lines = lines_in(row.detail);
  status.hooks = hooks_in(row.detail);
  status.notes = notes_in(row.detail);
  status.rejected = truth_in(row.detail, "rejected");
  status.stopped = truth_in(row.detail, kWasStopped);
  status.bytes_total = status.bytes_done = static_cast<std::uint64_t>(number_in(row.detail, "bytes", 0));
  status.instances_ready = status.instances_wanted = static_cast<int>(number_in(row.detail, "instances", 0));
  if (!row.ended_at.empty()) status.exit = static_cast<int>(number_in(row.detail, "exit", static_cast<int>(exit_of_state(row.state))));
  return status;
}

std::vector<std::string> lines_at(const store::DeploymentRow& row) { return lines_in(row.detail, kLinesAt); }

void keep_lines(Run& run, std::vector<PrintedLine> lines) {
  run.last_lines.clear();
  run.lines_at.clear();
  for (PrintedLine& one : lines) {
    run.last_lines.push_back(std::move(one.text));
    run.lines_at.push_back(std::move(one.at));
  }
}

std::int64_t wall_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

BakeClocks bake_clocks(const std::string& boot) {
  return {.wall = wall_ms(), .steady = std::chrono::duration_cast<milliseconds>(io::Steady::now().time_since_epoch()).count(), .boot = boot};
}

void set_end(json::object& detail, std::string_view name, milliseconds from_now, const BakeClocks& now) {
  detail[name] = {{"boot", now.boot}, {"steady_ms", now.steady + from_now.count()}, {"wall_ms", now.wall + from_now.count()}};
}

std::optional<milliseconds> left_of(const json::object& detail, std::string_view name, milliseconds whole, const BakeClocks& now) {
  const auto* found = detail.if_contains(name);
  if (found == nullptr || !found->is_object()) return std::nullopt;
  const json::object& end = found->get_object();
  const bool same_boot = !now.boot.empty() && text_in(end, "boot") == now.boot;
  const std::int64_t left = same_boot ? number_in(end, "steady_ms", now.steady) - now.steady : number_in(end, "wall_ms", now.wall) - now.wall;
  return milliseconds(std::clamp<std::int64_t>(left, 0, whole.count()));
}

void set_bake_end(store::DeploymentRow& row, milliseconds from_now, const BakeClocks& now) {
  row.bake_until_ms = now.wall + from_now.count();
  set_end(row.detail, kBakeEnds, from_now, now);
  keep_bake_left(row, from_now);
}

milliseconds bake_left(const store::DeploymentRow& row, milliseconds whole, const BakeClocks& now) {
  const milliseconds by_wall(std::clamp<std::int64_t>(row.bake_until_ms - now.wall, 0, whole.count()));
  return left_of(row.detail, kBakeEnds, whole, now).value_or(by_wall);
}

void keep_bake_left(store::DeploymentRow& row, milliseconds left) { row.detail[kBakeLeft] = left.count(); }

void hold_bake(store::DeploymentRow& row) {
  row.bake_until_ms = 0;
  row.detail.erase(kBakeEnds);
}

void go_on_with_bake(store::DeploymentRow& row, milliseconds whole, const BakeClocks& now) {
  const std::int64_t left = number_in(row.detail, kBakeLeft, whole.count());
  set_bake_end(row, milliseconds(std::clamp<std::int64_t>(left, 0, whole.count())), now);
}

bool bake_waits(const Run& run) { return run.position.state == State::baking && run.row.bake_until_ms == 0; }

milliseconds whole_bake(const Run& run) { return run.is_revert() ? milliseconds(0) : run.manifest->spec.deploy.bake.duration; }

DeploymentStatus status_of(const Run& run) {
  DeploymentStatus status = status_of(run.row);
  status.steps = run.steps;
  status.last_lines = run.last_lines;
  status.hooks = run.hooks;
  status.notes = run.notes;
  status.bytes_total = run.progress.bytes_total.load();
  status.bytes_done = run.progress.bytes_done.load();
  status.instances_ready = run.ready;
  status.instances_wanted = run.wanted;
  return status;
}

void put_detail(Run& run) {
  run.row.state = to_string(run.position.state);
  run.row.decided = run.position.decided;
  json::array steps, lines, moments, hooks, notes;
  for (const auto& step : run.steps) steps.push_back(json::object{{"state", step.state}, {"at", step.at}});
  for (const auto& line : run.last_lines) lines.emplace_back(line);
  for (const auto& at : run.lines_at) moments.emplace_back(at);
  for (const auto& note : run.notes) notes.emplace_back(note);
  for (const HookRun& one : run.hooks) {
    hooks.push_back(json::object{{"hook", one.hook}, {"release", one.release}, {"began_at", one.began_at}, {"ended_at", one.ended_at}, {"result", one.result},
                                 {"attempts", one.attempts}});
  }
  run.row.detail["steps"] = std::move(steps);
  if (!lines.empty()) run.row.detail["last_lines"] = std::move(lines);
  if (!moments.empty()) run.row.detail[kLinesAt] = std::move(moments);
  if (!hooks.empty()) run.row.detail["hooks"] = std::move(hooks);
  if (!notes.empty()) run.row.detail["notes"] = std::move(notes);
  if (run.keep_data) run.row.detail["keep_data"] = true;
  if (run.interruptions > 0) run.row.detail["interruptions"] = run.interruptions;
  if (run.wanted > 0) run.row.detail["instances"] = run.wanted;
  if (const auto bytes = run.progress.bytes_total.load(); bytes > 0) run.row.detail["bytes"] = static_cast<std::int64_t>(bytes);
  run.row.detail["stop_first"] = run.course.stop_first;
  if (run.course.gradual) run.row.detail["gradual"] = true;
  else run.row.detail.erase("gradual");
  if (run.torn) run.row.detail["torn"] = true;
}

void take_detail(Run& run) {
  run.position = {state_named(run.row.state).value_or(State::queued), run.row.decided};
  run.steps = steps_in(run.row.detail);
  run.last_lines = lines_in(run.row.detail);
  run.lines_at = lines_at(run.row);
  run.hooks = hooks_in(run.row.detail);
  run.notes = notes_in(run.row.detail);
  run.keep_data = truth_in(run.row.detail, "keep_data");
  if (const auto* by = run.row.detail.if_contains("cancelled_by"); by != nullptr && by->is_string()) run.cancelled_by = by->get_string();
  run.interruptions = static_cast<int>(number_in(run.row.detail, "interruptions", 0));
  run.wanted = static_cast<int>(number_in(run.row.detail, "instances", 0));
  const auto bytes = static_cast<std::uint64_t>(number_in(run.row.detail, "bytes", 0));
  run.progress.bytes_total = bytes;
  run.progress.bytes_done = bytes;
  if (const auto* troubles = run.row.detail.if_contains("troubles"); troubles != nullptr && troubles->is_object())
    run.troubles = bake_troubles_in(troubles->get_object());
  run.course.has_previous = !run.row.from.empty();
  run.course.stop_first = truth_in(run.row.detail, "stop_first");
  run.course.gradual = truth_in(run.row.detail, "gradual");
}

bool add_note(Run& run, const std::string& text) {
  if (std::ranges::find(run.notes, text) != run.notes.end()) return false;
  run.notes.push_back(text);
  return true;
}

void note_migration(Run& run) {
  const auto is_it = [&](const HookRun& one) { return one.hook == "pre-start" && one.release == run.row.release; };
  if (std::ranges::none_of(run.hooks, is_it)) return;
  static_cast<void>(
      add_note(run, fmt::format("the pre-start hook of {}@{} may have migrated the data, and they stay as they are: there is no copy of them from before",
                                run.row.app, run.row.release)));
}

Exit exit_of_failure(const Error& error, bool fetching) {
  if (!fetching) return Exit::failed;
  switch (error.code) {
    case Errc::trust:
    case Errc::protocol: return Exit::trust;
    case Errc::not_found: return Exit::not_found;
    default: return Exit::failed;
  }
}

}  // namespace berth::deploy
