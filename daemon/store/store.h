#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/json/value.hpp>

#include "core/bundle/manifest.h"
#include "core/result.h"
#include "daemon/store/drift.h"
#include "daemon/store/uses.h"

namespace berth::store {

namespace fs = std::filesystem;

/// Where a node keeps its state.
struct Paths {
  fs::path state = "/var/lib/berth";
  fs::path logs = "/var/log/berth";
  fs::path run = "/run/berth";

  fs::path database() const { return state / "berth.db"; }
  fs::path events() const { return state / "events.log"; }
  fs::path trust() const { return state / "tuf"; }
  fs::path room() const { return state / "room"; }  ///< what a berthd gives back that begins on a full disk
  fs::path partial() const { return state / "partial"; }
  fs::path imports() const { return state / "imports"; }
  fs::path import(const std::string& name, const std::string& release) const { return imports() / name / release; }
  fs::path staging() const { return state / "staging"; }
  fs::path app(const std::string& name) const { return state / "apps" / name; }
  fs::path slot(const std::string& name, const std::string& release) const { return app(name) / "slots" / release; }
  fs::path current(const std::string& name) const { return app(name) / "current"; }
  fs::path data(const std::string& name) const { return app(name) / "data"; }
};

/// That an app is left alone by channels, retries and, where it is firm, by every deployment.
struct Hold {
  std::string why{};  ///< empty: the app is not held
  std::string by{};   ///< who asked: "root (uid 0)"; empty: not known
  std::string at{};   ///< RFC 3339, UTC
  bool firm = false;  ///< until `berth resume` alone; else a release that was never active here ends it, too

  explicit operator bool() const { return !why.empty(); }
};
/// "by root (uid 0) since 2026-11-24T09:00:00Z: maintenance".
std::string to_string(const Hold& hold);

/// That no app runs on this node and no deployment is taken.
struct Drain {
  std::string at;  ///< RFC 3339, UTC
  std::string by;  ///< who asked
  std::string why{};
};
std::string to_string(const Drain& drain);

/// Who stopped an app, or one of its instances.
struct Stop {
  std::string at{};  ///< RFC 3339, UTC
  std::string by{};  ///< who asked; empty: not known
  std::string why{};
};

/// What should be, for one app.
struct AppRow {
  std::string app;
  std::string active;    ///< release id; empty before the first switch
  std::string previous;  ///< what a revert goes to
  Hold held{};
  bool stopped = false;  ///< by `berth stop`; over restarts and boots
  Stop stop{};           ///< where it is
  int uid = -1;          ///< of the app's own user; -1 until one is given
};

/// "stopped (by root (uid 0) since 2026-11-24T09:00:00Z: maintenance)", to be said of an app that is.
std::string stopped_text(const AppRow& app);
/// The same of an instance.
std::string stopped_text(const Stop& stop);

/// What an app left that was removed.
struct LeftApp {
  std::string app;
  bool data = false, logs = false;
};

/// An app was removed, and that is durable.
struct Removed {
  std::string left;  ///< why something of it is there still; empty: nothing is
};

/// A sealed slot.
struct SlotRow {
  std::string app, release;
  std::string manifest_sha256;
  std::uint64_t bytes = 0;
  std::string sealed_at;  ///< RFC 3339, UTC
  bool pinned = false;
  std::string verified_at{};      ///< when it was last compared with what is signed; empty: never
  std::uint64_t drifted = 0;      ///< paths that were not as sealed then
  std::string drift{};            ///< the first of them: "app/bin/server: has another content"
  std::string signed_by{};        ///< the role that signed for it when it was taken; empty: it was not written down
  std::vector<std::string> signing_keys{};  ///< ids of its keys that signed

