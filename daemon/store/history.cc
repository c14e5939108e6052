#include "daemon/store/history.h"

#include <fmt/core.h>

#include "core/ids.h"

namespace berth::store {
namespace {

std::string text_in(const boost::json::object& object, std::string_view name) {
  const auto* member = object.if_contains(name);
  return member != nullptr && member->is_string() ? std::string(member->get_string()) : std::string();
}

std::int64_t number_in(const boost::json::object& object, std::string_view name) {
  const auto* member = object.if_contains(name);
  return member != nullptr && member->is_int64() ? member->get_int64() : 0;
}

bool truth_in(const boost::json::object& object, std::string_view name) {
  const auto* member = object.if_contains(name);
  return member != nullptr && member->is_bool() && member->get_bool();
}

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  for (const std::string_view each : words)
    if (word == each) return true;
  return false;
}

bool ends(std::string_view state) { return is_one_of(state, {"active", "failed", "reverted", "cancelled", "superseded", "interrupted"}); }

/// Whether a deployment that comes to it was decided, whatever its way is.
bool tells_of_decision(std::string_view state) { return is_one_of(state, {"switching", "baking", "active", "reverting", "reverted"}); }

std::string sha256_of(const AppHistory& app, const std::string& release) {
  const auto sealed = app.sealed.find(release);
  return sealed == app.sealed.end() ? std::string() : sealed->second.manifest_sha256;
}

/// A step of the course, as the deployment's detail has it.
void add_step(DeploymentRow& row, const Event& event) {
  auto& steps = row.detail["steps"];
  if (!steps.is_array()) steps = boost::json::array();
  steps.get_array().push_back(boost::json::object{{"state", row.state}, {"at", event.at}});
}

}  // namespace

HistoryReader::HistoryReader(const std::map<std::string, std::string>& active, const std::vector<DeploymentRow>& unfinished) : active_(active) {
  for (const DeploymentRow& row : unfinished) open_[row.id] = row;
}

void HistoryReader::read(const Event& event) {
  const std::string_view kind = event.kind;
  if (kind == "operator.node_drain") history_.drained = std::optional(Drain{.at = event.at, .by = text_in(event.data, "by"), .why = text_in(event.data, "why")});
  if (kind == "operator.node_resume") history_.drained = std::optional<Drain>();
  if (!is_name(event.app)) return;
  if (kind == "deployment.state") deployment(event);
  else if (kind.starts_with("slot.")) slot(event);
  else if (kind.starts_with("data.")) data(event);
  else if (kind == "job.started" || kind == "job.ended") job(event);
  else if (kind.starts_with("operator.")) operator_did(event);
}

void HistoryReader::deployment(const Event& event) {
  const std::int64_t id = number_in(event.data, "deployment");
  if (id <= 0) return;
  const auto open = open_.find(id);
  const auto [place, is_new] = history_.deployments.try_emplace(id, open == open_.end() ? DeploymentRow{} : open->second);
  DeploymentRow& row = place->second;
  AppHistory& app = history_.apps[event.app];
  const std::string before = row.state;
  row.id = id;
  row.app = event.app;
  row.release = text_in(event.data, "release");
  row.kind = text_in(event.data, "kind");
  row.state = text_in(event.data, "state");
  if (const std::string reason = text_in(event.data, "reason"); !reason.empty()) row.reason = reason;
  add_step(row, event);
  if (row.created_at.empty()) row.created_at = event.at;
  if (row.state == "queued") {
    row.by = text_in(event.data, "by");
    row.why = text_in(event.data, "why");
    row.from = text_in(event.data, "from");
  }
  app.removed = false;
  std::string& active = active_[event.app];
  const std::string was_active = active;
  if (!row.decided && (truth_in(event.data, "decided") || tells_of_decision(row.state))) {
    row.decided = true;
    if (active != row.release) row.from = active;
    active = row.release;
    if (row.kind == "revert" && !row.from.empty())
      app.rejected[row.from] = Rejected{.release = row.from, .manifest_sha256 = sha256_of(app, row.from), .reason = reverted_by_hand(row), .at = event.at};
  }
  if (row.state == "reverted") active = row.from;
  // One that fails while it goes back stays what it is; one that has nothing to go back to leaves nothing.
  if (row.state == "failed" && row.decided && before != "reverting") active = row.from;
  if (active != was_active || row.decided) app.active = active;
  app.going_back = row.state == "reverting";
  if (row.state == "active") app.rejected[row.release] = std::nullopt;
  if (truth_in(event.data, "rejected"))
    app.rejected[row.release] = Rejected{.release = row.release, .manifest_sha256 = sha256_of(app, row.release), .reason = row.reason, .at = event.at};
  if (const std::string accepted = text_in(event.data, "accepted"); !accepted.empty()) app.rejected[accepted] = std::nullopt;
  if (!ends(row.state)) return;
  row.ended_at = event.at;
  row.bake_until_ms = 0;
}

