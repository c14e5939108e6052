#pragma once

#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "core/files/fd.h"
#include "daemon/store/database.h"
#include "daemon/store/event_log.h"
#include "daemon/store/rebuild.h"
#include "daemon/store/store.h"

namespace berth::store {

/// A condition with one parameter, the app's name: rows of that app, or all where it is empty.
inline std::string of_app(const std::string& app) { return app.empty() ? "WHERE ? = '' " : "WHERE app = ? "; }

inline constexpr off_t kRoomToBegin = 128 << 10;  ///< for a database to be opened, and what is written down then

/// Whether it is of the users that apps get.
bool is_app_uid(int uid);
/// The uid that the app had before, or a free one.
Result<int> pick_uid(Database& database, const std::string& app);
/// See `Store::release_before`.
Result<std::string> release_before(Database& database, const std::string& app);
/// Writes that down as the app's `previous`.
Result<void> choose_previous(Database& database, const std::string& app);
/// Rows of deployments, by what follows FROM.
Result<std::vector<DeploymentRow>> deployments_where(Database& database, std::string_view where);

/// What an open store holds. Every public call of Store takes `mutex`; functions here expect it to be held. What works on the folders of releases, imports
/// and apps takes `trees` before it, and lets `mutex` go where a disk may take its time (`unlocked`): who asks the database only, as metrics, the API and the
/// watchdog do, waits for no sync and no removal.
struct Store::State {
  State(Paths where, Fd held, Database opened, EventLog log)
      : paths(std::move(where)), lock(std::move(held)), database(std::move(opened)), events(std::move(log)) {}

  const Paths paths;
  const Fd lock;  ///< flock on `state/lock`, as long as this berthd lives
  Fd room_of_database;  ///< see keep_room; closed after the database, since that lets go of all locks on the file
  Database database;
  EventLog events;
  std::string event_trouble;  ///< see Store
  std::mutex intrusion_mutex;  ///< of what follows alone
  std::string intrusion;       ///< see Store::event_intrusion
  std::optional<Rebuilt> rebuilt;  ///< likewise
  std::mutex trees;  ///< one at a time changes folders; taken before `mutex`
  std::mutex mutex;
  Uses uses;
  /// Apps that were removed and left what could not be; with what was loaded of their releases then, of which another import of the same release is told by its number.
  std::map<std::string, std::map<fs::path, ino_t>> rests;
  std::vector<std::function<void()>> on_event;  ///< called for new ones
  std::deque<Event> untold;       ///< see Store::tell
  std::int64_t untold_dropped = 0;
  static constexpr int kChangesUntilRoom = 64;
  int changes = 0;  ///< since `open`

  /// Makes the changes of `work` with their events in one transaction, then writes the events out.
  template <class Work>
  Result<void> change(std::vector<Event> with, Work work) {
    BERTH_TRY(Transaction transaction, Transaction::begin(database));
    // The newest ones stay, so that the log's end can be compared with them.
    const bool tells = !with.empty() || !untold.empty();
    if (tells) BERTH_CHECK(database.run("DELETE FROM outbox WHERE number <= ?", events.last()));
    BERTH_CHECK(work());
    BERTH_CHECK(put_untold());
    BERTH_CHECK(put(std::move(with)));
    BERTH_CHECK(transaction.commit());
    untold.clear();
    untold_dropped = 0;
    write_out();
    if (++changes % kChangesUntilRoom == 0) keep_room();
    return {};
  }

  /// What `work` returns, which runs without `mutex`: what was read from the database before may be another afterwards, but for what `trees` guards.
  template <class Work>
  auto unlocked(Work work) {
    struct Open {
      std::mutex& mutex;
      explicit Open(std::mutex& held) : mutex(held) { mutex.unlock(); }
      ~Open() { mutex.lock(); }
      Open(const Open&) = delete;
      Open& operator=(const Open&) = delete;
    };
    const Open open(mutex);
    return work();
  }
  Result<void> remove_unlocked(const fs::path& tree);

  /// Adds events to the outbox, inside a transaction.
  Result<void> put(std::vector<Event> with);
  Result<void> put_untold();
  void try_untold();  ///< where some wait

  /// Appends what waits in the outbox to events.log. Where the disk takes nothing they go on waiting: the change they tell of is made.
  /// What is written leaves the outbox in the next transaction, which saves a sync.
  Result<void> try_write_out();
  void tell_intrusion();  ///< of somebody else who wrote events.log
  void write_out() { (void)try_write_out(); }

  Result<void> require_app(const std::string& app);
  Result<void> require_slot(const std::string& app, const std::string& release);
  Result<std::optional<AppRow>> app(const std::string& name);
  Result<std::optional<SlotRow>> slot(const std::string& app, const std::string& release);
  // Of all apps where `app` is empty.
  Result<std::vector<SlotRow>> slots(const std::string& app);
  Result<std::vector<DataCopy>> data_copies(const std::string& app);
  Result<std::vector<std::pair<std::string, Rejected>>> rejected(const std::string& app);
  Result<std::optional<Rejected>> rejection(const std::string& app, const std::string& release);
  Result<std::vector<DeploymentRow>> last_ended(const std::string& app);  ///< one of each app, at most
  /// Inside a transaction.
  Result<void> put_rejected(const std::string& app, const Rejected& rejected);
  Result<void> swap_current(const std::string& app);
  Result<void> mend_slot(const SlotRow& known, const fs::path& staged);  ///< with `trees`, as what follows
  Result<void> make_app_folders(const std::string& app, int uid);

  /// Has blocks of the disk given to the database, its journal and events.log beyond what they use, which nobody else takes when the disk is full then: stopping, going
  /// back and holding work on. As far as the disk has them, and its file system can do that.
  void keep_room();

  /// Start-up: what a crash left half done is finished or undone. What cannot be removed is among `rests` then, and keeps nobody from starting.
  Result<void> recover();
  Result<void> recover_app(const std::string& app);
  Result<void> finish_purges();
  Result<void> finish_purge(const std::string& app);  ///< where it was begun
  Result<void> remove_rest(const std::string& app);   ///< of `rests`
  Result<void> recover_data();
  Result<void> remove_partial_copies(const std::string& app);  ///< of all apps where it is empty
  Result<void> finish_data_move(const std::string& app);
};

}  // namespace berth::store