  /// When it was last known to be whole, or not.
  const std::string& looked_at() const { return verified_at.empty() ? sealed_at : verified_at; }
};

/// What stays of an app's releases beyond those that are needed; what breaks one of these limits goes.
struct Keep {
  int releases = 3;                  ///< so many of the newest; rejected ones do not count
  std::chrono::milliseconds age{0};  ///< since they came to the node; 0: however old they are
  std::uint64_t bytes = 0;           ///< of all together, needed ones counted; 0: as much as they have
};

/// What becomes of a slot when slots are collected.
struct SlotFate {
  SlotRow slot;
  bool goes = false;
  /// Of one that stays: "active", "previous", "replaced" (the active one took its place), "pinned", "in_use", "newest", each that is so.
  /// Of one that goes: "rejected", "not_newest", "too_old" or "over_bytes".
  std::vector<std::string> why;
};

/// A release that was loaded from a file, and lies in a folder that is a repository of it.
struct Import {
  std::string app, release;
  std::string manifest_sha256;
  std::uint64_t bytes = 0;
  std::string at{};       ///< RFC 3339, UTC
  std::string expired{};  ///< what had expired, and was taken all the same; empty: nothing
  bool already = false;   ///< of one that was just loaded: the release was on the node, loaded before or as a slot
};

/// One attempt to make a release the active one.
struct DeploymentRow {
  std::int64_t id = 0;
  std::string app, release;
  std::string kind;             ///< "deploy" or "revert"
  std::string state;            ///< as in DESIGN 6
  std::string reason;           ///< why it ended as it did
  std::string from;             ///< the release that was active when it began
  bool decided = false;         ///< the decision was committed
  std::string manifest_sha256;  ///< once known
  std::string by;               ///< who asked: "root (uid 0)"
  std::string why;              ///< what they gave as `--reason`
  std::string key;              ///< idempotency key, or empty
  bool force = false;
  std::string created_at, ended_at;  ///< RFC 3339, UTC
  std::int64_t bake_until_ms = 0;    ///< wall clock, ms since 1970; 0 outside the bake, and while that waits
  boost::json::object detail;        ///< bytes fetched, the app's last lines, …
};

/// Whether its release was active by it, as far as one that was found good: its bake was over, or it served in its bake, until a newer one took its place. One that was decided and then reverted,
/// whose instances may never have run, was not.
bool was_active(const DeploymentRow& row);
/// Why a revert by hand holds the app and rejects the release that it leaves: "v2 was reverted by hand: slow".
std::string reverted_by_hand(const DeploymentRow& row);

/// What answered a request with an idempotency key that began no deployment of its own.
struct KeptKey {
  std::string app, key, release;
  std::int64_t deployment = 0;  ///< of that release; 0: none is known
  bool already = false;         ///< the release was active
};

/// A release that is not deployed here again unless forced.
struct Rejected {
  std::string release, manifest_sha256, reason, at;
};

/// An instance that should run, and what it was given.
struct InstanceRow {
  std::string app, process;
  int number = 1;
  std::string release;
  std::uint16_t port = 0;  ///< its private port; 0: none
  bool paused = false;     ///< stopped on its own, by hand; over restarts and boots
  Stop stop{};             ///< where it is
  std::map<std::string, std::uint16_t> named_ports;  ///< further private ones
  std::int64_t deployment = 0;  ///< the newest one of its release, which brought it here; 0: not known. Not of the row: read with it
};

/// The last run of a job.
struct JobRow {
  std::string app, process;
  std::int64_t run = 0;         ///< counts the job's runs, from 1
  std::string release;          ///< whose job it is
  std::int64_t deployment = 0;  ///< which ran it; 0: somebody by hand
  std::string by;               ///< who asked for it: "root (uid 0)"
  std::string why;
  std::string state;            ///< "running", "ok", "failed" or "stopped"
  std::string result;           ///< "ok", or how it failed: "exited with 1"; empty while it runs
  int attempts = 0;             ///< while it runs, those that came before what its keeper knows of
  std::string began_at, ended_at;  ///< RFC 3339, UTC
  std::string succeeded_at;     ///< when a run of it, this one or one before, ended well; empty: none has

