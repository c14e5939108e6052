#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "core/exit_code.h"
#include "core/io/loop.h"
#include "core/result.h"
#include "daemon/deploy/deployer.h"
#include "daemon/deploy/last_lines.h"
#include "daemon/deploy/machine.h"
#include "daemon/deploy/rate.h"
#include "daemon/deploy/troubles.h"
#include "daemon/fetch/fetch.h"
#include "daemon/store/store.h"

namespace berth::deploy {

using ManifestPtr = std::shared_ptr<const bundle::Manifest>;

/// A deployment that has not ended. Belongs to the loop's thread, but for `progress` and `stop`.
struct Run {
  Run(boost::asio::any_io_executor executor, store::DeploymentRow its_row);

  store::DeploymentRow row;
  Position position;
  Course course;
  std::vector<DeploymentStatus::Step> steps;
  std::vector<std::string> last_lines, lines_at;  ///< `lines_at`: when each of them was printed
  std::vector<HookRun> hooks;
  std::vector<std::string> notes;
  bool hook_failed = false;        ///< `last_lines` are a hook's, and why the deployment fails
  bool nodes_fault = false;        ///< what failed is the node's part, such as a route: it says nothing of the release
  bool resumed = false;            ///< berthd was away while it was under way: what runs of it is still to be adopted
  bool torn = false;               ///< berthd died while it replaced instances
  bool may_give_way = false;       ///< its switch is postponed: a newer request takes its place
  bool keep_data = false;          ///< a revert that leaves the data as they are
  int bakes = 0;                   ///< how often its bake was begun
  int interruptions = 0;           ///< how often berthd died in it before its decision
  ManifestPtr manifest;            ///< once known
  fetch::Progress progress;
  std::map<std::string, std::string> templates;  ///< of a plan: those of a release whose slot is not there, or not whole
  std::string drift;               ///< of its slot, which is to be repaired: what is wrong with it; empty: nothing
  std::shared_ptr<fetch::Repository> source;  ///< where it comes from, once it is being fetched
  bool unpacking = false;          ///< staging is past fetching
  std::optional<Result<fetch::Staged>> staged;  ///< once staging ended
  std::stop_source stop;           ///< of what blocks on the pool
  int ready = 0, wanted = 0;       ///< instances of the new release
  std::string cancelled_by;        ///< who cancelled it; empty: nobody
  std::string superseded;          ///< why it gives way; empty: it does not
  bool ends_bake = false;          ///< the app is removed
  std::string trouble;             ///< what happened in its bake, or between the decision and it; empty: nothing
  BakeTroubles troubles;           ///< what happened in it, also where that reverts nothing
  bool unsaved = false;            ///< those are still to be written down
  std::vector<std::string> to_note;  ///< what was seen beside its own way, and is still to be noted
  std::set<std::string> uncompared;  ///< instances whose counter could not be read; each is told of once
  std::shared_ptr<Growth> baseline;  ///< of the release before, while it is looked at
  Moment baseline_began{};
  std::optional<Error> failure;    ///< why it goes back or ends
  std::chrono::system_clock::time_point began = std::chrono::system_clock::now();  ///< to start the new release's instances
  io::Event changed;               ///< on every change that a waiter can see
  store::InUse in_use;             ///< its release and the one before are not collected, until it has ended

  /// By hand, back to a release that worked: without a bake, and the app is held afterwards.
  bool is_revert() const { return row.kind == "revert"; }
};
using RunPtr = std::shared_ptr<Run>;

/// How a release was left to which a revert by hand goes back.
struct Leaving {
  std::int64_t deployment = 0;          ///< the one that left it; 0: none did
  std::optional<store::DataCopy> copy;  ///< its data as they were then
  std::string migrated;                 ///< "web@v3", where a hook of that or a later deployment may have migrated the data; empty: none did
};

/// What the app printed last, in the place of what was kept before.
void keep_lines(Run& run, std::vector<PrintedLine> lines);

/// When each of a deployment's last lines was printed; empty of one that an older berthd wrote down.
std::vector<std::string> lines_at(const store::DeploymentRow& row);

/// Milliseconds since 1970, by a clock that may jump; what `row.bake_until_ms` is in.
std::int64_t wall_ms();

/// The clocks by which the end of a bake, or of another time that outlives berthd, is written down.
struct BakeClocks {
  std::int64_t wall = 0;    ///< milliseconds since 1970; it may jump
  std::int64_t steady = 0;  ///< milliseconds of one that does not, and that a berthd which comes back within the same boot reads on
  std::string boot;         ///< which boot that is
};
BakeClocks bake_clocks(const std::string& boot);

/// A time that outlives berthd ends so long from now: in a row's detail, under a name of its own.
void set_end(boost::json::object& detail, std::string_view name, milliseconds from_now, const BakeClocks& now);
/// How much of it is left, of `whole` at most; nothing where it has no such end. After a boot the wall's clock is all that there is.
std::optional<milliseconds> left_of(const boost::json::object& detail, std::string_view name, milliseconds whole, const BakeClocks& now);

/// The bake ends so long from now; also what is told of that.
void set_bake_end(store::DeploymentRow& row, milliseconds from_now, const BakeClocks& now);
/// How much of a bake is left, of `whole` at most. After a boot the wall's clock is all that there is.
milliseconds bake_left(const store::DeploymentRow& row, milliseconds whole, const BakeClocks& now);
/// Keeps how much was left while berthd looked on, for the case that the instances go down.
void keep_bake_left(store::DeploymentRow& row, milliseconds left);
/// Its instances are not up, or were not all the time: what was left of the bake when that was last kept begins when they are ready. Also a berthd that comes back
/// waits for that.
void hold_bake(store::DeploymentRow& row);
/// They are ready: it begins now.
void go_on_with_bake(store::DeploymentRow& row, milliseconds whole, const BakeClocks& now);
/// Whether the run's bake waits for that.
bool bake_waits(const Run& run);
/// How long its bake is.
milliseconds whole_bake(const Run& run);

/// In a row's detail, where the app was stopped when the deployment was asked for.
inline constexpr std::string_view kWasStopped = "stopped";

DeploymentStatus status_of(const Run& run);
/// Of a deployment that is no longer, or not yet, in work.
DeploymentStatus status_of(const store::DeploymentRow& row);

/// Writes steps, last lines and the rest that is no column into `row.detail`, and takes the state over.
void put_detail(Run& run);
/// What `put_detail` wrote, back in its places.
void take_detail(Run& run);

/// False where it is noted already.
bool add_note(Run& run, const std::string& text);
/// Where its pre-start hook was begun: that what it did to the data stays.
void note_migration(Run& run);

/// For a bake that begins again: what happened so far counts no more, also after berthd came back. What was counted is not counted a second time.
void count_troubles_again(Run& run);

/// What a failure before the decision ends in. `fetching`: it came from the repository.
Exit exit_of_failure(const Error& error, bool fetching);

}  // namespace berth::deploy