void HistoryReader::slot(const Event& event) {
  AppHistory& app = history_.apps[event.app];
  const std::string release = text_in(event.data, "release");
  if (event.kind == "slot.removed") {
    app.sealed.erase(release);
    app.pinned.erase(release);
  }
  if (event.kind != "slot.sealed") return;
  app.removed = false;
  Sealing sealing{.number = event.number, .at = event.at, .manifest_sha256 = text_in(event.data, "manifest_sha256"),
                  .bytes = static_cast<std::uint64_t>(number_in(event.data, "bytes")), .signed_by = {}, .signing_keys = {}};
  if (const auto* signer = event.data.if_contains("signed_by"); signer != nullptr && signer->is_object()) {
    sealing.signed_by = text_in(signer->get_object(), "role");
    if (const auto* keys = signer->get_object().if_contains("keys"); keys != nullptr && keys->is_array())
      for (const auto& key : keys->get_array())
        if (key.is_string()) sealing.signing_keys.emplace_back(key.get_string());
  }
  app.sealed.insert_or_assign(release, std::move(sealing));
}

void HistoryReader::data(const Event& event) {
  AppHistory& app = history_.apps[event.app];
  const auto& told = event.data;
  if (event.kind == "data.removed") app.copies[text_in(told, "folder")] = std::nullopt;
  DataCopy copy{.app = event.app, .folder = text_in(told, "folder"), .deployment = number_in(told, "deployment"), .release = text_in(told, "release"), .before = true,
                .method = text_in(told, "method"), .bytes = static_cast<std::uint64_t>(number_in(told, "bytes")), .since = {}, .at = event.at};
  if (event.kind == "data.copied") app.copies[copy.folder] = copy;
  if (event.kind != "data.restored") return;
  app.copies[text_in(told, "restored")] = std::nullopt;
  copy.folder = text_in(told, "set_aside");
  copy.before = false;
  copy.method = "moved";
  copy.since = text_in(told, "since");
  app.copies[copy.folder] = copy;
}

void HistoryReader::job(const Event& event) {
  const auto which = parse_selector(text_in(event.data, "instance"));
  if (!which || !which->process) return;
  JobRow& row = history_.apps[event.app].jobs[*which->process];
  if (event.kind == "job.started") {
    const std::string succeeded = row.succeeded_at;
    row = {.app = event.app, .process = *which->process, .run = number_in(event.data, "run"), .release = which->release.value_or(""),
           .deployment = number_in(event.data, "deployment"), .by = text_in(event.data, "by"), .why = text_in(event.data, "why"), .state = "running", .result = {},
           .attempts = 0, .began_at = event.at, .ended_at = {}, .succeeded_at = succeeded};
    return;
  }
  row.app = event.app;
  row.process = *which->process;
  row.run = number_in(event.data, "run");
  row.release = which->release.value_or("");
  row.by = text_in(event.data, "by");
  row.deployment = number_in(event.data, "deployment");
  row.state = text_in(event.data, "state");
  row.result = text_in(event.data, "result");
  row.attempts = static_cast<int>(number_in(event.data, "attempts"));
  row.ended_at = event.at;
  if (row.began_at.empty()) row.began_at = event.at;
  if (row.state == "ok") row.succeeded_at = event.at;
}

void HistoryReader::operator_did(const Event& event) {
  AppHistory& app = history_.apps[event.app];
  const auto& told = event.data;
  const std::string_view what = std::string_view(event.kind).substr(std::string_view("operator.").size());
  const std::string by = text_in(told, "by"), why = text_in(told, "why"), release = text_in(told, "release"), named = text_in(told, "what");
  const bool whole = named.empty() || named == event.app;
  const Stop stop{.at = event.at, .by = by, .why = why};
  if (what == "hold") {
    std::string held = text_in(told, "held");
    if (held.empty()) held = why.empty() ? "no reason was given" : why;
    app.held = Hold{.why = std::move(held), .by = by, .at = event.at, .firm = !told.contains("firm") || truth_in(told, "firm")};
  } else if (what == "resume") {
    app.held = Hold{};
  } else if (what == "stop" && whole) {
    app.stopped = std::optional(stop);
  } else if (what == "start" && whole) {
    app.stopped = std::optional<Stop>();
    for (auto& [instance, paused] : app.paused) paused.reset();
  } else if (what == "stop" || what == "start") {
    app.paused[named] = what == "stop" ? std::optional(stop) : std::nullopt;
  } else if (what == "pin" || what == "unpin") {
    app.pinned[release] = what == "pin";
  } else if (what == "scale") {
    app.scales[text_in(told, "process")] = {static_cast<int>(number_in(told, "instances")), static_cast<int>(number_in(told, "spec_instances"))};
  } else if (what == "mark" && text_in(told, "as") == "good") {
    app.rejected[release] = std::nullopt;
  } else if (what == "mark") {
    const std::string reason = fmt::format("marked bad by {}{}{}", by, why.empty() ? "" : ": ", why);
    app.rejected[release] = Rejected{.release = release, .manifest_sha256 = sha256_of(app, release), .reason = reason, .at = event.at};
  } else if (what == "remove") {
    auto rejected = truth_in(told, "purge") ? decltype(app.rejected){} : std::move(app.rejected);
    auto copies = truth_in(told, "purge") ? decltype(app.copies){} : std::move(app.copies);
    app = AppHistory();
    app.removed = app.forgotten = true;
    app.rejected = std::move(rejected);
    app.copies = std::move(copies);
    app.active = "";
    app.held = Hold{};
    app.stopped = std::optional<Stop>();
    active_[event.app].clear();
  }
}

}  // namespace berth::store