  bool running() const { return state == "running"; }
};

/// Which deployments are listed, the newest first.
struct DeploymentQuery {
  std::string app;           ///< empty: of all
  int most = 20;
  std::int64_t before = 0;   ///< those with a lower number alone; 0: all
  std::string since, until;  ///< asked for from then on, and before then; RFC 3339 in UTC with six digits of fraction; empty: whenever
};

/// A copy of an app's data, a folder beside `data/`.
struct DataCopy {
  std::string app;
  std::string folder;           ///< its name: "snapshot.7", or "data.7" where it was put away
  std::int64_t deployment = 0;  ///< which made it
  std::string release;          ///< whose data they are
  bool before = false;          ///< the data that the deployment began with; else what it left when it was reverted
  std::string method;           ///< "subvolume", "reflink", "copy"; "moved": the very folder that was `data/`
  std::uint64_t bytes = 0;      ///< 0 where nobody counted
  std::string since;            ///< of a moved one: since when it had writes that `data/` does not have now; RFC 3339, UTC
  std::string at;               ///< when it was made; RFC 3339, UTC

  bool moved() const { return method == "moved"; }
};

/// A copy that takes the place of `data/`, and what `data/` becomes.
struct DataMove {
  std::string app, folder;      ///< which copy
  std::string aside;            ///< the name that `data/` gets
  std::int64_t deployment = 0;  ///< this and what follows is of the copy that `data/` becomes
  std::string release;
  bool before = false;
  std::string method = "moved";
};

/// An entry of events.log.
struct Event {
  std::int64_t number = 0;
  std::string at;             ///< RFC 3339, UTC, microseconds
  std::string kind;           ///< such as "deployment.state", "instance.exit", "operator.revert"
  std::string app;            ///< or empty
  boost::json::object data;
};

struct MayRun;
struct Rebuilt;
/// Says which of some instances run, with the ports that they have. Blocking.
using FindRunning = std::function<std::vector<InstanceRow>(const std::vector<MayRun>&)>;

/// What the database says of an app beyond its row, as `Store` tells it one by one.
struct AppRecord {
  std::vector<Rejected> rejected;
  std::vector<SlotRow> slots;
  std::vector<DataCopy> copies;
  std::map<std::string, std::pair<int, int>> scales;  ///< by process: number, spec_number
  std::optional<DeploymentRow> last;                  ///< the newest deployment that ended
};

/// The node's truth: SQLite (WAL, synchronous=FULL), the event log, the sealed slots. Blocking; calls may come from any thread and are
/// made one after the other, but that those which work on folders let others at the database meanwhile. Every change is durable when its call returns, and carries its events in the same transaction: events wait in
/// the database until they stand in events.log, so none is lost or doubled by a crash.
class Store {
 public:
  /// Opens or makes the state below `paths.state`, migrates the database, writes out waiting events, removes staging and slots without
  /// a row, and takes the lock that keeps a second berthd out (`Errc::conflict`). A database of a newer schema is refused (`Errc::usage`); one that is damaged
  /// or missing is made anew, see rebuild.h, for which `running` is asked what runs.
  static Result<std::unique_ptr<Store>> open(Paths paths, const FindRunning& running = {});
  ~Store();

  const Paths& paths() const;
  /// What was found at `open` that somebody had done to events.log; empty: nothing. An event tells it, too.
  const std::string& event_trouble() const;
  /// What somebody else did to events.log since `open`, the last of it; empty: nothing. An event tells it, too. From any thread, at once.
  std::string event_intrusion() const;
  /// Bytes of a last line of events.log that a crash had torn; it was written again at `open`, and an event tells of it. 0: there was none.
  std::uint64_t torn_event() const;
  /// What was made anew at `open`; null: nothing was. An event tells it, too.
  const Rebuilt* rebuilt() const;

