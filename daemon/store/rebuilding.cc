#include "daemon/store/rebuilding.h"

#include <algorithm>

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include "core/bundle/manifest.h"
#include "core/crypto/sha256.h"
#include "core/files/files.h"
#include "core/ids.h"
#include "core/json/json.h"
#include "daemon/data/tree_copy.h"
#include "daemon/store/state.h"

namespace berth::store {
namespace {

constexpr int kMostInstances = 256;  // as in a spec
constexpr const char* kInterrupted = "the database was made anew while it was under way: ask for it again";

bool is_folder(const fs::path& path) {
  std::error_code missing;
  return fs::is_directory(fs::symlink_status(path, missing));
}

/// Folders in a folder, by name.
std::vector<std::string> folders_of(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code failed;
  for (fs::directory_iterator entry(folder, failed), end; !failed && entry != end; entry.increment(failed))
    if (is_folder(entry->path())) names.push_back(entry->path().filename().string());
  std::ranges::sort(names);
  return names;
}

/// Who owns it, where that is one of berthd's users of apps.
std::optional<int> app_user_of(const fs::path& path) {
  struct stat entry{};
  if (::lstat(path.c_str(), &entry) != 0) return std::nullopt;
  const int uid = static_cast<int>(entry.st_uid);
  if (!is_app_uid(uid)) return std::nullopt;
  return uid;
}

std::string changed_at(const fs::path& path) {
  struct stat entry{};
  if (::lstat(path.c_str(), &entry) != 0) return now_text();
  return time_text(std::chrono::system_clock::from_time_t(entry.st_mtim.tv_sec));
}

std::optional<bundle::Manifest> manifest_in(const fs::path& slot) {
  const auto text = files::read(slot / "manifest.json", bundle::kLargestManifest);
  if (!text) return std::nullopt;
  auto manifest = bundle::parse_manifest(*text);
  if (!manifest) return std::nullopt;
  return std::move(*manifest);
}

Result<void> forget_app(Database& database, const std::string& app) {
  for (const char* table : {"instances", "scales", "job_runs", "slots", "data_moves", "apps"})
    BERTH_CHECK(database.run(fmt::format("DELETE FROM {} WHERE app = ?", table), app));
  return {};
}

Result<void> insert_slot(Database& database, const SlotRow& row) {
  return database.run("INSERT INTO slots (app, release, manifest_sha256, bytes, sealed_at, pinned, signed_by, signing_keys) VALUES (?, ?, ?, ?, ?, 0, ?, ?)", row.app,
                      row.release, row.manifest_sha256, static_cast<std::int64_t>(row.bytes), row.sealed_at, row.signed_by,
                      fmt::format("{}", fmt::join(row.signing_keys, " ")));
}

Result<void> insert_deployment(Database& database, const DeploymentRow& row) {
  return database.run(
      "INSERT OR REPLACE INTO deployments (id, app, release, kind, state, reason, from_release, decided, manifest_sha256, asked_by, why, idempotency_key, force, "
      "created_at, ended_at, bake_until_ms, detail) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      row.id, row.app, row.release, row.kind, row.state, row.reason, row.from, std::int64_t{row.decided}, row.manifest_sha256, row.by, row.why, row.key,
      std::int64_t{row.force}, row.created_at, row.ended_at, row.bake_until_ms, json::text(row.detail));
}

const AppHistory& told_of(const History& history, const std::string& app) {
  static const AppHistory kNothing;
  const auto found = history.apps.find(app);
  return found == history.apps.end() ? kNothing : found->second;
}

}  // namespace

Result<std::map<std::string, std::string>> Rebuilding::active() {
  BERTH_TRY(const auto rows, database_.rows("SELECT app, active FROM apps", [](const Statement& row) { return std::pair(row.text(0), row.text(1)); }));
  return std::map<std::string, std::string>(rows.begin(), rows.end());
}

Result<std::vector<DeploymentRow>> Rebuilding::unfinished() { return deployments_where(database_, "WHERE ended_at = '' ORDER BY id"); }

Result<void> Rebuilding::write(const History& history, const FindRunning& running) {
  BERTH_TRY(Transaction transaction, Transaction::begin(database_));
  BERTH_CHECK(find_apps(history));
  BERTH_CHECK(write_deployments(history));
  for (const std::string& app : apps_) BERTH_CHECK(write_app(app, told_of(history, app)));
  for (const auto& [app, told] : history.apps) BERTH_CHECK(write_rest(app, told));
  for (const std::string& app : apps_) BERTH_CHECK(choose_previous(database_, app));  // now that it is known what is rejected
  if (history.drained) {
    BERTH_CHECK(database_.run("DELETE FROM drain"));
    if (const auto& drain = *history.drained)
      BERTH_CHECK(database_.run("INSERT INTO drain (only_row, at, asked_by, why) VALUES (1, ?, ?, ?)", drain->at, drain->by, drain->why));
  }
  BERTH_CHECK(write_instances(history, running));
  rebuilt_.apps = apps_.size();
  rebuilt_.deployments = history.deployments.size();
  if (!goes_on_) lose("the keys that requests gave themselves, and what deployments fetched and printed");
  return transaction.commit();
}

/// An app is known while it has a folder for its slots: that goes with it. Data of others keep their user.
Result<void> Rebuilding::find_apps(const History& history) {
  for (const auto& [name, told] : history.apps)
    if (told.forgotten) BERTH_CHECK(forget_app(database_, name));
  for (const std::string& name : folders_of(paths_.state / "apps")) {
    if (!is_name(name)) continue;
    const auto owner = app_user_of(paths_.data(name));
    if (owner) BERTH_CHECK(database_.run("INSERT OR IGNORE INTO uids (app, uid) VALUES (?, ?)", name, std::int64_t{*owner}));
    if (!is_folder(paths_.app(name) / "slots") || told_of(history, name).removed) continue;
    BERTH_TRY(const int uid, pick_uid(database_, name));
    if (owner && uid != *owner) lose(fmt::format("the user of {}: that of its data ({}) is another app's, and it gets {}", name, *owner, uid));
    BERTH_CHECK(database_.run("INSERT OR IGNORE INTO uids (app, uid) VALUES (?, ?)", name, std::int64_t{uid}));
    BERTH_CHECK(database_.run("INSERT OR IGNORE INTO apps (app) VALUES (?)", name));
    apps_.push_back(name);
  }
  return {};
}

Result<bool> Rebuilding::has_slot(const std::string& app, const std::string& release) {
  BERTH_TRY(const auto found, database_.row("SELECT 1 FROM slots WHERE app = ? AND release = ?", [](const Statement&) { return true; }, app, release));
  return found.has_value();
}

Result<void> Rebuilding::write_app(const std::string& app, const AppHistory& told) {
  BERTH_CHECK(write_slots(app, told));
  BERTH_CHECK(write_state(app, told));
  return choose_active(app, told);
}

/// What is in the folder counts; events tell what it is to be.
Result<void> Rebuilding::write_slots(const std::string& app, const AppHistory& told) {
  std::vector<std::pair<std::int64_t, SlotRow>> found;
  for (const std::string& release : folders_of(paths_.app(app) / "slots")) {
    BERTH_TRY(const bool known, has_slot(app, release));
    if (known || !is_release_id(release)) continue;
    const fs::path slot = paths_.slot(app, release);
    const auto manifest = files::read(slot / "manifest.json", bundle::kLargestManifest);
    SlotRow row{.app = app, .release = release, .manifest_sha256 = manifest ? crypto::sha256_hex(*manifest) : std::string(), .sealed_at = changed_at(slot)};
    std::int64_t number = 0;
    if (const auto sealing = told.sealed.find(release); sealing != told.sealed.end()) {
      const Sealing& its = sealing->second;
      number = its.number;
      row.bytes = its.bytes;
      row.sealed_at = its.at;
      row.signed_by = its.signed_by;
      row.signing_keys = its.signing_keys;
      if (!its.manifest_sha256.empty()) row.manifest_sha256 = its.manifest_sha256;
    } else {
      if (const auto bytes = data::tree_bytes(slot)) row.bytes = *bytes;
      lose(fmt::format("who signed {}@{}: no event tells how it came here, so it is taken as it lies ('berth deploy {}@{} --force' fetches it again)", app, release, app, release));
    }
    found.emplace_back(number, std::move(row));
  }
  std::ranges::stable_sort(found, [](const auto& one, const auto& other) {
    return std::pair(one.first, one.second.sealed_at) < std::pair(other.first, other.second.sealed_at);
  });
  for (const auto& [number, row] : found) BERTH_CHECK(insert_slot(database_, row));
  rebuilt_.slots += found.size();
  BERTH_TRY(const auto known, database_.rows("SELECT release FROM slots WHERE app = ?", [](const Statement& row) { return row.text(0); }, app));
  for (const std::string& release : known)
    if (!is_folder(paths_.slot(app, release))) BERTH_CHECK(database_.run("DELETE FROM slots WHERE app = ? AND release = ?", app, release));
  for (const auto& [release, pinned] : told.pinned)
    BERTH_CHECK(database_.run("UPDATE slots SET pinned = ? WHERE app = ? AND release = ?", std::int64_t{pinned}, app, release));
  return {};
}

Result<void> Rebuilding::write_state(const std::string& app, const AppHistory& told) {
  if (told.held)
    BERTH_CHECK(database_.run("UPDATE apps SET held = ?, held_by = ?, held_at = ?, held_firmly = ? WHERE app = ?", told.held->why, told.held->by, told.held->at,
                              std::int64_t{told.held->firm}, app));
  if (told.stopped) {
    const Stop stop = told.stopped->value_or(Stop{});
    BERTH_CHECK(database_.run("UPDATE apps SET stopped = ?, stopped_at = ?, stopped_by = ?, stopped_why = ? WHERE app = ?", std::int64_t{told.stopped->has_value()},
                              stop.at, stop.by, stop.why, app));
  }
  return {};
}

/// Events tell of the decision, the link of what followed it. The link counts where events say nothing or where they stop before the release that it names.
Result<void> Rebuilding::choose_active(const std::string& app, const AppHistory& told) {
  if (goes_on_ && !told.active) return {};
  std::error_code missing;
  const std::string linked = fs::read_symlink(paths_.current(app), missing).filename().string();
  BERTH_TRY(const bool is_linked, has_slot(app, linked));
  std::string chosen = told.active.value_or("");
  const bool log_is_behind = !goes_on_ && !told.sealed.contains(linked);
  if (is_linked && (!told.active || told.going_back || log_is_behind)) chosen = linked;
  BERTH_TRY(const bool is_here, has_slot(app, chosen));
  if (!chosen.empty() && !is_here) {
    lose(fmt::format("{}@{}, which was active: it is not on the disk", app, chosen));
    chosen = is_linked ? linked : std::string();
  }
  return database_.run("UPDATE apps SET active = ? WHERE app = ?", chosen, app);
}

Result<void> Rebuilding::write_deployments(const History& history) {
  for (const auto& [id, told] : history.deployments) {
    DeploymentRow row = told;
    const auto& sealed = told_of(history, row.app).sealed;
    if (const auto sealing = sealed.find(row.release); row.manifest_sha256.empty() && sealing != sealed.end()) row.manifest_sha256 = sealing->second.manifest_sha256;
    const bool begins_again = goes_on_ && !row.decided;
    if (row.ended_at.empty() && !begins_again) {
      lose(fmt::format("how far deployment {} of {}@{} was ({}): it does not go on", id, row.app, row.release, row.state));
      row.state = "interrupted";
      row.reason = kInterrupted;
      row.ended_at = now_text();
      row.bake_until_ms = 0;
    }
    BERTH_CHECK(insert_deployment(database_, row));
  }
  return {};
}

/// What is remembered of apps that were removed, too.
Result<void> Rebuilding::write_rest(const std::string& app, const AppHistory& told) {
  for (const auto& [release, rejected] : told.rejected) {
    BERTH_CHECK(database_.run("DELETE FROM rejected WHERE app = ? AND release = ?", app, release));
    if (rejected)
      BERTH_CHECK(database_.run("INSERT INTO rejected (app, release, manifest_sha256, reason, at) VALUES (?, ?, ?, ?, ?)", app, release, rejected->manifest_sha256,
                                rejected->reason, rejected->at));
  }
  for (const auto& [folder, copy] : told.copies) {
    BERTH_CHECK(database_.run("DELETE FROM data_copies WHERE app = ? AND folder = ?", app, folder));
    if (copy && is_folder(paths_.app(app) / folder))
      BERTH_CHECK(database_.run("INSERT INTO data_copies (app, folder, deployment, release, before, method, state, bytes, since, at) VALUES (?, ?, ?, ?, ?, ?, 'kept', ?, ?, ?)",
                                app, folder, copy->deployment, copy->release, std::int64_t{copy->before}, copy->method, static_cast<std::int64_t>(copy->bytes), copy->since,
                                copy->at));
  }
  if (std::ranges::find(apps_, app) == apps_.end()) return {};
  for (const auto& [process, numbers] : told.scales) {
    int spec_number = numbers.second;
    if (spec_number == 0) {
      BERTH_TRY(spec_number, instances_of(app, process));
    }
    BERTH_CHECK(database_.run("INSERT OR REPLACE INTO scales (app, process, number, spec_number) VALUES (?, ?, ?, ?)", app, process, std::int64_t{numbers.first},
                              std::int64_t{spec_number}));
  }
  for (const auto& [process, job] : told.jobs)
    BERTH_CHECK(database_.run("INSERT OR REPLACE INTO job_runs (app, process, run, release, deployment, asked_by, why, state, result, attempts, began_at, ended_at, "
                              "succeeded_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                              app, process, job.run, job.release, job.deployment, job.by, job.why, job.state, job.result, std::int64_t{job.attempts}, job.began_at,
                              job.ended_at, job.succeeded_at));
  return {};
}

/// As the spec of the active release has it; 0 where it does not.
Result<int> Rebuilding::instances_of(const std::string& app, const std::string& process) {
  BERTH_TRY(const auto active, database_.row("SELECT active FROM apps WHERE app = ?", [](const Statement& row) { return row.text(0); }, app));
  if (!active || active->empty()) return 0;
  const auto manifest = manifest_in(paths_.slot(app, *active));
  return manifest && manifest->spec.processes.contains(process) ? manifest->spec.processes.at(process).instances : 0;
}

std::vector<MayRun> Rebuilding::may_run(const std::string& app, const std::string& release) const {
  std::vector<MayRun> all;
  const auto manifest = manifest_in(paths_.slot(app, release));
  if (!manifest) return all;
  for (const auto& [process, rules] : manifest->spec.processes) {
    if (rules.job) continue;
    std::map<std::string, std::string> variables;
    for (const auto& [name, port] : rules.private_ports) variables[name] = spec::port_variable(name);
    for (int number = 1; number <= kMostInstances; ++number)
      all.push_back({.row = {.app = app, .process = process, .number = number, .release = release, .named_ports = {}},
                     .has_port = rules.routing == spec::Routing::port, .variables = variables});
  }
  return all;
}

/// What runs keeps its ports. What was stopped on its own stays so.
Result<void> Rebuilding::write_instances(const History& history, const FindRunning& running) {
  std::vector<MayRun> candidates;
  for (const std::string& app : apps_) {
    BERTH_TRY(const auto releases, database_.rows("SELECT release FROM slots WHERE app = ?", [](const Statement& row) { return row.text(0); }, app));
    for (const std::string& release : releases) {
      const auto its = may_run(app, release);
      candidates.insert(candidates.end(), its.begin(), its.end());
    }
  }
  const auto there = running ? running(candidates) : std::vector<InstanceRow>();
  for (const InstanceRow& row : there) {
    BERTH_CHECK(database_.run("INSERT OR IGNORE INTO instances (app, process, number, release, port) VALUES (?, ?, ?, ?, ?)", row.app, row.process,
                              std::int64_t{row.number}, row.release, std::int64_t{row.port}));
    for (const auto& [name, port] : row.named_ports)
      BERTH_CHECK(database_.run("INSERT OR IGNORE INTO instance_ports (app, process, number, release, name, port) "
                                "SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE EXISTS (SELECT 1 FROM instances WHERE app = ?1 AND process = ?2 AND number = ?3 AND release = ?4)",
                                row.app, row.process, std::int64_t{row.number}, row.release, name, std::int64_t{port}));
  }
  rebuilt_.instances = there.size();
  for (const std::string& app : apps_) {
    for (const auto& [said, paused] : told_of(history, app).paused) {
      const auto which = parse_selector(said);
      if (!which || !which->process) continue;
      BERTH_TRY(const int wanted, instances_of(app, *which->process));
      const int least = which->number.value_or(1), most = which->number.value_or(wanted);
      for (int number = least; paused && number <= most; ++number)
        BERTH_CHECK(database_.run("INSERT OR IGNORE INTO instances (app, process, number, release, port) SELECT app, ?, ?, active, 0 FROM apps WHERE app = ? AND active <> ''",
                                  *which->process, std::int64_t{number}, app));
      const Stop stop = paused.value_or(Stop{});
      BERTH_CHECK(database_.run("UPDATE instances SET paused = ?, stopped_at = ?, stopped_by = ?, stopped_why = ? "
                                "WHERE app = ? AND process = ? AND number BETWEEN ? AND ?", std::int64_t{paused.has_value()}, stop.at, stop.by, stop.why, app, *which->process, std::int64_t{least}, std::int64_t{most}));
    }
  }
  return {};
}

}  // namespace berth::store
