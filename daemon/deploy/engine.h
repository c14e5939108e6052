#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

#include "core/io/loop.h"
#include "core/spec/start_order.h"
#include "daemon/deploy/app.h"
#include "daemon/deploy/app_facts.h"
#include "daemon/deploy/deployer.h"
#include "daemon/deploy/exec_door.h"
#include "daemon/deploy/parts.h"
#include "daemon/deploy/run.h"
#include "daemon/deploy/visits.h"

namespace berth::deploy {

/// What a Deployer does, in coroutines that each hold it: instances (members.cc), routes (routing.cc), the course of a deployment (carrying.cc, with the
/// work of each state in states.cc, rolling.cc, bake.cc, bake_rates.cc and reverting.cc), what one would do (planning.cc), its hooks (hooks.cc, hook_process.cc),
/// one-off commands (exec.cc), jobs (jobs.cc), and what becomes of the data (data_steps.cc), slots that are compared with what is signed (verifying.cc), a
/// node that is drained (draining.cc), and start-up (starting_up.cc). Requests, commands and queries are in files of their own.
class Engine : public std::enable_shared_from_this<Engine> {
 public:
  explicit Engine(Parts parts);

  awaitable<Result<void>> start();
  void close();
  void on_settled(std::function<void(const std::string& app)> tell) { settled_ = std::move(tell); }
  void on_ended(std::function<void()> tell) { deployment_ended_ = std::move(tell); }

  // requests.cc
  awaitable<Result<DeploymentStatus>> deploy(DeployRequest request);
  awaitable<Result<DeploymentStatus>> revert(RevertRequest request);
  awaitable<Result<DeploymentStatus>> cancel(std::int64_t id, Asked asked);
  awaitable<Result<DeploymentStatus>> wait(std::int64_t id, WaitFor what);

  // planning.cc
  awaitable<Result<DeploymentPlan>> plan(DeployRequest request);

  // holding.cc
  awaitable<Result<void>> hold(std::string name, Asked asked);
  awaitable<Result<void>> resume(std::string name, Asked asked);
  awaitable<Result<void>> mark(std::string name, std::string release, bool good, Asked asked);

  // draining.cc
  awaitable<Result<void>> drain_node(Asked asked);
  awaitable<Result<void>> resume_node(Asked asked);
  const std::optional<store::Drain>& drained() const { return drained_; }

  // commands.cc
  awaitable<Result<void>> stop_app(InstanceSelector what, Asked asked);
  awaitable<Result<void>> start_app(InstanceSelector what, Asked asked);
  awaitable<Result<void>> restart_app(InstanceSelector what, Asked asked);
  awaitable<Result<void>> scale(std::string name, std::string process, int instances, Asked asked);
  awaitable<Result<void>> pin(std::string name, std::string release, bool pinned, Asked asked);
  awaitable<Result<void>> remove(std::string name, bool purge, bool force, Asked asked);
  awaitable<Result<Collected>> collect(std::string name, Asked asked);

  // exec.cc
  awaitable<Result<ExecPlace>> exec(ExecRequest request);

  // jobs.cc
  awaitable<Result<JobStatus>> run_job(std::string name, std::string process, Asked asked);
  awaitable<Result<JobStatus>> job(WaitForJob what);

  // importing.cc
  awaitable<Result<store::Import>> import(ImportRequest request);

  // verifying.cc
  awaitable<Result<std::vector<SlotVerdict>>> verify(VerifyRequest request);

  // queries.cc
  awaitable<Result<DeploymentStatus>> deployment(std::int64_t id);
  awaitable<Result<std::vector<DeploymentStatus>>> deployments(std::string name, int most);
  awaitable<Result<Releases>> releases(std::string name);
  awaitable<Result<std::map<std::string, std::vector<std::string>>>> repository_apps();
  awaitable<Result<std::vector<AppStatus>>> status();
  awaitable<Result<AppStatus>> status(std::string name);
  awaitable<Result<Story>> story(std::string name);  // telling.cc

  // scraping.cc
  awaitable<std::vector<MetricsTarget>> metrics_targets();
  awaitable<std::vector<std::shared_ptr<AppPage>>> scrape_apps();

  // carrying.cc
  const Counts& counts();
  bool ready() const { return ready_; }

