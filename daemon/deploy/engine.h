#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

#include "core/io/loop.h"
#include "core/spec/start_order.h"
#include "daemon/deploy/app_facts.h"
#include "daemon/deploy/bake_rates.h"
#include "daemon/deploy/data_steps.h"
#include "daemon/deploy/execs.h"
#include "daemon/deploy/hooks.h"
#include "daemon/deploy/jobs.h"
#include "daemon/deploy/members.h"
#include "daemon/deploy/node.h"
#include "daemon/deploy/one_offs.h"
#include "daemon/deploy/queries.h"
#include "daemon/deploy/readiness_events.h"
#include "daemon/deploy/routes.h"
#include "daemon/deploy/scraping.h"
#include "daemon/deploy/slots.h"
#include "daemon/deploy/trouble_judge.h"

namespace berth::deploy {

/// What a Deployer does, in coroutines that each hold it: the course of a deployment (carrying.cc, with the work of each state in states.cc, rolling.cc, bake.cc
/// and reverting.cc), what one would do (planning.cc), a node that is drained (draining.cc), start-up (starting_up.cc), requests and commands. Whatever of it
/// can be told without a deployment's course is a part: a class of its own, which knows the node and the parts below it, and never the engine.
class Engine {
 public:
  explicit Engine(Parts parts);

  awaitable<Result<void>> start();
  void close();

  Node& node() { return node_; }
  Execs& execs() { return execs_; }
  Jobs& jobs() { return jobs_; }
  Scraper& scraper() { return scraper_; }
  Slots& slots() { return slots_; }
  Queries& queries() { return queries_; }

  void on_settled(std::function<void(const std::string& app)> tell) { settled_ = std::move(tell); }
  void on_ended(std::function<void()> tell) { deployment_ended_ = std::move(tell); }

  // requests.cc
  awaitable<Result<DeploymentStatus>> deploy(DeployRequest request);
  awaitable<Result<DeploymentStatus>> revert(RevertRequest request);
  awaitable<Result<DeploymentStatus>> cancel(std::int64_t id, Asked asked);
  awaitable<Result<DeploymentStatus>> wait(std::int64_t id, WaitFor what);

  // planning.cc
  awaitable<Result<DeploymentPlan>> plan(DeployRequest request);
  awaitable<Result<DeploymentPlan>> plan_revert(RevertRequest request);

  // holding.cc
  awaitable<Result<void>> hold(std::string name, Asked asked);
  awaitable<Result<void>> resume(std::string name, Asked asked);
  awaitable<Result<void>> mark(std::string name, std::string release, bool good, Asked asked);

  // draining.cc
  awaitable<Result<void>> drain_node(Asked asked);
  awaitable<Result<void>> resume_node(Asked asked);
  const std::optional<store::Drain>& drained() const { return node_.drained; }

  // commands.cc
  awaitable<Result<void>> stop_app(InstanceSelector what, Asked asked);
  awaitable<Result<void>> start_app(InstanceSelector what, Asked asked);
  awaitable<Result<void>> restart_app(InstanceSelector what, Asked asked);
  awaitable<Result<void>> scale(std::string name, std::string process, int instances, Asked asked);
  awaitable<Result<void>> pin(std::string name, std::string release, bool pinned, Asked asked);
  awaitable<Result<void>> remove(std::string name, bool purge, bool force, Asked asked);
  awaitable<Result<Collected>> collect(std::string name, bool dry_run, Asked asked);

  // carrying.cc
  const Counts& counts();
  bool ready() const { return ready_; }

 private:
  // engine.cc
  void on_change(const supervise::InstanceChange& change);
  void log_end(const supervise::InstanceChange& change, bool meant);