  // apps
  Result<std::vector<AppRow>> apps();
  Result<std::optional<AppRow>> app(const std::string& name);
  /// By name, of the apps that have any: of one app, or of all where it is empty.
  Result<std::map<std::string, AppRecord>> records(const std::string& app);
  /// Makes the app known, with its folders and a uid of its own from 61184 to 65519 (systemd's dynamic range) that no other app has.
  Result<AppRow> ensure_app(const std::string& name);
  /// Nothing: it is not stopped any more.
  Result<void> set_stopped(const std::string& app, const std::optional<Stop>& stop, Event event);
  Result<void> set_held(const std::string& app, const Hold& hold, Event event);
  /// Forgets the app: rows, slots, `current`, what was loaded of its releases; data and logs only with `purge`. Where it fails the app is as it was.
  Result<Removed> remove_app(const std::string& app, bool purge, Event event);
  /// Removes the data and logs that an app left which is not known any more, with what else is in its folder. `Errc::not_found` where there is nothing.
  Result<Removed> purge_left(const std::string& app, Event event);
  /// Removes once more what `remove_app` and `purge_left` could not, and slots whose rows `collect` took. The next `open` does, too, but for what was loaded from files, which `drop_imports` finds.
  Result<void> remove_rests();
  /// What there is in an app's name on the disk, of one that is not known: two looks at it, which wait for nobody.
  LeftApp left_of(const std::string& app) const;
  /// Apps that are not known any more and left something, by name.
  Result<std::vector<LeftApp>> left_apps();

  // the node
  Result<std::optional<Drain>> drained();
  Result<void> set_drained(const std::optional<Drain>& drain, Event event);

  // deployments
  Result<DeploymentRow> add_deployment(DeploymentRow row, Event event);             ///< gives it its id
  /// `rejected`: its release, where it is not to be taken again; as with what follows.
  Result<void> update_deployment(const DeploymentRow& row, std::vector<Event> events, const std::optional<Rejected>& rejected = {});
  /// Writes down by whom a deployment is cancelled, where it has not ended: in its row's detail, in which it then stays, whoever updates the row.
  Result<void> note_cancel(std::int64_t id, const std::string& by);
  Result<std::optional<DeploymentRow>> deployment(std::int64_t id);
  Result<std::optional<DeploymentRow>> deployment_by_key(const std::string& app, const std::string& key);
  /// Keeps it, unless the key has an answer already. The newest 1,000 of an app are kept.
  Result<void> keep_key(const KeptKey& kept);
  Result<std::optional<KeptKey>> kept_key(const std::string& app, const std::string& key);
  Result<std::vector<DeploymentRow>> deployments(const DeploymentQuery& wanted);     ///< newest first
  Result<std::vector<DeploymentRow>> deployments(const std::string& app, int most);  ///< newest first; all apps where `app` is empty
  Result<std::vector<DeploymentRow>> unfinished_deployments();                       ///< oldest first

  /// The decision: active = the deployment's release; with the row's new state, in one transaction. One by force starts an app that is stopped. Previous, here and in what follows: see `release_before`.
  /// `Errc::conflict` where the release has no slot, here and in what follows.
  Result<void> decide(const DeploymentRow& row, std::vector<Event> events);
  /// A revert's decision: active = `to`.
  Result<void> decide_revert(const DeploymentRow& row, const std::string& to, std::vector<Event> events, const std::optional<Rejected>& rejected = {});
  /// What a revert goes back to; empty where there is none. The release that was found good last, is on the node, is not rejected and is not the active one. Where there is none, the last one of
  /// before the active one that served in its bake until a newer one took its place.
  Result<std::string> release_before(const std::string& app);
  /// Said of a revert by hand once it is decided: the app is held, unless an operator holds it, and `left` is rejected. How both were before is kept in the deployment's row. Returns the
  /// hold that counts now. Said again, it changes nothing.
  Result<Hold> hold_by_revert(const DeploymentRow& row, const Hold& hold, const std::optional<Rejected>& left, Event event);
  /// A revert by hand was itself reverted, which `row` and `event` tell: the release that it was to leave runs, so that what `hold_by_revert` said is taken back, where nobody said anything
  /// else since. The event has that release as `accepted` then. Returns the hold that counts now.
  Result<Hold> end_undone_revert(const DeploymentRow& row, Event event);
  /// Points `current` at the active slot (or removes it), durably; done again at start where it differs.
  Result<void> swap_current(const std::string& app);