 private:
  // engine.cc
  void spawn(awaitable<void> task);
  awaitable<void> at_once(std::vector<awaitable<void>> tasks);
  Result<io::Endpoint> endpoint_of(const App& app, const bundle::Manifest& manifest, const InstanceId& id, const std::string& port) const;
  awaitable<void> scrape_one(std::shared_ptr<AppPage> page, milliseconds patience);
  void count_step(const Run& run);
  AppPtr find(const std::string& name) const;
  Result<AppPtr> known(const std::string& name) const;
  awaitable<Result<AppPtr>> ensure_app(std::string name);
  awaitable<Result<void>> reload(AppPtr app);
  awaitable<Turn> take(AppPtr app);
  awaitable<Result<ManifestPtr>> manifest_of(AppPtr app, std::string release);
  awaitable<void> tell(store::Event event);
  void on_change(const supervise::InstanceChange& change);

  // readiness_events.cc
  /// An instance of which it was told that it is not ready.
  struct Unready {
    io::Steady::time_point since;
    int times = 1;              ///< that it became so
    std::uint64_t changes = 0;  ///< of its readiness since
  };
  void tell_readiness(const AppPtr& app, const supervise::InstanceChange& change);
  awaitable<void> tell_ready_again(InstanceId id, std::uint64_t change);

  // members.cc
  awaitable<Result<int>> wanted_of(AppPtr app, ManifestPtr manifest, std::string process);
  awaitable<Result<void>> start_release(AppPtr app, ManifestPtr manifest, RunPtr run);
  awaitable<Result<void>> start_member(AppPtr app, ManifestPtr manifest, InstanceId id);
  awaitable<Result<store::InstanceRow>> add_member(AppPtr app, ManifestPtr manifest, InstanceId id);
  awaitable<void> count_start(AppPtr app, InstanceId id, milliseconds at_most, Visits::Visit visit);
  bool ever_ran(const App& app, const std::string& release) const;
  awaitable<Result<void>> purge_left(std::string name, Asked asked);
  awaitable<Result<void>> check_plans(AppPtr app, ManifestPtr manifest);
  struct PlannedInstance {
    supervise::InstancePlan plan;
    std::string lacks;  ///< why it is planned with the secrets that it was given, as it runs; empty: it has those that there are now
  };
  awaitable<Result<PlannedInstance>> make_plan(AppPtr app, ManifestPtr manifest, store::InstanceRow row, bool adopts = false);
  awaitable<Result<void>> wait_ready(AppPtr app, std::string release, RunPtr run, milliseconds at_most, std::vector<std::string> processes = {});
  awaitable<void> stop_members(AppPtr app, std::vector<InstanceId> ids, milliseconds drain);
  awaitable<void> stop_member(AppPtr app, InstanceId id);
  awaitable<Result<void>> stop_instance(AppPtr app, InstanceId id);
  awaitable<void> stop_release(AppPtr app, std::string release, milliseconds drain);
  awaitable<void> stop_all_but(AppPtr app, std::string release, milliseconds drain);
  awaitable<void> stop_strangers(AppPtr app);
  std::vector<InstanceId> members_of(const App& app, const std::string& release) const;

  // healing.cc
  awaitable<Result<void>> begin_healing(AppPtr app, Result<void> outcome);
  awaitable<void> heal(AppPtr app);
  awaitable<void> forget_later(AppPtr app, store::InstanceRow row);

  // routing.cc
  awaitable<Result<void>> claim(AppPtr app, ManifestPtr manifest);
  awaitable<void> give_up_unused(AppPtr app, ManifestPtr kept);
  awaitable<Result<void>> route(AppPtr app);
  awaitable<void> route_later(AppPtr app);
  awaitable<void> drain(AppPtr app, std::vector<InstanceId> ids, milliseconds at_most);

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
  awaitable<Result<std::map<std::string, int>>> wanted_by_process(AppPtr app, ManifestPtr manifest);
  awaitable<Result<void>> start_canary(AppPtr app, RunPtr run);
  awaitable<Result<void>> take_stock(AppPtr app, Rolling what, std::map<std::string, int> wanted);
  awaitable<void> await_verdicts(AppPtr app, milliseconds at_most);
  awaitable<Result<int>> join_ready(AppPtr app, std::string release);
  Round next_round(const App& app, const Rolling& what, const std::map<std::string, int>& wanted) const;
  awaitable<Result<void>> roll(AppPtr app, RunPtr run, Rolling what);
  awaitable<Result<void>> bake_canary(AppPtr app, RunPtr run);
  Rolling rolling_of(const Run& run, milliseconds drain) const;

