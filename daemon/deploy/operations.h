#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <sys/types.h>

#include "core/ids.h"
#include "core/io/http.h"
#include "core/result.h"
#include "core/spec/app_spec.h"
#include "daemon/deploy/counts.h"
#include "daemon/deploy/deployment_plan.h"
#include "daemon/deploy/exec_ends.h"
#include "daemon/store/store.h"
#include "daemon/supervise/supervisor.h"

namespace berth::deploy {

using boost::asio::awaitable;
using std::chrono::milliseconds;

/// Who asks for a deployment that a followed channel or release is behind, in history and events.
inline constexpr const char* kFollow = "follow";

/// Why a deployment is cancelled that was under way when the node was drained.
inline constexpr const char* kDrain = "the drain of this node";

/// Who asks for a change, for the history.
struct Asked {
  std::string by;   ///< "root (uid 0)"
  std::string why;  ///< `--reason`
  pid_t pid = 0;    ///< of the process that asked, at the control socket; 0: not known
};

struct DeployRequest {
  std::string app, release;
  std::string environment;  ///< asserted where not empty
  bool force = false;       ///< also a rejected release or a held app
  bool yields = false;      ///< takes nobody's place: refused where something is under way that somebody else asked for
  std::string key;          ///< idempotency key, or empty
  Asked asked;
};

struct RevertRequest {
  std::string app;
  std::string to;          ///< the release before where it is empty
  bool keep_data = false;  ///< the data stay as they are, also where the deployment that is reverted took a snapshot
  Asked asked;
};

/// A hook that a deployment ran, or runs.
struct HookRun {
  std::string hook, release;
  std::string began_at, ended_at;  ///< of its last run; RFC 3339, UTC; the latter is empty while it runs
  std::string result;              ///< "ok", "postponed", or how it failed: "exited with 1"; empty while it runs
  int attempts = 0;

  bool running() const { return ended_at.empty(); }
  bool succeeded() const { return result == "ok"; }
};

/// A deployment as `docs/api.md` shows it.
struct DeploymentStatus {
  struct Step {
    std::string state, at;
  };
  store::DeploymentRow row;
  int exit = -1;         ///< -1 until it ended
  bool already = false;  ///< nothing was to be done
  bool rejected = false; ///< its release is not taken again unasked
  bool stopped = false;  ///< the app was stopped when it was asked for, and stays so unless it is decided
  std::uint64_t bytes_done = 0, bytes_total = 0;
  int instances_ready = 0, instances_wanted = 0;
  std::vector<Step> steps;
  std::vector<std::string> last_lines;  ///< what the app printed last, where it failed
  std::vector<HookRun> hooks;           ///< in the order in which they ran
  std::vector<std::string> notes;       ///< what there is to know beside: of its data, of hooks that failed without stopping it

