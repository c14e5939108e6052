#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "core/ids.h"
#include "core/io/loop.h"
#include "core/result.h"
#include "daemon/deploy/node_facts.h"
#include "daemon/fetch/fetch.h"
#include "daemon/route/router.h"
#include "daemon/store/store.h"
#include "daemon/supervise/supervisor.h"

namespace berth::deploy {

using boost::asio::awaitable;
using std::chrono::milliseconds;

/// Who asks for a change, for the history.
struct Asked {
  std::string by;   ///< "root (uid 0)"
  std::string why;  ///< `--reason`
};

struct DeployRequest {
  std::string app, release;
  std::string environment;  ///< asserted where not empty
  bool force = false;       ///< also a rejected release or a held app
  std::string key;          ///< idempotency key, or empty
  Asked asked;
};

/// A deployment as `docs/api.md` shows it.
struct DeploymentStatus {
  struct Step {
    std::string state, at;
  };
  store::DeploymentRow row;
  int exit = -1;         ///< -1 until it ended
  bool already = false;  ///< nothing was to be done
  std::uint64_t bytes_done = 0, bytes_total = 0;
  int instances_ready = 0, instances_wanted = 0;
  std::vector<Step> steps;
  std::vector<std::string> last_lines;  ///< what the app printed last, where it failed

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
  int wanted = 0, ready = 0;
  std::uint16_t public_port = 0;
  spec::Routing routing = spec::Routing::none;
};

struct InstanceView {
  supervise::InstanceStatus status;
  std::uint16_t port = 0;  ///< private
  bool serving = false;    ///< the route leads to it
};

/// An app as `docs/api.md` shows it.
struct AppStatus {
  store::AppRow row;
  std::string since;     ///< when the active release became so
  std::string strategy;  ///< "blue-green" or "recreate"; empty without an active release
  std::string health;    ///< "healthy", "degraded", "down", "stopped", "deploying"
  std::string problem;   ///< what berthd could not do for it, one line
  std::optional<DeploymentStatus> deployment;
  std::vector<store::Store::Rejected> rejected;
  std::vector<store::SlotRow> slots;
  std::vector<ProcessStatus> processes;
  std::vector<InstanceView> instances;
};

/// A release of an app, in the repository or on the node.
struct ReleaseStatus {
  std::string release;
  bool active = false, previous = false, in_repository = false, on_node = false, pinned = false;
  std::uint64_t bytes = 0;
  std::string sealed_at, rejected;
};
struct Releases {
  std::vector<ReleaseStatus> releases;
  std::string repository_error;
};

struct DeployerOptions {
  NodeFacts node;
  fetch::StageOptions stage;
  int keep_releases = 3;
};

/// Brings releases to work and keeps the node as it should be: the one place where fetch, store, supervise and route meet. For one event loop; what blocks
/// goes to the pool. Operations on one app are made one after the other; a deployment takes its app until it is decided and switched, and gives way during
/// its bake.
class Deployer {
 public:
  /// `repository` may be null: then nothing new is taken.
  Deployer(boost::asio::any_io_executor executor, io::Pool& pool, store::Store& store, supervise::Supervisor& supervisor, route::Router& router,
           fetch::Repository* repository, DeployerOptions options);
  ~Deployer();  ///< leaves everything running

  /// Start-up: adopts what runs, starts what should, stops what should not, and finishes or undoes the deployments that a crash interrupted. Returns when
  /// what serves does; the rest goes on.
  awaitable<Result<void>> start();

  /// Lets go: deployments under way stay as they are in the database and go on at the next start.
  void stop();

  /// Begins a deployment; 200 of the API where `already` is set. Fails with `Errc::conflict` for a rejected release or a held app without `force`.
  awaitable<Result<DeploymentStatus>> deploy(DeployRequest request);
  /// Back to the release before, or to `to`; the app is then held.
  awaitable<Result<DeploymentStatus>> revert(std::string app, std::string to, Asked asked);
  awaitable<Result<DeploymentStatus>> cancel(std::int64_t id, Asked asked);
  awaitable<Result<DeploymentStatus>> deployment(std::int64_t id);
  awaitable<Result<DeploymentStatus>> wait(std::int64_t id, WaitFor what);
  awaitable<Result<std::vector<DeploymentStatus>>> deployments(std::string app, int most);

  awaitable<Result<void>> resume(std::string app, Asked asked);
  /// `what` names an app, a process or an instance. A whole app that is stopped stays so over restarts, and gives its route up.
  awaitable<Result<void>> stop_app(InstanceSelector what, Asked asked);
  awaitable<Result<void>> start_app(InstanceSelector what, Asked asked);
  awaitable<Result<void>> restart_app(InstanceSelector what, Asked asked);
  awaitable<Result<void>> scale(std::string app, std::string process, int instances, Asked asked);
  awaitable<Result<void>> pin(std::string app, std::string release, bool pinned, Asked asked);
  awaitable<Result<void>> remove(std::string app, bool purge, Asked asked);
  /// Every app where `app` is empty.
  awaitable<Result<std::vector<store::SlotRow>>> collect(std::string app, Asked asked);

  awaitable<Result<Releases>> releases(std::string app);
  /// App → releases in the repository for this node's environment.
  awaitable<Result<std::map<std::string, std::vector<std::string>>>> repository_apps();

  awaitable<Result<std::vector<AppStatus>>> status();
  /// `Errc::not_found` for an app this node does not know.
  awaitable<Result<AppStatus>> status(std::string app);

  /// Deployments that ended since this berthd began, by app and state, for metrics.
  const std::map<std::pair<std::string, std::string>, std::uint64_t>& ended() const;
  /// Whether `start` is through.
  bool ready() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace berth::deploy