  // bake_troubles.cc
  void note_troubles_before(const App& app, Run& run) const;
  void note_trouble(App& app, const supervise::InstanceChange& change);
  bool bakes_now(const App& app, const InstanceId& id) const;
  BakeTroubles& troubles_of(Run& run) const;
  void judge(App& app, const InstanceId& id, Trouble kind, std::string what);
  void judge_end(App& app, const InstanceId& id);
  void look_for_trouble(App& app, const std::string& since);
  awaitable<Result<void>> whole_after_troubles(AppPtr app, RunPtr run);
  awaitable<void> save_troubles(RunPtr run);

  // bake_rates.cc
  awaitable<Result<double>> read_counter(AppPtr app, InstanceId id, spec::BakeMetric rules);
  awaitable<double> growth_of(AppPtr app, RunPtr run, std::string release, std::shared_ptr<Growth> growth);
  awaitable<void> begin_baseline(AppPtr app, RunPtr run);
  awaitable<Result<void>> finish_baseline(AppPtr app, RunPtr run);
  awaitable<void> tell_notes(RunPtr run);
  awaitable<void> watch_rates(AppPtr app, RunPtr run);

  // carrying.cc
  void drive(AppPtr app);
  awaitable<void> drive_all(AppPtr app);
  awaitable<void> carry(AppPtr app, RunPtr run);
  awaitable<void> move(AppPtr app, RunPtr run, Happening happening);
  awaitable<Result<void>> before(AppPtr app, RunPtr run, std::vector<Effect> effects);
  awaitable<Result<void>> commit(RunPtr run, std::vector<Effect> effects);
  awaitable<void> after(AppPtr app, RunPtr run, Effect effect);
  Happening happening_of(const Run& run) const;

  // states.cc
  awaitable<Result<void>> work(AppPtr app, RunPtr run);
  awaitable<Result<void>> begin(AppPtr app, RunPtr run);
  awaitable<Result<void>> is_listed(RunPtr run, bool only_planned);
  awaitable<Result<fetch::Resolved>> resolve_release(RunPtr run);
  Result<fetch::StageOptions> stage_options(const std::string& app) const;
  awaitable<Result<void>> fetch_release(AppPtr app, RunPtr run);
  awaitable<void> stage(AppPtr app, RunPtr run, fetch::Resolved resolved);
  void count_fetched(const std::string& app, const fetch::Staged& staged);
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
  awaitable<Result<bool>> carry_newer(AppPtr app, RunPtr run);
  void count_ready(const App& app, Run& run) const;
  void watch_again(AppPtr app, RunPtr run);
  awaitable<Result<void>> bake_again(AppPtr app, RunPtr run, std::string why);

  // reverting.cc
  awaitable<Result<void>> go_back(AppPtr app, RunPtr run);
  Result<void> cannot_go_back(AppPtr app, RunPtr run, const Error& error);
  awaitable<void> put_back_replaced(AppPtr app, RunPtr run);
  awaitable<void> drop_new(AppPtr app, RunPtr run);

  // hooks.cc
  awaitable<Result<void>> run_hook(AppPtr app, RunPtr run, ManifestPtr manifest, std::string hook);
  awaitable<void> try_hook(AppPtr app, RunPtr run, ManifestPtr manifest, std::string hook);
  awaitable<Result<bool>> ask_ready_to_switch(AppPtr app, RunPtr run);
  awaitable<Result<void>> pause_asking(RunPtr run, milliseconds pause);
  awaitable<Result<std::string>> run_once(AppPtr app, RunPtr run, ManifestPtr manifest, std::string hook);
  awaitable<void> end_hooks(AppPtr app, RunPtr run);
  awaitable<void> note(RunPtr run, std::string text);