  bool ended() const { return exit >= 0; }
};

/// How long `Deployer::wait` waits, and for what.
struct WaitFor {
  milliseconds at_most{0};
  bool until_decided = false;  ///< else until it ended
  std::string after;           ///< also returns when the state is another than this, unless empty
};

struct ProcessStatus {
  std::string process;
  int wanted = 0, by_spec = 0, ready = 0;  ///< `wanted`: by `berth scale`, or as the release says
  int stopped = 0;                         ///< of those that are wanted: on their own, by hand
  std::uint16_t public_port = 0;
  spec::Routing routing = spec::Routing::none;
};

struct InstanceView {
  supervise::InstanceStatus status;
  std::uint16_t port = 0;  ///< private
  std::map<std::string, std::uint16_t> ports;  ///< further private ones, by name
  bool serving = false;    ///< the route leads to it
  std::optional<store::Stop> stopped{};  ///< who stopped it on its own, by hand; nothing: nobody did
};

/// A one-off command that runs.
struct ExecStatus {
  InstanceId id;
  std::string process, by, since;
};

/// A job of an app, and its last run.
struct JobStatus {
  store::JobRow row;     ///< `run` is 0 where it never ran, and then only app and process are there
  bool by_hand = false;  ///< no deployment runs it
  std::vector<std::string> last_lines = {};  ///< what it printed last, where it failed and was asked for by itself
};

struct Story;  // daemon/deploy/story.h

/// Which run of a job is waited for, and for how long at most.
struct WaitForJob {
  std::string app, process;
  std::int64_t run = 0;  ///< 0: the last one
  milliseconds at_most{0};
};

/// An app as `docs/api.md` shows it.
struct AppStatus {
  store::AppRow row;
  std::string since;     ///< when the active release became so
  std::string strategy;  ///< "blue-green" or "recreate"; empty without an active release
  milliseconds ready_timeout{0};  ///< of the active release; 0 without one
  std::string health;    ///< "healthy", "degraded", "down", "stopped", "deploying"
  std::string problem;   ///< what berthd could not do for it, one line
  std::optional<DeploymentStatus> deployment;  ///< that is under way
  std::optional<DeploymentStatus> last{};      ///< the newest that ended, whatever came of it
  std::vector<store::Rejected> rejected;
  std::vector<store::SlotRow> slots;
  std::vector<store::DataCopy> copies;  ///< of its data
  std::vector<ProcessStatus> processes;
  std::vector<InstanceView> instances;
  std::vector<ExecStatus> execs;
  std::vector<JobStatus> jobs;
};

/// A release of an app, in the repository or on the node.
struct ReleaseStatus {
  std::string release;
  bool active = false, previous = false, in_repository = false, on_node = false, pinned = false;
  std::uint64_t bytes = 0;
  std::string sealed_at, rejected;
  bool imported = false;   ///< it was loaded from a file, and is deployed from there
  std::string expired{};   ///< what had expired then, and was taken all the same
};
struct Releases {
  std::vector<ReleaseStatus> releases;
  std::string repository_error;
};

/// What `gc` removed, or would.
struct Collected {
  std::vector<store::SlotFate> slots;  ///< those that stay, too
  std::vector<store::DataCopy> data;
  std::vector<store::Import> imports;  ///< releases that were loaded from a file, and are in no slot
  std::size_t partial_blobs = 0;       ///< what came of blobs whose fetches broke off
  std::uint64_t partial_bytes = 0;
};

/// A release file that berthd is to load.
struct ImportRequest {
  std::string path;            ///< absolute
  bool allow_expired = false;  ///< an expired timestamp or snapshot is taken
  Asked asked;
};

/// A slot that was compared with what is signed.
struct SlotVerdict {
  std::string app, release;
  store::Verdict verdict;
};

/// A command that a person wants to run once, with what an instance of an app has.
struct ExecRequest {
  std::string app;
  std::string process;   ///< whose rules it has; empty: the app's only one, or the one called `web`
  int number = 0;        ///< of that process's instance which it looks at: it sees the files that it sees, and has its variables; 0: none
  std::string release;   ///< on this node; empty: the active one
  std::vector<std::string> command;
  std::string term;      ///< the kind of the client's terminal; empty: none
  uid_t uid = 0;         ///< who may come for it
  std::optional<ExecTerminal> terminal = {};  ///< of a client at a connection: it gets one
  Asked asked;
};

/// Where the client is to come for it, with its files (core/attached.h), within a few seconds.
struct ExecPlace {
  InstanceId id;
  std::string process;
  std::string socket;    ///< path of a SOCK_SEQPACKET socket
};

/// One whose client is at a connection of the API.
struct ExecStream {
  InstanceId id;
  std::string process;
  ExecEnds ends;
};

/// What comparing slots found.
struct Verified {
  std::vector<SlotVerdict> slots;
  std::size_t others = 0;  ///< slots of the same apps that were not compared
};

/// Which slots are to be compared: of one app or, where that is empty, of all.
struct VerifyRequest {
  std::string app;
  std::string release;  ///< one of the app's; empty: the active one
  bool all = false;     ///< every slot
};

/// Where an instance that runs tells its own metrics.
struct MetricsTarget {
  InstanceId id;
  std::string path;
  io::Endpoint to;  ///< as berthd reaches it
};

/// What it told.
struct AppPage {
  MetricsTarget target;
  std::string body;
  std::string error;  ///< why there is no body, one line; empty: there is
  std::chrono::duration<double> took{0};
};

/// What an operator can do with this node's apps, and see of them: the seam between the API and the deployer. For one event loop.
class Operations {
 public:
  virtual ~Operations() = default;

  /// Begins a deployment; 200 of the API where `already` is set. Fails with `Errc::conflict` for a rejected release or a held app without `force`, and on a node
  /// that is drained.
  virtual awaitable<Result<DeploymentStatus>> deploy(DeployRequest request) = 0;
  /// What `deploy` would do, and what it would be refused for. Changes nothing; fetches metadata and, where a slot has none, an index.
  virtual awaitable<Result<DeploymentPlan>> plan(DeployRequest request) = 0;
  /// Back to the release before, or to another one; the app is then held.
  virtual awaitable<Result<DeploymentStatus>> revert(RevertRequest request) = 0;
  /// What `revert` would do, and what it would be refused for. Changes nothing. `Errc::not_found` where there is no release to go back to.
  virtual awaitable<Result<DeploymentPlan>> plan_revert(RevertRequest request) = 0;
  virtual awaitable<Result<DeploymentStatus>> cancel(std::int64_t id, Asked asked) = 0;
  virtual awaitable<Result<DeploymentStatus>> deployment(std::int64_t id) = 0;
  virtual awaitable<Result<DeploymentStatus>> wait(std::int64_t id, WaitFor what) = 0;
  virtual awaitable<Result<std::vector<DeploymentStatus>>> deployments(store::DeploymentQuery wanted) = 0;

