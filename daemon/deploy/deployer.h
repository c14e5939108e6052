#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "core/ids.h"
#include "core/io/loop.h"
#include "core/result.h"
#include "daemon/deploy/node_facts.h"
#include "daemon/deploy/operations.h"
#include "daemon/fetch/fetch.h"
#include "daemon/route/router.h"
#include "daemon/store/store.h"
#include "daemon/supervise/supervisor.h"

namespace berth::deploy {

struct DeployerOptions {
  NodeFacts node;
  fetch::StageOptions stage;
  store::Keep keep;
  int start_at_once = 8;         ///< instances, when a node starts its apps
  milliseconds verify_every{0};  ///< each slot is compared with what is signed about once in that time; 0: never unasked
};

/// Brings releases to work and keeps the node as it should be: the one place where fetch, store, supervise and route meet. For one event loop; what blocks
/// goes to the pool. Operations on one app are made one after the other; a deployment takes its app until it is decided and switched, and gives way during
/// its bake.
class Deployer : public Operations {
 public:
  /// `repository` may be null: then nothing new is taken. `idle` has what is in no hurry: its threads give way to everything else.
  Deployer(boost::asio::any_io_executor executor, io::Pool& pool, io::Pool& idle, store::Store& store, supervise::Supervisor& supervisor, route::Router& router,
           fetch::Repository* repository, DeployerOptions options);
  ~Deployer() override;  ///< leaves everything running

  /// Start-up: adopts what runs, starts what should, stops what should not, and finishes or undoes the deployments that a crash interrupted. Returns when
  /// what serves does; the rest goes on.
  awaitable<Result<void>> start();

  /// Whom to tell that an app may go on: a deployment of it ended, or an operator resumed, started or unpinned it. On the loop; it must not throw.
  void on_settled(std::function<void(const std::string& app)> tell);
  /// Whom to tell that a deployment, whoever asked for it, has ended. On the loop; it must not throw.
  void on_ended(std::function<void()> tell);

  /// Lets go: deployments under way stay as they are in the database and go on at the next start.
  void stop();

  awaitable<Result<DeploymentStatus>> deploy(DeployRequest request) override;
  awaitable<Result<DeploymentPlan>> plan(DeployRequest request) override;
  awaitable<Result<DeploymentStatus>> revert(RevertRequest request) override;
  awaitable<Result<DeploymentPlan>> plan_revert(RevertRequest request) override;
  awaitable<Result<DeploymentStatus>> cancel(std::int64_t id, Asked asked) override;
  awaitable<Result<DeploymentStatus>> deployment(std::int64_t id) override;
  awaitable<Result<DeploymentStatus>> wait(std::int64_t id, WaitFor what) override;
  awaitable<Result<std::vector<DeploymentStatus>>> deployments(store::DeploymentQuery wanted) override;

  awaitable<Result<void>> hold(std::string app, Asked asked) override;
  awaitable<Result<void>> resume(std::string app, Asked asked) override;
  awaitable<Result<void>> mark(std::string app, std::string release, bool good, Asked asked) override;
  awaitable<Result<void>> drain_node(Asked asked) override;
  awaitable<Result<void>> resume_node(Asked asked) override;
  std::string decision_of(const std::string& app) const override;
  awaitable<bool> knows_key(std::string app, std::string key) override;
  const std::optional<store::Drain>& drained() const override;
  awaitable<Result<void>> stop_app(InstanceSelector what, Asked asked) override;
  awaitable<Result<void>> start_app(InstanceSelector what, Asked asked) override;
  awaitable<Result<void>> restart_app(InstanceSelector what, Asked asked) override;
  awaitable<Result<void>> scale(std::string app, std::string process, int instances, Asked asked) override;
  awaitable<Result<void>> pin(std::string app, std::string release, bool pinned, Asked asked) override;
  awaitable<Result<void>> remove(std::string app, bool purge, bool force, Asked asked) override;
  awaitable<Result<Collected>> collect(std::string app, bool dry_run, Asked asked) override;

  awaitable<Result<ExecPlace>> exec(ExecRequest request) override;
  awaitable<Result<ExecStream>> exec_stream(ExecRequest request) override;
  awaitable<Result<JobStatus>> run_job(std::string app, std::string process, Asked asked) override;
  awaitable<Result<JobStatus>> job(WaitForJob what) override;
  awaitable<Result<store::Import>> import(ImportRequest request) override;
  awaitable<Result<Verified>> verify(VerifyRequest request) override;

  awaitable<Result<Releases>> releases(std::string app) override;
  awaitable<Result<std::map<std::string, std::vector<std::string>>>> repository_apps() override;

  awaitable<Result<std::vector<AppStatus>>> status() override;
  awaitable<Result<AppStatus>> status(std::string app) override;
  awaitable<Result<Story>> story(std::string app) override;

  awaitable<std::vector<MetricsTarget>> metrics_targets() override;
  awaitable<std::vector<std::shared_ptr<AppPage>>> scrape_apps() override;

  const Counts& counts() override;
  bool ready() const override;  ///< whether `start` is through

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace berth::deploy
