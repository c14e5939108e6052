#include <algorithm>
#include <charconv>
#include <chrono>
#include <thread>

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "core/files/files.h"
#include "daemon/store/event_line.h"
#include "daemon/store/event_tail.h"
#include "daemon/store/migrations.h"
#include "daemon/store/state.h"

namespace berth::store {

namespace {

/// The folders every store has. Apps' own users pass through them to their slots and data, and list none of them; what is in a release
/// is no secret (secrets are resolved for the instance alone), so the slots themselves are readable.
Result<void> make_folders(const Paths& paths) {
  for (const fs::path& folder : {paths.state, paths.staging(), paths.state / "apps"}) {
    BERTH_CHECK(files::make_directories(folder, 0711));
    if (::chmod(folder.c_str(), 0711) != 0) return fail_errno("chmod " + folder.string());
  }
  return files::make_directories(paths.imports(), 0700);
}

/// Whether the disk takes so much: asked by taking it, since what root may write is not what a file system says to be free.
Result<bool> has_room(const fs::path& folder, off_t bytes) {
  auto file = files::open(folder, O_TMPFILE | O_RDWR, 0600);
  if (file && ::fallocate(file->get(), 0, 0, bytes) == 0) return true;
  if (file ? errno == ENOSPC || errno == EDQUOT : file.error().code == Errc::no_space) return false;
  return true;  // a file system that knows no such file or no such call is not asked
}

/// SQLite maps the index of its journal, and a page of that for which there is no room ends the process by SIGBUS: so there is some before it begins. On a full
/// disk it is that of the file `room`, which keep_room makes again.
Result<void> make_room(const Paths& paths) {
  BERTH_TRY(bool enough, has_room(paths.state, kRoomToBegin));
  if (enough) return {};
  static_cast<void>(files::remove_tree(paths.room()));
  BERTH_TRY(enough, has_room(paths.state, kRoomToBegin));
  if (enough) return {};
  return fail(Errc::no_space, fmt::format("{}: no space left on the disk: berthd needs {} KiB of it to begin; apps go on meanwhile. Remove what is not berth's, or give the disk more room",
                                          paths.state.string(), kRoomToBegin >> 10));
}

/// Takes the lock that only one berthd has, and leaves our pid in it for the next one's message. A process that a killed one was about to start may have it for a moment.
Result<Fd> take_lock(const fs::path& path) {
  BERTH_TRY(Fd lock, files::open(path, O_RDWR | O_CREAT, 0644));
  int tries = 50;
  while (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return fail_errno("lock " + path.string());
    if (--tries > 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      continue;
    }
    auto pid = files::read(path, 64);
    return fail(Errc::conflict, fmt::format("another berthd (pid {}) works with {}: stop it first, or give this one another [paths] state (public ports by `port` are for one berthd of a network namespace)",
                                            pid && !pid->empty() ? *pid : "unknown", path.parent_path().string()));
  }
  const std::string pid = std::to_string(::getpid());
  if (::ftruncate(lock.get(), 0) != 0) return fail_errno("truncate " + path.string());
  BERTH_CHECK(files::write_all(lock.get(), pid, path.string()));
  return lock;
}

Result<std::vector<fs::path>> entries_of(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code failure;
  for (fs::directory_iterator entry(folder, failure), end; !failure && entry != end; entry.increment(failure)) found.push_back(entry->path());
  if (failure && failure != std::errc::no_such_file_or_directory) return fail_errno("list " + folder.string(), failure.value());
  return found;
}

/// A log that is ahead of the database (which came from a backup) keeps its numbers: new events go on after them.
Result<void> go_on_numbering(Database& database, std::int64_t last) {
  BERTH_TRY(const std::int64_t known, database.number("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'"));
  if (known >= last) return {};
  BERTH_TRY(Transaction transaction, Transaction::begin(database));
  BERTH_CHECK(database.run("DELETE FROM sqlite_sequence WHERE name = 'outbox'"));
  BERTH_CHECK(database.run("INSERT INTO sqlite_sequence (name, seq) VALUES ('outbox', ?)", last));
  return transaction.commit();
}

/// What somebody did to the log since it was written, as far as that is seen without reading all of each line; empty: nothing.
std::string trouble_of(Database& database, const EventLog& log) {
  const auto tail = read_event_tail(database);
  if (!tail) return {};
  if (std::string missing = missing_at_end(*tail, log.last()); !missing.empty()) return missing;
  const std::int64_t first = tail->newest.empty() ? 0 : tail->newest.front().number;
  if (const auto lines = log.read(first, static_cast<int>(tail->newest.size()), {}); first > 0 && lines) {
    for (const Event& event : *lines)
      if (!agrees(*tail, event)) return fmt::format("event {} is another than the database has: it was changed", event.number);
  }
  return log.trouble();
}

Event event_of(const Rebuilt& rebuilt) {
  return {.number = 0, .at = {}, .kind = "database.rebuilt", .app = {},
          .data = {{"reason", rebuilt.why}, {"set_aside", rebuilt.set_aside.string()}, {"apps", rebuilt.apps}, {"releases", rebuilt.slots},
                   {"deployments", rebuilt.deployments}, {"instances", rebuilt.instances}, {"lost", boost::json::array(rebuilt.lost.begin(), rebuilt.lost.end())}, {"brought_forward", rebuilt.brought_forward}}};
}

}  // namespace

Store::Store() = default;
Store::~Store() {
  if (!state_) return;
  const std::lock_guard guard(state_->mutex);
  state_->try_untold();
}

const Paths& Store::paths() const { return state_->paths; }

Result<std::unique_ptr<Store>> Store::open(Paths paths, const FindRunning& running) {
  BERTH_CHECK(make_folders(paths));
  BERTH_CHECK(make_room(paths));
  BERTH_TRY(Fd lock, take_lock(paths.state / "lock"));
  std::optional<Rebuilt> rebuilt;
  BERTH_TRY(const std::string database_trouble, trouble_of_database(paths));
  if (!database_trouble.empty()) {
    auto made = rebuild(paths, database_trouble, running);
    if (!made) return pass(made.error(), fmt::format("make {} anew ({})", paths.database().string(), database_trouble));
    rebuilt = std::move(*made);
  }
  BERTH_TRY(Database database, Database::open(paths.database()));
  if (::chmod(paths.database().c_str(), 0600) != 0) return fail_errno("chmod " + paths.database().string());
  BERTH_CHECK(migrate(database, paths.database(), migrations()));
  BERTH_TRY(EventLog log, EventLog::open(paths.events()));
  std::string trouble = rebuilt ? log.trouble() : trouble_of(database, log);
  if (!rebuilt) {
    BERTH_TRY(rebuilt, catch_up(database, paths, log, running));
  }
  BERTH_CHECK(go_on_numbering(database, log.last()));

  std::unique_ptr<Store> store(new Store);
  store->state_ = std::make_unique<State>(std::move(paths), std::move(lock), std::move(database), std::move(log));
  if (auto written = store->state_->try_write_out(); !written) return pass(written.error(), "write out waiting events");
  if (auto recovered = [&] {
        const std::scoped_lock guard(store->state_->trees, store->state_->mutex);
        return store->state_->recover();
      }();
      !recovered)
    return pass(recovered.error(), "tidy up after the last berthd");
  if (const auto torn = store->state_->events.torn(); torn > 0)
    static_cast<void>(store->add_event({.number = 0, .at = {}, .kind = "events.repaired", .app = {}, .data = {{"torn_bytes", torn}}}));
  if (!trouble.empty()) static_cast<void>(store->add_event({.number = 0, .at = {}, .kind = std::string(kEventsDamaged), .app = {}, .data = {{"reason", trouble}}}));
  store->state_->event_trouble = std::move(trouble);
  {
    const std::lock_guard guard(store->state_->mutex);
    store->state_->keep_room();
  }
  if (rebuilt) static_cast<void>(store->add_event(event_of(*rebuilt)));
  store->state_->rebuilt = std::move(rebuilt);
  return store;
}

const std::string& Store::event_trouble() const { return state_->event_trouble; }
std::uint64_t Store::torn_event() const { return state_->events.torn(); }
const Rebuilt* Store::rebuilt() const { return state_->rebuilt ? &*state_->rebuilt : nullptr; }

Result<void> Store::State::recover() {
  BERTH_TRY(const auto staged, entries_of(paths.staging()));
  for (const fs::path& folder : staged) static_cast<void>(files::remove_tree(folder));  // what a disk in trouble keeps is in nobody's way: names are new
  BERTH_CHECK(finish_purges());
  BERTH_CHECK(recover_data());  // before folders that are missing are made
  BERTH_TRY(const auto folders, entries_of(paths.state / "apps"));
  for (const fs::path& folder : folders)
    if (const std::string name = folder.filename().string(); !recover_app(name)) rests.try_emplace(name);
  // What a killed berthd left of a swap; in tuf/ there are folders of roles and channels.
  std::vector<fs::path> own(folders);
  own.push_back(paths.state);
  own.push_back(paths.trust());
  std::error_code ignored;
  for (fs::recursive_directory_iterator entry(paths.trust(), ignored), end; !ignored && entry != end; entry.increment(ignored))
    if (entry->is_directory(ignored)) own.push_back(entry->path());
  for (const fs::path& folder : own) files::remove_left_temporaries(folder);
  // What is found is believed from here on, so it has to be on the disk: a killed berthd may have made it a moment ago.
  for (const fs::path& folder : folders) BERTH_CHECK(files::sync(folder));
  BERTH_CHECK(files::sync(paths.state / "apps"));
  BERTH_TRY(const auto rows, database.rows("SELECT apps.app, uid FROM apps JOIN uids USING (app)", [](const Statement& row) {
    return std::pair(row.text(0), static_cast<int>(row.integer(1)));
  }));
  for (const auto& [name, uid] : rows) {
    BERTH_TRY(const auto known, app(name));
    BERTH_TRY(const std::string before, store::release_before(database, name));
    if (known && known->previous != before) BERTH_CHECK(choose_previous(database, name));  // a berthd of before may have judged otherwise
    BERTH_CHECK(make_app_folders(name, uid));
    BERTH_CHECK(swap_current(name));
  }
  return {};
}

Result<void> Store::State::recover_app(const std::string& name) {
  BERTH_TRY(const auto known, app(name));
  if (!known) {
    BERTH_CHECK(files::remove_tree(paths.current(name)));
    return remove_unlocked(paths.app(name) / "slots");
  }
  BERTH_TRY(const auto folders, entries_of(paths.app(name) / "slots"));
  for (const fs::path& folder : folders) {
    BERTH_TRY(const auto row, slot(name, folder.filename().string()));
    if (!row) BERTH_CHECK(remove_unlocked(folder));
  }
  return {};
}

}  // namespace berth::store
