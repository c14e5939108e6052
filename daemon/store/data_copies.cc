#include <algorithm>
#include <system_error>

#include <fmt/core.h>

#include "core/files/files.h"
#include "daemon/data/snapshot.h"
#include "daemon/data/tree_copy.h"
#include "daemon/store/collection.h"
#include "daemon/store/state.h"

namespace berth::store {
namespace {

constexpr std::string_view kCopyColumns = "SELECT app, folder, deployment, release, before, method, bytes, since, at FROM data_copies ";

DataCopy read_copy(const Statement& row) {
  return {.app = row.text(0), .folder = row.text(1), .deployment = row.integer(2), .release = row.text(3), .before = row.integer(4) != 0,
          .method = row.text(5), .bytes = static_cast<std::uint64_t>(row.integer(6)), .since = row.text(7), .at = row.text(8)};
}

bool is_there(const fs::path& path) {
  std::error_code missing;
  return fs::exists(fs::symlink_status(path, missing));
}

Result<void> insert_copy(Database& database, const DataCopy& copy, const char* state) {
  return database.run("INSERT OR REPLACE INTO data_copies (app, folder, deployment, release, before, method, state, bytes, since, at) "
                      "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                      copy.app, copy.folder, copy.deployment, copy.release, std::int64_t{copy.before}, copy.method, std::string_view(state),
                      static_cast<std::int64_t>(copy.bytes), copy.since, copy.at);
}

Event removal_of(const DataCopy& copy) {
  return {.number = 0, .at = {}, .kind = "data.removed", .app = copy.app,
          .data = {{"folder", copy.folder}, {"release", copy.release}, {"deployment", copy.deployment}, {"bytes", copy.bytes}}};
}

Result<void> remove_copy_row(Database& database, const std::string& app, const std::string& folder) {
  return database.run("DELETE FROM data_copies WHERE app = ? AND folder = ?", app, folder);
}

struct PendingMove {
  std::string folder, aside;
};

/// The move of the app's data that was said and is not finished.
Result<std::optional<PendingMove>> pending_move(Database& database, const std::string& app) {
  const auto read = [](const Statement& row) { return PendingMove{row.text(0), row.text(1)}; };
  return database.row("SELECT folder, aside FROM data_moves WHERE app = ?", read, app);
}

}  // namespace

Result<std::vector<DataCopy>> Store::State::data_copies(const std::string& app) {
  return database.rows(std::string(kCopyColumns) + of_app(app) + "AND state = 'kept' ORDER BY deployment DESC, at DESC", read_copy, app);
}

Result<std::vector<DataCopy>> Store::data_copies(const std::string& app) {
  const std::lock_guard guard(state_->mutex);
  return state_->data_copies(app);
}

Result<fs::path> Store::begin_data_copy(const DataCopy& copy) {
  const fs::path folder = state_->paths.app(copy.app) / copy.folder;
  {
    const std::lock_guard guard(state_->mutex);
    BERTH_CHECK(state_->require_app(copy.app));
    BERTH_CHECK(state_->change({}, [&] { return insert_copy(state_->database, copy, "making"); }));
  }
  BERTH_CHECK(data::remove_folder(folder));
  return folder;
}

Result<void> Store::keep_data_copy(const DataCopy& copy, Event event) {
  const std::lock_guard guard(state_->mutex);
  std::vector<Event> events;
  events.push_back(std::move(event));
  return state_->change(std::move(events), [&] { return insert_copy(state_->database, copy, "kept"); });
}

Result<void> Store::drop_data_copy(const std::string& app, const std::string& folder) {
  return drop_data_copy({.app = app, .folder = folder}, {});
}

Result<void> Store::drop_data_copy(const DataCopy& copy, std::vector<Event> told) {
  fs::path path;
  {
    const std::lock_guard guard(state_->mutex);
    path = state_->paths.app(copy.app) / copy.folder;
    BERTH_CHECK(state_->change({}, [&] { return state_->database.run("UPDATE data_copies SET state = 'going' WHERE app = ? AND folder = ?", copy.app, copy.folder); }));
  }
  BERTH_CHECK(data::remove_folder(path));
  const std::lock_guard guard(state_->mutex);
  return state_->change(std::move(told), [&] { return remove_copy_row(state_->database, copy.app, copy.folder); });
}

/// What an earlier try left pending is finished first, and is all that is asked for where `move` is that one, or names no copy.
Result<void> Store::put_data_back(DataMove move) {
  const std::lock_guard guard(state_->mutex);
  BERTH_TRY(const auto pending, pending_move(state_->database, move.app));
  if (pending) BERTH_CHECK(state_->finish_data_move(move.app));
  if (move.folder.empty() || (pending && pending->folder == move.folder && pending->aside == move.aside)) return {};
  BERTH_TRY(const auto copy, state_->database.row(std::string(kCopyColumns) + "WHERE app = ? AND folder = ? AND state = 'kept'", read_copy, move.app, move.folder));
  if (!copy) return fail(Errc::not_found, fmt::format("{} has no copy of its data named {}", move.app, move.folder));
  if (is_there(state_->paths.app(move.app) / move.aside)) return fail(Errc::exists, fmt::format("{} has a folder {} already", move.app, move.aside));
  BERTH_CHECK(state_->change({}, [&] {
    return state_->database.run("INSERT OR REPLACE INTO data_moves (app, folder, aside, deployment, release, before, method, since, at) "
                                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                                move.app, move.folder, move.aside, move.deployment, move.release, std::int64_t{move.before}, move.method, copy->at, now_text());
  }));
  return state_->finish_data_move(move.app);
}

/// Where the copy still has its own name it is not yet `data/`; where the other name is taken, `data/` was put away. The database says what is to be, so
/// every moment in between leads to the same end.
Result<void> Store::State::finish_data_move(const std::string& name) {
  BERTH_TRY(const auto move, database.row("SELECT app, folder, aside, deployment, release, before, method, since, at FROM data_moves WHERE app = ?",
                                          [](const Statement& row) {
                                            const DataCopy aside{.app = row.text(0), .folder = row.text(2), .deployment = row.integer(3), .release = row.text(4),
                                                                 .before = row.integer(5) != 0, .method = row.text(6), .since = row.text(7), .at = row.text(8)};
                                            return std::pair(row.text(1), aside);
                                          },
                                          name));
  if (!move) return {};
  const auto& [folder, aside] = *move;
  const fs::path app_folder = paths.app(name), data = paths.data(name), copy = app_folder / folder, put_away = app_folder / aside.folder;
  if (is_there(copy)) {
    if (!is_there(put_away) && is_there(data)) BERTH_CHECK(files::rename_durably(data, put_away));
    BERTH_CHECK(files::rename_durably(copy, data));
  }
  if (!is_there(data)) return fail(Errc::not_found, fmt::format("neither {} nor {} is there", copy.string(), data.string()));
  BERTH_CHECK(files::sync(app_folder));  // also of what a killed berthd renamed
  std::vector<Event> told;
  told.push_back({.number = 0, .at = {}, .kind = "data.restored", .app = name,
                    .data = {{"deployment", aside.deployment}, {"restored", folder}, {"set_aside", aside.folder}, {"release", aside.release}, {"since", aside.since}}});
  return change(std::move(told), [&]() -> Result<void> {
    BERTH_CHECK(remove_copy_row(database, name, folder));
    BERTH_CHECK(insert_copy(database, aside, "kept"));
    return database.run("DELETE FROM data_moves WHERE app = ?", name);
  });
}

Result<std::vector<DataCopy>> Store::needless_data(const std::string& app, const std::vector<std::int64_t>& in_use, bool all, const std::vector<std::string>& gone) {
  BERTH_TRY(const auto copies, data_copies(app));
  if (copies.empty()) return copies;
  {
    // The copy of a move that is not finished is the app's only good data.
    const std::lock_guard guard(state_->mutex);
    BERTH_TRY(const auto pending, pending_move(state_->database, app));
    if (pending) return std::vector<DataCopy>();
  }
  BERTH_TRY(const auto slots_now, slots(app));
  std::vector<std::string> releases;
  for (const SlotRow& slot : slots_now)
    if (std::ranges::find(gone, slot.release) == gone.end()) releases.push_back(slot.release);
  auto needless = copies_to_collect(copies, releases, in_use, all);
  for (DataCopy& copy : needless)
    if (const auto bytes = data::tree_bytes(paths().app(app) / copy.folder)) copy.bytes = *bytes;
  return needless;
}

Result<std::vector<DataCopy>> Store::collect_data(const std::string& app, const std::vector<std::int64_t>& in_use, bool all) {
  BERTH_TRY(auto collected, needless_data(app, in_use, all));
  for (const DataCopy& copy : collected) {
    std::vector<Event> told;
    told.push_back(removal_of(copy));
    BERTH_CHECK(drop_data_copy(copy, std::move(told)));
  }
  return collected;
}

/// Start-up: moves are finished, but one that cannot be keeps no other app waiting: it stays said, and whoever needs these data tries again. Of copies that
/// were being made or removed nothing stays.
Result<void> Store::State::recover_data() {
  BERTH_TRY(const auto moving, database.rows("SELECT app FROM data_moves", [](const Statement& row) { return row.text(0); }));
  for (const std::string& name : moving)
    if (auto finished = finish_data_move(name); !finished) fmt::print(stderr, "cannot put the data of {} back yet: {}\n", name, finished.error().message);
  return remove_partial_copies({});
}

Result<void> Store::State::remove_partial_copies(const std::string& name) {
  BERTH_TRY(const auto partial, database.rows(std::string(kCopyColumns) + "WHERE state <> 'kept' AND (?1 = '' OR app = ?1)", read_copy, name));
  BERTH_TRY(const auto going, database.rows(std::string(kCopyColumns) + "WHERE state = 'going' AND (?1 = '' OR app = ?1)", read_copy, name));
  const auto goes = [&](const DataCopy& copy) { return std::ranges::any_of(going, [&](const DataCopy& one) { return one.app == copy.app && one.folder == copy.folder; }); };
  for (const DataCopy& copy : partial) {
    const fs::path folder = paths.app(copy.app) / copy.folder;
    if (!unlocked([&] { return data::remove_folder(folder); })) continue;  // tried again at the next start: no reason not to start now
    std::vector<Event> told;
    if (goes(copy)) told.push_back(removal_of(copy));
    BERTH_CHECK(change(std::move(told), [&] { return remove_copy_row(database, copy.app, copy.folder); }));
  }
  return {};
}

}  // namespace berth::store