  // rejected releases
  Result<void> reject(const std::string& app, const std::string& release, const std::string& manifest_sha256, const std::string& reason,
                      std::vector<Event> events = {});
  Result<void> unreject(const std::string& app, const std::string& release, std::vector<Event> events = {});
  Result<std::vector<Rejected>> rejected(const std::string& app);

  // slots
  /// An empty staging folder of a deployment, below `staging/`.
  Result<fs::path> make_staging(std::int64_t deployment);
  Result<void> drop_staging(std::int64_t deployment);
  /// Seals `staging/<deployment>` as the slot of `row`: syncs files, folders and parents, renames, adds the row. The tree is complete and
  /// verified. An equal slot that is there already is kept, unless it has drifted: then the staged tree takes its place.
  Result<void> seal(std::int64_t deployment, SlotRow row, Event event);
  Result<std::vector<SlotRow>> slots(const std::string& app);
  Result<std::optional<SlotRow>> slot(const std::string& app, const std::string& release);
  /// Keeps what `verify_slot` found of the slot of `row`, as that was before; what differs from the time before is an event. Does nothing where somebody
  /// else verified or repaired it meanwhile; `Errc::not_found` where it was removed.
  Result<void> note_verdict(const SlotRow& row, const Verdict& verdict);
  Result<void> set_pinned(const std::string& app, const std::string& release, bool pinned, Event event);
  /// The manifest of a sealed slot.
  Result<bundle::Manifest> manifest(const std::string& app, const std::string& release);
  /// Keeps releases of an app from being collected as long as what it returns lives. Whoever is to work with one says so by this first, and looks for its slot then: `collect` judges, and takes
  /// the rows of what goes, in one step. From any thread, at once.
  InUse use(const std::string& app, const std::vector<std::string>& releases);
  /// Removes slots that nothing needs: keeps active, previous, what the active one took its place from, pinned, `in_use`, what `use` keeps, what an instance runs from, and what `keep` says.
  /// Returns what became of each, the newest first; with `dry_run`, what would.
  Result<std::vector<SlotFate>> collect(const std::string& app, const std::vector<std::string>& in_use, const Keep& keep, bool dry_run = false);

  // imports
  /// Keeps the staging folder of that number as the import of a release; one that was there is replaced.
  Result<void> keep_import(std::int64_t staging, Import import, Event event);
  std::vector<Import> imports(const std::string& app);  ///< all where it is empty
  /// Removes imports whose release has no slot and is not `in_use`: all of them, or only those that were deployed once. Returns what went.
  Result<std::vector<Import>> drop_imports(const std::string& app, const std::vector<std::string>& in_use, bool undeployed);
  /// What that would remove, were the slots of the releases `gone` not there.
  Result<std::vector<Import>> needless_imports(const std::string& app, const std::vector<std::string>& in_use, bool undeployed, const std::vector<std::string>& gone = {});