  // hook_process.cc
  awaitable<Result<void>> start_once(AppPtr app, ManifestPtr manifest, InstanceId id, int tried);
  awaitable<Result<std::string>> follow_once(AppPtr app, InstanceId id, milliseconds timeout, std::string began_at, std::function<std::string()> unwanted);
  awaitable<void> stop_once(AppPtr app, InstanceId id);
  awaitable<Result<void>> record_hook(RunPtr run, std::size_t place, bool insist);
  awaitable<void> keep_last_lines(AppPtr app, RunPtr run, HookRun record);

  // exec.cc
  Result<void> may_exec(const App& app) const;
  awaitable<void> serve_exec(AppPtr app, ManifestPtr manifest, InstanceId id, ExecRequest request, std::shared_ptr<ExecDoor> door);
  /// A one-off command whose client came, until it is begun.
  struct ExecWait {
    ExecClient client;        ///< its files are closed when nothing is done with them any more: what reads its output waits for that
    Fd connection;            ///< to its client too, for who watches it
    bool over = false;        ///< it is being begun, or will not be
    bool taken_back = false;  ///< by its client, who knows
  };
  awaitable<void> watch_waiting_exec(AppPtr app, InstanceId id, std::shared_ptr<ExecWait> waiting);
  awaitable<Result<void>> begin_exec(AppPtr app, ManifestPtr manifest, InstanceId id, ExecRequest request, std::shared_ptr<ExecWait> waiting);
  awaitable<void> follow_exec(AppPtr app, InstanceId id, std::string failure);
  void forget_exec(App& app, const InstanceId& id);
  awaitable<void> end_execs(AppPtr app);
  void adopt_execs();

  // jobs.cc
  Result<void> may_run_job(const App& app) const;
  awaitable<Result<void>> begin_job(AppPtr app, ManifestPtr manifest, std::string process, Asked asked, std::int64_t deployment);
  awaitable<void> carry_job(AppPtr app, JobPtr job, bool adopted);
  awaitable<std::string> run_to_end(AppPtr app, JobPtr job, ManifestPtr manifest, bool adopted);
  awaitable<bool> may_try_again(AppPtr app, JobPtr job, ManifestPtr manifest);
  awaitable<void> record_job(store::JobRow row);
  awaitable<void> run_jobs(AppPtr app, RunPtr run);
  awaitable<Result<void>> stop_job(AppPtr app, JobPtr job, Asked asked);
  awaitable<void> end_jobs(AppPtr app, std::string kept);
  awaitable<void> await_job_end(AppPtr app, JobPtr job);
  void adopt_jobs();

  // data_steps.cc
  awaitable<Result<void>> finish_pending_data(AppPtr app);
  awaitable<Result<void>> nobody_left_behind(AppPtr app);
  awaitable<Result<void>> plan_data(AppPtr app, RunPtr run);
  awaitable<Result<void>> may_copy_data(AppPtr app, RunPtr run);
  awaitable<Result<void>> arrange_data(AppPtr app, RunPtr run);
  awaitable<Result<void>> take_snapshot(AppPtr app, RunPtr run);
  awaitable<void> undo_data(AppPtr app, RunPtr run);
  awaitable<Result<void>> undo_data_once(AppPtr app, RunPtr run);
  awaitable<Result<Leaving>> leaving(AppPtr app, RunPtr run);
  awaitable<Result<void>> put_back(AppPtr app, RunPtr run, store::DataMove move);
  awaitable<void> note_data(AppPtr app, RunPtr run);

  // planning.cc
  awaitable<Result<void>> plan_source(AppPtr app, RunPtr run, PlanPtr plan);
  awaitable<Result<void>> plan_fetch(AppPtr app, RunPtr run, PlanPtr plan, fetch::Resolved resolved);
  awaitable<Result<void>> check_means(AppPtr app, RunPtr run);
  awaitable<Result<void>> plan_way(AppPtr app, RunPtr run, PlanPtr plan);

  // importing.cc
  std::shared_ptr<fetch::Repository> source_of(const std::string& app, const std::string& release) const;

