#include "daemon/deploy/deployer.h"

#include "daemon/deploy/engine.h"
#include "daemon/deploy/story.h"

namespace berth::deploy {

struct Deployer::State : Engine {
  using Engine::Engine;
};

Deployer::Deployer(boost::asio::any_io_executor executor, io::Pool& pool, io::Pool& idle, store::Store& store, supervise::Supervisor& supervisor,
                   route::Router& router, fetch::Repository* repository, DeployerOptions options)
    : state_(std::make_shared<State>(Parts{.executor = std::move(executor),
                                           .pool = pool,
                                           .idle = idle,
                                           .store = store,
                                           .supervisor = supervisor,
                                           .router = router,
                                           .repository = repository,
                                           .options = std::move(options)})) {
  state_->node().held_by(state_);
}

Deployer::~Deployer() { state_->close(); }

void Deployer::on_ended(std::function<void()> tell) { state_->on_ended(std::move(tell)); }

void Deployer::on_settled(std::function<void(const std::string& app)> tell) { state_->on_settled(std::move(tell)); }

void Deployer::stop() { state_->close(); }

// Each holds the state while it runs, also when the deployer is gone.

#define BERTH_FORWARD(call)       \
  const auto state = state_;      \
  auto result = co_await state->call; \
  co_return result

awaitable<Result<void>> Deployer::start() { BERTH_FORWARD(start()); }
awaitable<Result<DeploymentStatus>> Deployer::deploy(DeployRequest request) { BERTH_FORWARD(deploy(std::move(request))); }
awaitable<Result<DeploymentPlan>> Deployer::plan(DeployRequest request) { BERTH_FORWARD(plan(std::move(request))); }
awaitable<Result<DeploymentStatus>> Deployer::revert(RevertRequest request) { BERTH_FORWARD(revert(std::move(request))); }
awaitable<Result<DeploymentPlan>> Deployer::plan_revert(RevertRequest request) { BERTH_FORWARD(plan_revert(std::move(request))); }
awaitable<Result<DeploymentStatus>> Deployer::cancel(std::int64_t id, Asked asked) { BERTH_FORWARD(cancel(id, std::move(asked))); }
awaitable<Result<DeploymentStatus>> Deployer::deployment(std::int64_t id) { BERTH_FORWARD(queries().deployment(id)); }
awaitable<Result<DeploymentStatus>> Deployer::wait(std::int64_t id, WaitFor what) { BERTH_FORWARD(wait(id, std::move(what))); }
awaitable<Result<std::vector<DeploymentStatus>>> Deployer::deployments(store::DeploymentQuery wanted) { BERTH_FORWARD(queries().deployments(std::move(wanted))); }
awaitable<Result<void>> Deployer::hold(std::string app, Asked asked) { BERTH_FORWARD(hold(std::move(app), std::move(asked))); }
awaitable<Result<void>> Deployer::mark(std::string app, std::string release, bool good, Asked asked) {
  BERTH_FORWARD(mark(std::move(app), std::move(release), good, std::move(asked)));
}
std::string Deployer::decision_of(const std::string& app) const { return state_->queries().decision_of(app); }
awaitable<bool> Deployer::knows_key(std::string app, std::string key) { BERTH_FORWARD(queries().knows_key(std::move(app), std::move(key))); }
awaitable<Result<void>> Deployer::drain_node(Asked asked) { BERTH_FORWARD(drain_node(std::move(asked))); }
awaitable<Result<void>> Deployer::resume_node(Asked asked) { BERTH_FORWARD(resume_node(std::move(asked))); }
awaitable<Result<void>> Deployer::resume(std::string app, Asked asked) { BERTH_FORWARD(resume(std::move(app), std::move(asked))); }
awaitable<Result<void>> Deployer::stop_app(InstanceSelector what, Asked asked) { BERTH_FORWARD(stop_app(std::move(what), std::move(asked))); }
awaitable<Result<void>> Deployer::start_app(InstanceSelector what, Asked asked) { BERTH_FORWARD(start_app(std::move(what), std::move(asked))); }
awaitable<Result<void>> Deployer::restart_app(InstanceSelector what, Asked asked) { BERTH_FORWARD(restart_app(std::move(what), std::move(asked))); }
awaitable<Result<void>> Deployer::scale(std::string app, std::string process, int instances, Asked asked) {
  BERTH_FORWARD(scale(std::move(app), std::move(process), instances, std::move(asked)));
}
awaitable<Result<void>> Deployer::pin(std::string app, std::string release, bool pinned, Asked asked) {
  BERTH_FORWARD(pin(std::move(app), std::move(release), pinned, std::move(asked)));
}
awaitable<Result<void>> Deployer::remove(std::string app, bool purge, bool force, Asked asked) { BERTH_FORWARD(remove(std::move(app), purge, force, std::move(asked))); }
awaitable<Result<Collected>> Deployer::collect(std::string app, bool dry_run, Asked asked) {
  BERTH_FORWARD(collect(std::move(app), dry_run, std::move(asked)));
}
awaitable<Result<ExecPlace>> Deployer::exec(ExecRequest request) { BERTH_FORWARD(execs().exec(std::move(request))); }
awaitable<Result<ExecStream>> Deployer::exec_stream(ExecRequest request) { BERTH_FORWARD(execs().exec_stream(std::move(request))); }
awaitable<Result<JobStatus>> Deployer::run_job(std::string app, std::string process, Asked asked) {
  BERTH_FORWARD(jobs().run(std::move(app), std::move(process), std::move(asked)));
}
awaitable<Result<JobStatus>> Deployer::job(WaitForJob what) { BERTH_FORWARD(jobs().status(std::move(what))); }
awaitable<Result<store::Import>> Deployer::import(ImportRequest request) { BERTH_FORWARD(slots().import(std::move(request))); }
awaitable<Result<Verified>> Deployer::verify(VerifyRequest request) { BERTH_FORWARD(slots().verify(std::move(request))); }
awaitable<Result<Releases>> Deployer::releases(std::string app) { BERTH_FORWARD(queries().releases(std::move(app))); }
awaitable<Result<std::map<std::string, std::vector<std::string>>>> Deployer::repository_apps() { BERTH_FORWARD(queries().repository_apps()); }
awaitable<Result<std::vector<AppStatus>>> Deployer::status() { BERTH_FORWARD(queries().status()); }
awaitable<Result<AppStatus>> Deployer::status(std::string app) { BERTH_FORWARD(queries().status(std::move(app))); }
awaitable<Result<Story>> Deployer::story(std::string app) { BERTH_FORWARD(queries().story(std::move(app))); }
awaitable<std::vector<MetricsTarget>> Deployer::metrics_targets() { BERTH_FORWARD(scraper().targets()); }
awaitable<std::vector<std::shared_ptr<AppPage>>> Deployer::scrape_apps() { BERTH_FORWARD(scraper().scrape()); }

#undef BERTH_FORWARD

const Counts& Deployer::counts() { return state_->counts(); }
const std::optional<store::Drain>& Deployer::drained() const { return state_->drained(); }
bool Deployer::ready() const { return state_->ready(); }

}  // namespace berth::deploy