  // copies of data
  /// Those that are whole, the newest deployment's first.
  Result<std::vector<DataCopy>> data_copies(const std::string& app);
  /// Says that a copy is being made, and where: whatever has its name is removed. A crash before `keep_data_copy` leaves nothing of it.
  Result<fs::path> begin_data_copy(const DataCopy& copy);
  /// It is whole, and durable.
  Result<void> keep_data_copy(const DataCopy& copy, Event event);
  /// Removes a copy. Others may use the store meanwhile.
  Result<void> drop_data_copy(const std::string& app, const std::string& folder);
  Result<void> drop_data_copy(const DataCopy& copy, std::vector<Event> told);  ///< likewise, with events of it
  /// Puts a copy in the place of `data/`, which is kept under another name: said first, then two renames, so that a start finishes what a crash interrupted.
  /// Nobody may use the data meanwhile. It is an event, "data.restored". `Errc::not_found` where there is no such copy.
  Result<void> put_data_back(DataMove move);
  /// Removes copies that nothing needs, see `copies_to_collect`. Returns what went, with its bytes counted. Others may use the store meanwhile.
  Result<std::vector<DataCopy>> collect_data(const std::string& app, const std::vector<std::int64_t>& in_use, bool all);
  /// What that would remove, were the slots of the releases `gone` not there.
  Result<std::vector<DataCopy>> needless_data(const std::string& app, const std::vector<std::int64_t>& in_use, bool all, const std::vector<std::string>& gone = {});

  // instances and ports
  Result<std::vector<InstanceRow>> instances(const std::string& app);
  /// Adds the row, with a free private port from 20000 to 29999 when `with_port`, and one for each of `names`. What an equal row has is kept.
  Result<InstanceRow> add_instance(InstanceRow row, bool with_port, const std::vector<std::string>& names = {});
  Result<void> remove_instance(const InstanceRow& row);
  /// `berth stop` and `start` of single instances; those that are not there are passed over.
  Result<void> set_paused(const std::vector<InstanceRow>& rows, std::optional<Stop> stop, std::optional<Event> event);
  /// `berth scale`: the number asked for, in force while the spec says `spec_number`.
  Result<void> set_scale(const std::string& app, const std::string& process, int number, int spec_number, Event event);
  Result<std::optional<std::pair<int, int>>> scale(const std::string& app, const std::string& process);  ///< number, spec_number

  // jobs
  Result<std::vector<JobRow>> jobs(const std::string& app);
  /// Writes down what became of a job's last run, or that another one begins. `Errc::not_found` for an app that is not known.
  Result<void> set_job(const JobRow& row, std::optional<Event> event);

  // events
  Result<void> add_event(Event event);
  /// Of what has happened already: where the disk takes no event it waits in memory, goes with the next change or event, or when somebody reads events, and has
  /// the time at which it was told. At most 1,000 wait; how many the oldest of them were that are gone then is told, too (`events.dropped`).
  void tell(Event event);
  /// Events numbered from `first`, at most `most`, of `app` only where it is not empty.
  Result<std::vector<Event>> events(std::int64_t first, int most, const std::string& app = {});
  /// The number from which on there are the newest `most`, of `apps` only where there are any; one behind the last where there is none.
  std::int64_t first_of_newest_events(int most, const std::vector<std::string>& apps);
  /// From any thread, at once.
  std::int64_t last_event() const;
  /// `told` is called, on whatever thread, each time that there are new ones.
  void on_event(std::function<void()> told);
  /// Events of `app` from one moment to another (RFC 3339, UTC, with microseconds; empty: to now), among the app's last 10,000.
  Result<std::vector<Event>> events_between(const std::string& app, const std::string& since, const std::string& until);
  /// The newest event of that kind among the app's last 10,000.
  Result<std::optional<Event>> newest_event(const std::string& app, const std::string& kind);

 private:
  Store();
  struct State;
  std::unique_ptr<State> state_;
};

/// RFC 3339 in UTC with microseconds, such as `2026-11-24T09:00:00.000000Z`.
std::string now_text();
std::string time_text(std::chrono::system_clock::time_point time);

/// What `berth history --verify` finds: the numbers and what is wrong with each line of an events.log; empty when the chain holds.
/// `database`: what it knows of the newest events counts, too, unless it is empty.
Result<std::vector<std::string>> verify_events(const fs::path& log, const fs::path& database = {});

}  // namespace berth::store