  // verifying.cc
  awaitable<Result<store::Verdict>> look_at_slot(store::SlotRow row, bool idle);
  awaitable<Result<void>> require_whole(RunPtr run, store::SlotRow row);
  Result<void> fits_slot(const std::string& app, const std::string& release, const std::string& manifest_sha256);
  awaitable<Result<void>> repair(AppPtr app, RunPtr run, std::string release);
  awaitable<Result<void>> whole_or_repaired(AppPtr app, RunPtr run, std::string release);
  awaitable<void> watch_slots();
  void watch_events();
  awaitable<void> write_events();

  // starting_up.cc
  awaitable<Result<void>> load_apps();
  awaitable<Result<void>> load_app(store::AppRow row);
  awaitable<Result<void>> load_runs();
  awaitable<void> count_reboots(RunPtr run);
  void take_over(std::vector<supervise::Supervisor::Found> found);
  void tell_missed_exits(const std::vector<InstanceId>& found, const std::string& since);
  awaitable<void> remove_strange_folders();
  awaitable<void> bring_up(AppPtr app);
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
  awaitable<Result<void>> await_processes(AppPtr app, ManifestPtr manifest, std::string process, RunPtr run);
  awaitable<Result<void>> await_apps(AppPtr app, ManifestPtr manifest, RunPtr run);
  awaitable<void> tell_unawaited(AppPtr app, Error error);

  // draining.cc
  Result<void> not_drained() const;
  awaitable<void> empty_node();
  awaitable<void> empty_app(AppPtr app);

  // requests.cc
  awaitable<Result<std::optional<DeploymentStatus>>> known_already(DeployRequest request, bool only_planned);
  awaitable<void> note_drift(std::string name, DeploymentStatus& status);
  awaitable<Result<void>> may_deploy(DeployRequest request);
  awaitable<Result<DeploymentStatus>> enqueue(AppPtr app, store::DeploymentRow row, bool yields);
  awaitable<Result<std::string>> release_before(AppPtr app);
  std::pair<AppPtr, RunPtr> find_run(std::int64_t id) const;
  Result<void> nothing_under_way(const App& app, const std::string& what) const;

  // commands.cc
  Result<std::vector<InstanceId>> selected(const App& app, const InstanceSelector& what) const;
  awaitable<Result<void>> restart_one(AppPtr app, ManifestPtr manifest, InstanceId id, std::string reason);
  Result<void> may_remove(const App& app) const;
  awaitable<Result<void>> stop_all(AppPtr app, Asked asked);
  awaitable<Result<void>> pause_members(AppPtr app, std::vector<InstanceId> ids);
  awaitable<void> pause_member(AppPtr app, InstanceId id, std::shared_ptr<Result<void>> outcome);
  awaitable<void> end_deployments(AppPtr app, std::string why, bool bakes_too);
  milliseconds drain_of(const App& app) const;

  // queries.cc
  AppStatus status_of_app(const App& app, store::AppRecord record) const;

  boost::asio::any_io_executor executor_;
  io::Pool& pool_;
  io::Pool& idle_;
  store::Store& store_;
  supervise::Supervisor& supervisor_;
  route::Router& router_;
  fetch::Repository* repository_;
  DeployerOptions options_;
  std::map<std::string, AppPtr> apps_;
  /// First deployments of apps that the node does not know yet have one of these.
  std::map<std::string, AppPtr> newcomers_;
  Counts counts_;
  UnknownApps unknown_;  ///< that have counts
  int next_exec_ = 1001;  ///< number of the next one-off command's instance
  /// A repository that hangs may hold some threads of the pool, never all: the rest have the node's own work.
  Visits visits_;
  /// Slots are read one after the other when somebody asks for it.
  Visits looks_, starts_;  ///< the latter of instances, while the node starts its apps
  int starting_node_ = 0;  ///< see StartingNode
  Visits copies_;  ///< of data, each of which holds a thread of the pool
  std::stop_source looking_;  ///< of what reads slots
  std::int64_t imports_ = 0;  ///< begun so far; their staging folders have the numbers below 0
  std::function<void(const std::string& app)> settled_ = [](const std::string&) {};
  std::function<void()> deployment_ended_ = [] {};
  std::optional<store::Drain> drained_;  ///< as the database has it
  std::map<InstanceId, Unready> unready_;
  bool ready_ = false, closed_ = false;
  bool writing_events_ = false;  ///< those that wait since the disk took none
};

}  // namespace berth::deploy
