#include <fmt/core.h>
#include <sys/stat.h>

#include "core/files/files.h"
#include "daemon/store/state.h"

// An app that is removed is forgotten in one transaction, and from there on it is gone, whatever becomes of what lies on the disk: what cannot be removed is tried
// again by berthd, and by the next one at its start.

namespace berth::store {
namespace {

/// The number of a file, by which it is told from another one of its name; 0: there is none.
ino_t inode_of(const fs::path& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0 ? info.st_ino : 0;
}

std::map<fs::path, ino_t> inodes_in(const fs::path& folder) {
  std::map<fs::path, ino_t> found;
  std::error_code failure;
  for (fs::directory_iterator entry(folder, failure), end; !failure && entry != end; entry.increment(failure)) found[entry->path()] = inode_of(entry->path());
  return found;
}

bool is_real_folder(const fs::path& path) {
  std::error_code missing;
  return fs::is_directory(fs::symlink_status(path, missing));
}

}  // namespace

Result<Removed> Store::remove_app(const std::string& app, bool purge, Event event) {
  const std::lock_guard trees(state_->trees);
  const std::lock_guard guard(state_->mutex);
  BERTH_CHECK(state_->require_app(app));
  if (!purge) BERTH_CHECK(state_->finish_data_move(app));  // the data stay: they must be whole, and under the names that the database has
  std::vector<Event> events;
  events.push_back(std::move(event));
  const auto remove_rows = [&]() -> Result<void> {
    for (const char* table : {"instances", "scales", "job_runs", "slots", "data_moves", "apps"})
      BERTH_CHECK(state_->database.run(fmt::format("DELETE FROM {} WHERE app = ?", table), app));
    // What is known to be bad stays so, should the app come back.
    if (purge) BERTH_CHECK(state_->database.run("DELETE FROM rejected WHERE app = ?", app));
    // Snapshots go with the releases that they belong to; what a revert put away stays with the data.
    BERTH_CHECK(state_->database.run("UPDATE data_copies SET state = 'going' WHERE app = ? AND method <> 'moved'", app));
    if (purge) BERTH_CHECK(state_->database.run("DELETE FROM data_copies WHERE app = ?", app));
    if (purge) return state_->database.run("INSERT OR IGNORE INTO purges (app) VALUES (?)", app);
    return {};
  };
  if (auto forgotten = state_->change(std::move(events), remove_rows); !forgotten) {
    // An error of the disk can come after the change was on it.
    const auto there = state_->app(app);
    if (!there || *there) return std::unexpected(forgotten.error());
  }
  state_->rests[app] = inodes_in(state_->paths.imports() / app);
  const auto rest = state_->remove_rest(app);
  return Removed{.left = rest ? std::string() : rest.error().message};
}

Result<Removed> Store::purge_left(const std::string& app, Event event) {
  const std::lock_guard trees(state_->trees);
  const std::lock_guard guard(state_->mutex);
  BERTH_TRY(const auto known, state_->app(app));
  if (known) return fail(Errc::conflict, fmt::format("app {} is on this node; remove it first", app));
  if (!is_real_folder(state_->paths.app(app)) && !is_real_folder(state_->paths.logs / app)) return fail(Errc::not_found, fmt::format("app {} left nothing on this node", app));
  std::vector<Event> events;
  events.push_back(std::move(event));
  const auto write = [&]() -> Result<void> {
    for (const char* table : {"rejected", "data_moves", "data_copies"}) BERTH_CHECK(state_->database.run(fmt::format("DELETE FROM {} WHERE app = ?", table), app));
    return state_->database.run("INSERT OR IGNORE INTO purges (app) VALUES (?)", app);
  };
  BERTH_CHECK(state_->change(std::move(events), write));
  state_->rests[app];
  const auto rest = state_->remove_rest(app);
  return Removed{.left = rest ? std::string() : rest.error().message};
}

Result<void> Store::remove_rests() {
  const std::lock_guard trees(state_->trees);
  const std::lock_guard guard(state_->mutex);
  Result<void> all;
  const auto rests = state_->rests;
  for (const auto& [app, imports] : rests)
    if (auto removed = state_->remove_rest(app); !removed && all) all = std::move(removed);
  return all;
}

/// Each part is tried, whatever becomes of the others. The app may be there again meanwhile: what is new of it stays.
Result<void> Store::State::remove_rest(const std::string& name) {
  Result<void> all;
  const auto take = [&all](Result<void> one) {
    if (!one && all) all = std::move(one);
  };
  take(finish_purge(name));
  BERTH_TRY(const auto known, app(name));
  take(recover_app(name));
  if (!known) take(remove_partial_copies(name));
  if (!known) {
    const auto folder = [](const Statement& row) { return row.text(0); };
    BERTH_TRY(const auto going, database.row("SELECT folder FROM data_copies WHERE app = ? AND state <> 'kept' LIMIT 1", folder, name));
    if (going) take(fail(Errc::io, fmt::format("{} is still there", (paths.app(name) / *going).string())));
  }
  auto& imports = rests[name];
  const auto were_there = imports;
  for (const auto& [path, inode] : were_there) {
    auto removed = inode_of(path) == inode ? remove_unlocked(path) : Result<void>();
    if (removed) imports.erase(path);
    take(std::move(removed));
  }
  std::error_code not_empty;
  fs::remove(paths.imports() / name, not_empty);
  if (all) rests.erase(name);
  return all;
}

Result<void> Store::State::finish_purge(const std::string& name) {
  BERTH_TRY(const auto purged, database.row("SELECT 1 FROM purges WHERE app = ?", [](const Statement&) { return true; }, name));
  if (!purged) return {};
  BERTH_CHECK(remove_unlocked(paths.app(name)));
  BERTH_CHECK(files::sync(paths.state / "apps"));
  if (is_real_folder(paths.logs / name)) {
    BERTH_CHECK(remove_unlocked(paths.logs / name));
    BERTH_CHECK(files::sync(paths.logs));
  }
  BERTH_TRY(Transaction transaction, Transaction::begin(database));
  BERTH_CHECK(database.run("DELETE FROM uids WHERE app = ?", name));  // nothing it owns is left
  BERTH_CHECK(database.run("DELETE FROM purges WHERE app = ?", name));
  return transaction.commit();
}

Result<void> Store::State::finish_purges() {
  BERTH_TRY(const auto purged, database.rows("SELECT app FROM purges", [](const Statement& row) { return row.text(0); }));
  for (const std::string& name : purged)
    if (!finish_purge(name)) rests.try_emplace(name);
  return {};
}

}  // namespace berth::store