  /// The app is left alone until it is resumed: `deploy` refuses without `force`.
  virtual awaitable<Result<void>> hold(std::string app, Asked asked) = 0;
  virtual awaitable<Result<void>> resume(std::string app, Asked asked) = 0;
  /// A bad release is rejected, a good one no longer. `Errc::conflict` for a bad one that is being deployed.
  virtual awaitable<Result<void>> mark(std::string app, std::string release, bool good, Asked asked) = 0;
  /// Stops all apps, the last first, and lets nothing start until `resume_node`, over restarts as well. Returns when none runs.
  virtual awaitable<Result<void>> drain_node(Asked asked) = 0;
  /// Starts what ran before. Fine where the node is not drained.
  virtual awaitable<Result<void>> resume_node(Asked asked) = 0;
  /// What is decided of an app, in a text that is another one when something else is: by whom, and that it was asked for, are no part of it. At once; empty for an app that is not there.
  virtual std::string decision_of(const std::string& app) const = 0;
  /// Whether a deployment of the app is known that was asked for with this idempotency key. What cannot be read is not known.
  virtual awaitable<bool> knows_key(std::string app, std::string key) = 0;
  /// Nothing where the node is not drained.
  virtual const std::optional<store::Drain>& drained() const = 0;
  /// `what` names an app, a process or an instance. A whole app that is stopped stays so over restarts, and gives its route up.
  virtual awaitable<Result<void>> stop_app(InstanceSelector what, Asked asked) = 0;
  virtual awaitable<Result<void>> start_app(InstanceSelector what, Asked asked) = 0;
  virtual awaitable<Result<void>> restart_app(InstanceSelector what, Asked asked) = 0;
  virtual awaitable<Result<void>> scale(std::string app, std::string process, int instances, Asked asked) = 0;
  virtual awaitable<Result<void>> pin(std::string app, std::string release, bool pinned, Asked asked) = 0;
  /// Without `force`, `Errc::conflict` for an app that is held or has a deployment under way. Rejections stay unless `purge` is set; a hold does not.
  virtual awaitable<Result<void>> remove(std::string app, bool purge, bool force, Asked asked) = 0;
  /// Every app where `app` is empty. With `dry_run` nothing is removed.
  virtual awaitable<Result<Collected>> collect(std::string app, bool dry_run, Asked asked) = 0;

  /// Prepares a one-off command. `Errc::not_found` for a release that is not on this node and a process that it does not have, `Errc::conflict` on a node that
  /// is drained and while the app's data are copied or put back.
  virtual awaitable<Result<ExecPlace>> exec(ExecRequest request) = 0;
  /// The same for a client at a connection: it begins at once, and ends where its ends are closed.
  virtual awaitable<Result<ExecStream>> exec_stream(ExecRequest request) = 0;

  /// Begins a run of a job of the active release. `Errc::not_found` for one that it does not have, `Errc::conflict` while it runs, while the app is stopped or
  /// being deployed, and where a one-off command could not run either.
  virtual awaitable<Result<JobStatus>> run_job(std::string app, std::string process, Asked asked) = 0;
  /// A job and its last run, when that has ended or the time is over.
  virtual awaitable<Result<JobStatus>> job(WaitForJob what) = 0;
  /// Verifies and loads a release file, so that its release can be deployed without a network. `Errc::trust` for a file that is not believed; then
  /// nothing of it is kept.
  virtual awaitable<Result<store::Import>> import(ImportRequest request) = 0;

  /// Reads slots again and compares them with what is signed. Changes nothing but what status tells of them.
  virtual awaitable<Result<Verified>> verify(VerifyRequest request) = 0;

  virtual awaitable<Result<Releases>> releases(std::string app) = 0;
  /// App → releases in the repository for this node's environment.
  virtual awaitable<Result<std::map<std::string, std::vector<std::string>>>> repository_apps() = 0;

  virtual awaitable<Result<std::vector<AppStatus>>> status() = 0;
  /// The last failure of an app, and what to do about it. `Errc::not_found` for one that was never deployed here.
  virtual awaitable<Result<Story>> story(std::string app) = 0;
  /// `Errc::not_found` for an app this node does not know.
  virtual awaitable<Result<AppStatus>> status(std::string app) = 0;

  /// Those of every instance whose process has `metrics` in its spec.
  virtual awaitable<std::vector<MetricsTarget>> metrics_targets() = 0;
  /// Asks them all. Bounded in time, and in bytes.
  virtual awaitable<std::vector<std::shared_ptr<AppPage>>> scrape_apps() = 0;

  /// What was counted since this berthd began. Of apps that are not on the node there is what was counted lately; see UnknownApps.
  virtual const Counts& counts() = 0;
  /// Whether what should run at start does.
  virtual bool ready() const = 0;
};

}  // namespace berth::deploy
