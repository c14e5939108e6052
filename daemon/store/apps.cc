#include <map>
#include <set>

#include <fmt/core.h>
#include <pwd.h>
#include <sys/stat.h>

#include "core/files/files.h"
#include "core/ids.h"
#include "daemon/data/snapshot.h"
#include "daemon/store/state.h"
#include "daemon/store/time_text.h"

namespace berth::store {

namespace {

constexpr int kLowestUid = 61184;   // systemd's range for dynamic users
constexpr int kHighestUid = 65519;

constexpr std::string_view kAppColumns = "SELECT app, active, previous, held, held_by, held_at, held_firmly, stopped, uid, stopped_at, stopped_by, stopped_why FROM apps JOIN uids USING (app) ";

AppRow read_app(const Statement& row) {
  return {.app = row.text(0), .active = row.text(1), .previous = row.text(2),
          .held = {.why = row.text(3), .by = row.text(4), .at = row.text(5), .firm = row.integer(6) != 0},
          .stopped = row.integer(7) != 0, .stop = {.at = row.text(9), .by = row.text(10), .why = row.text(11)}, .uid = static_cast<int>(row.integer(8))};
}

/// Whether somebody on this machine has the uid, a systemd dynamic user included (nss-systemd tells of those).
bool has_owner(int uid) {
  passwd entry{};
  passwd* found = nullptr;
  char buffer[4096];
  return ::getpwuid_r(static_cast<uid_t>(uid), &entry, buffer, sizeof buffer, &found) == 0 && found != nullptr;
}

std::string who_when_why(const std::string& by, const std::string& at, const std::string& why) {
  if (by.empty()) return why;
  return fmt::format("by {} since {}{}{}", by, to_seconds(at), why.empty() ? "" : ": ", why);
}

}  // namespace

bool is_app_uid(int uid) { return uid >= kLowestUid && uid <= kHighestUid; }

/// The first free one from a place that its name gives, so that nodes tend to agree.
Result<int> pick_uid(Database& database, const std::string& name) {
  BERTH_TRY(const auto before, database.row("SELECT uid FROM uids WHERE app = ?", [](const Statement& row) { return row.integer(0); }, name));
  if (before) return static_cast<int>(*before);
  std::uint32_t hash = 2166136261u;  // FNV-1a
  for (const char letter : name) hash = (hash ^ static_cast<unsigned char>(letter)) * 16777619u;
  constexpr int kCount = kHighestUid - kLowestUid + 1;
  for (int step = 0; step < kCount; ++step) {
    const int uid = kLowestUid + static_cast<int>((hash + static_cast<std::uint32_t>(step)) % kCount);
    BERTH_TRY(const auto taken,
              database.row("SELECT 1 FROM uids WHERE uid = ?", [](const Statement&) { return true; }, static_cast<std::int64_t>(uid)));
    if (!taken && !has_owner(uid)) return uid;
  }
  return fail(Errc::conflict, fmt::format("no uid from {} to {} is free for app {}: remove an app with --purge", kLowestUid, kHighestUid, name));
}

std::string to_string(const Hold& hold) { return who_when_why(hold.by, hold.at, hold.why); }
std::string stopped_text(const AppRow& app) { return stopped_text(app.stop); }
std::string stopped_text(const Stop& stop) {
  return stop.by.empty() ? std::string("stopped") : fmt::format("stopped ({})", who_when_why(stop.by, stop.at, stop.why));
}
std::string to_string(const Drain& drain) { return who_when_why(drain.by, drain.at, drain.why); }

Result<std::optional<AppRow>> Store::State::app(const std::string& name) {
  return database.row(std::string(kAppColumns) + "WHERE apps.app = ?", read_app, name);
}

Result<void> Store::State::make_app_folders(const std::string& name, int uid) {
  BERTH_CHECK(files::make_directories(paths.app(name) / "slots", 0755));
  const fs::path folder = paths.data(name);
  std::error_code missing;
  if (!fs::exists(fs::symlink_status(folder, missing))) {
    // Where a copy is still to become the data, an empty folder would be in its way.
    BERTH_TRY(const auto moving, database.row("SELECT 1 FROM data_moves WHERE app = ?", [](const Statement&) { return true; }, name));
    if (moving) return files::sync(folder.parent_path());
  }
  BERTH_CHECK(data::make_folder(folder, 0750));
  if (::lchown(folder.c_str(), static_cast<uid_t>(uid), static_cast<gid_t>(uid)) != 0) return fail_errno("chown " + folder.string());
  if (::chmod(folder.c_str(), 0750) != 0) return fail_errno("chmod " + folder.string());
  BERTH_CHECK(files::sync(folder));
  return files::sync(folder.parent_path());
}

Result<std::vector<AppRow>> Store::apps() {
  const std::lock_guard guard(state_->mutex);
  return state_->database.rows(std::string(kAppColumns) + "ORDER BY app", read_app);
}

Result<std::optional<AppRow>> Store::app(const std::string& name) {
  const std::lock_guard guard(state_->mutex);
  return state_->app(name);
}

Result<AppRow> Store::ensure_app(const std::string& name) {
  if (!is_name(name)) return fail(Errc::usage, fmt::format("'{}' is no name of an app", name));
  BERTH_TRY(auto there, app(name));
  if (there) return std::move(*there);

  const std::lock_guard trees(state_->trees);
  const std::lock_guard guard(state_->mutex);
  BERTH_TRY(auto known, state_->app(name));
  if (known) return std::move(*known);
  BERTH_CHECK(state_->finish_purge(name));  // of an app of this name, which a disk in trouble left
  BERTH_TRY(const int uid, pick_uid(state_->database, name));
  BERTH_CHECK(state_->make_app_folders(name, uid));
  const auto add_rows = [&]() -> Result<void> {
    BERTH_CHECK(state_->database.run("INSERT OR IGNORE INTO uids (app, uid) VALUES (?, ?)", name, static_cast<std::int64_t>(uid)));
    return state_->database.run("INSERT INTO apps (app) VALUES (?)", name);
  };
  BERTH_CHECK(state_->change({}, add_rows));
  return AppRow{.app = name, .active = {}, .previous = {}, .held = {}, .stopped = false, .stop = {}, .uid = uid};
}

Result<void> Store::set_stopped(const std::string& app, const std::optional<Stop>& stop, Event event) {
  const std::lock_guard guard(state_->mutex);
  BERTH_CHECK(state_->require_app(app));
  std::vector<Event> events;
  events.push_back(std::move(event));
  return state_->change(std::move(events), [&] {
    const Stop said = stop.value_or(Stop{});
    return state_->database.run("UPDATE apps SET stopped = ?, stopped_at = ?, stopped_by = ?, stopped_why = ? WHERE app = ?", std::int64_t{stop.has_value()}, said.at, said.by, said.why,
                                app);
  });
}

Result<void> Store::set_held(const std::string& app, const Hold& hold, Event event) {
  const std::lock_guard guard(state_->mutex);
  BERTH_CHECK(state_->require_app(app));
  std::vector<Event> events;
  events.push_back(std::move(event));
  return state_->change(std::move(events), [&]() -> Result<void> {
    return state_->database.run("UPDATE apps SET held = ?, held_by = ?, held_at = ?, held_firmly = ? WHERE app = ?", hold.why, hold.by, hold.at,
                                std::int64_t{hold.firm}, app);
  });
}

Result<std::optional<Drain>> Store::drained() {
  const std::lock_guard guard(state_->mutex);
  const auto read = [](const Statement& row) { return Drain{.at = row.text(0), .by = row.text(1), .why = row.text(2)}; };
  return state_->database.row("SELECT at, asked_by, why FROM drain", read);
}

Result<void> Store::set_drained(const std::optional<Drain>& drain, Event event) {
  const std::lock_guard guard(state_->mutex);
  std::vector<Event> events;
  events.push_back(std::move(event));
  return state_->change(std::move(events), [&] {
    if (!drain) return state_->database.run("DELETE FROM drain");
    return state_->database.run("INSERT OR REPLACE INTO drain (only_row, at, asked_by, why) VALUES (1, ?, ?, ?)", drain->at, drain->by, drain->why);
  });
}

LeftApp Store::left_of(const std::string& app) const {
  LeftApp left{.app = app};
  std::error_code missing;
  if (!is_name(app)) return left;
  left.data = fs::exists(state_->paths.data(app), missing);
  left.logs = fs::is_directory(fs::symlink_status(state_->paths.logs / app, missing));
  return left;
}

Result<std::vector<LeftApp>> Store::left_apps() {
  std::set<std::string> known;
  {
    const std::lock_guard guard(state_->mutex);
    const auto name = [](const Statement& row) { return row.text(0); };
    BERTH_TRY(const auto names, state_->database.rows("SELECT app FROM apps UNION SELECT app FROM purges", name));
    known.insert(names.begin(), names.end());
  }
  std::map<std::string, LeftApp> left;
  const auto look = [&](const fs::path& folder, bool LeftApp::*what) {
    std::error_code missing;
    for (fs::directory_iterator entry(folder, missing), end; !missing && entry != end; entry.increment(missing)) {
      const std::string name = entry->path().filename().string();
      std::error_code gone;
      const bool counts = is_name(name) && !known.contains(name) && fs::is_directory(fs::symlink_status(entry->path(), gone));
      if (!counts || (what == &LeftApp::data && !fs::exists(state_->paths.data(name), gone))) continue;
      left[name].app = name;
      left[name].*what = true;
    }
  };
  look(state_->paths.state / "apps", &LeftApp::data);
  look(state_->paths.logs, &LeftApp::logs);
  std::vector<LeftApp> all;
  for (auto& [name, one] : left) all.push_back(std::move(one));
  return all;
}

}  // namespace berth::store