  // rolling.cc
  /// One release's instances in the place of all others'.
  struct Rolling {
    ManifestPtr to;
    spec::Deploy rules;        ///< whose limits and timeout hold
    milliseconds drain{0};     ///< of what is stopped
    bool until_first = false;  ///< only until an instance of each process is ready; none enters the route
    bool insist = false;       ///< goes on whatever the instances do, until nothing moves any more
  };
  struct Round {
    std::vector<InstanceId> start, stop;
    int ready = 0, wanted = 0;
    bool done = true, each_ready = true;
    std::string missing;   ///< what is waited for
    std::string hopeless;  ///< an instance that will not become ready; empty: none
  };
  awaitable<std::string> way_over(AppPtr app, RunPtr run);
  awaitable<void> choose_strategy(AppPtr app, RunPtr run);
  awaitable<Result<void>> start_canary(AppPtr app, RunPtr run);
  awaitable<Result<void>> take_stock(AppPtr app, Rolling what, std::map<std::string, int> wanted);
  awaitable<void> await_verdicts(AppPtr app, milliseconds at_most);
  awaitable<Result<int>> join_ready(AppPtr app, std::string release);
  Round next_round(const App& app, const Rolling& what, const std::map<std::string, int>& wanted) const;
  awaitable<Result<void>> roll(AppPtr app, RunPtr run, Rolling what);
  awaitable<Result<void>> bake_canary(AppPtr app, RunPtr run);
  Rolling rolling_of(const Run& run, milliseconds drain) const;

  // carrying.cc
  void drive(AppPtr app);
  awaitable<void> drive_all(AppPtr app);
  awaitable<void> carry(AppPtr app, RunPtr run);
  awaitable<void> move(AppPtr app, RunPtr run, Happening happening);
  awaitable<Result<void>> before(AppPtr app, RunPtr run, std::vector<Effect> effects);
  awaitable<Result<void>> commit(AppPtr app, RunPtr run, std::vector<Effect> effects);
  awaitable<void> after(AppPtr app, RunPtr run, Effect effect);
  Happening happening_of(const Run& run) const;
  void count_step(const Run& run);

  // states.cc
  awaitable<Result<void>> work(AppPtr app, RunPtr run);
  awaitable<Result<void>> begin(AppPtr app, RunPtr run);
  awaitable<Result<void>> is_listed(RunPtr run, bool only_planned);
  awaitable<Result<fetch::Resolved>> resolve_release(RunPtr run);
  awaitable<Result<void>> fetch_release(AppPtr app, RunPtr run);
  awaitable<void> stage(AppPtr app, RunPtr run, fetch::Resolved resolved);
  awaitable<Result<void>> await_stage(RunPtr run, bool until_unpacking);
  awaitable<void> hold_or_resume(AppPtr app, RunPtr run);
  awaitable<Result<void>> seal_release(AppPtr app, RunPtr run);
  awaitable<Result<void>> prepare(AppPtr app, RunPtr run);
  awaitable<Result<void>> start_new(AppPtr app, RunPtr run);
  awaitable<void> note_unenforced(AppPtr app, RunPtr run);
  awaitable<Result<void>> switch_over(AppPtr app, RunPtr run);
  awaitable<void> collect_lines(AppPtr app, RunPtr run);

  // bake.cc
  awaitable<Result<void>> bake(AppPtr app, RunPtr run);
  awaitable<void> begin_bake(AppPtr app, RunPtr run);
  awaitable<Result<void>> carry_newer(AppPtr app, RunPtr run);
  bool bake_rests(const App& app, const Run& run) const;
  awaitable<void> rest(AppPtr app, RunPtr run);
  void count_ready(const App& app, Run& run) const;
  awaitable<void> bake_again(RunPtr run, std::string why);
  awaitable<void> await_instances(AppPtr app, RunPtr run);

  // reverting.cc
  awaitable<Result<void>> go_back(AppPtr app, RunPtr run);
  Result<void> cannot_go_back(AppPtr app, RunPtr run, const Error& error);
  awaitable<void> put_back_replaced(AppPtr app, RunPtr run);
  awaitable<void> drop_new(AppPtr app, RunPtr run);

  // planning.cc
  awaitable<void> plan_run(AppPtr app, RunPtr run, PlanPtr plan);
  awaitable<Result<void>> plan_source(AppPtr app, RunPtr run, PlanPtr plan);
  awaitable<Result<void>> plan_fetch(AppPtr app, RunPtr run, PlanPtr plan, fetch::Resolved resolved);
  awaitable<Result<void>> check_means(AppPtr app, RunPtr run);
  Result<void> look_at_templates(Run& run, DeploymentPlan& plan, const fetch::Resolved& resolved, const bundle::LayerIndex& config, const fetch::StageOptions& options,
                                 const std::filesystem::path& disk);
  awaitable<Result<void>> plan_data(AppPtr app, RunPtr run, PlanPtr plan);
  awaitable<Result<void>> plan_way(AppPtr app, RunPtr run, PlanPtr plan);

  // starting_up.cc
  awaitable<Result<void>> load_apps();
  awaitable<Result<void>> load_app(store::AppRow row);
  awaitable<Result<void>> load_runs();
  awaitable<void> count_reboots(RunPtr run);
  void take_over(std::vector<supervise::Supervisor::Found> found);
  void tell_missed_exits(const std::vector<InstanceId>& found, const std::string& since);
  awaitable<void> remove_strange_folders();
  awaitable<void> bring_up(AppPtr app);
  awaitable<void> hold_its_bake(AppPtr app, RunPtr run);
  awaitable<void> end_paused(AppPtr app);

  // start_order.cc
  std::vector<AppPtr> in_start_order() const;
  spec::Waiting waiting_apps() const;
  awaitable<void> start_apps();
  struct AppsToStart {
    std::deque<AppPtr> left;
    AppPtr last;  ///< the one that began last
  };
  awaitable<void> start_in_turn(std::shared_ptr<AppsToStart> apps);
  awaitable<void> start_one(AppPtr app);
  awaitable<void> start_later(AppPtr app, std::shared_ptr<StartingNode> starting);
  awaitable<Result<void>> await_apps(AppPtr app, ManifestPtr manifest, RunPtr run);

  // draining.cc
  awaitable<void> empty_node();
  awaitable<void> empty_app(AppPtr app);

  // requests.cc
  awaitable<Result<std::optional<DeploymentStatus>>> known_already(DeployRequest request, bool only_planned);
  awaitable<Result<std::optional<DeploymentStatus>>> known_by_key(DeployRequest request);
  awaitable<Result<DeploymentStatus>> keep_answer(DeployRequest request, DeploymentStatus status);
  awaitable<void> note_drift(std::string name, DeploymentStatus& status);
  awaitable<Result<void>> may_deploy(DeployRequest request);
  awaitable<Result<std::string>> revert_target(AppPtr app, std::string to);
  awaitable<Result<void>> may_revert(AppPtr app, std::string target);
  awaitable<Result<DeploymentStatus>> enqueue(AppPtr app, store::DeploymentRow row, bool yields, pid_t pid);

  // commands.cc
  Result<std::vector<InstanceId>> selected(const App& app, const InstanceSelector& what) const;
  awaitable<Result<void>> purge_left(std::string name, Asked asked);
  void remove_rest(const std::string& name, const store::Removed& removed);
  void remove_rests_later();
  awaitable<void> remove_rests();
  Result<void> may_remove(const App& app) const;
  awaitable<Result<void>> stop_all(AppPtr app, Asked asked);
  awaitable<void> end_deployments(AppPtr app, std::string why, bool bakes_too);

  Node node_;
  OneOffs one_offs_{node_};
  Hooks hooks_{node_, one_offs_};
  Execs execs_{node_, one_offs_};
  Jobs jobs_{node_, one_offs_, execs_};
  DataSteps data_steps_{node_, execs_};
  Slots slots_{node_};
  Routes routes_{node_};
  Members members_{node_, routes_, jobs_};
  Queries queries_{node_};
  TroubleJudge judge_{node_};
  BakeRates rates_{node_};
  Scraper scraper_{node_};
  ReadinessEvents readiness_events_{node_};
  std::set<InstanceId> looping_;  ///< of which it was said that they end again and again
  std::function<void(const std::string& app)> settled_ = [](const std::string&) {};
  std::function<void()> deployment_ended_ = [] {};
  bool removes_rests_ = false;
  bool ready_ = false;
};

}  // namespace berth::deploy
