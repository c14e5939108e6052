#include "daemon/deploy/engine.h"
#include "daemon/deploy/instance_plan.h"

#include <exception>

#include <boost/asio/co_spawn.hpp>
#include <fmt/core.h>
#include <spdlog/spdlog.h>

namespace berth::deploy {
namespace {

using namespace std::chrono_literals;

constexpr int kMostVisits = 2;  ///< threads of the pool that may wait for the repository at once

awaitable<void> holding(std::shared_ptr<Engine> engine, awaitable<void> task) {
  co_await std::move(task);
  static_cast<void>(engine);
}

/// How many of some coroutines have not ended.
struct Together {
  Together(const boost::asio::any_io_executor& executor, std::size_t count) : left(count), ended(executor) {}
  std::size_t left;
  io::Event ended;
};

awaitable<void> counted(std::shared_ptr<Together> together, awaitable<void> task) {
  co_await std::move(task);
  --together->left;
  together->ended.notify();
}

}  // namespace

Engine::Engine(Parts parts)
    : executor_(std::move(parts.executor)),
      pool_(parts.pool),
      idle_(parts.idle),
      store_(parts.store),
      supervisor_(parts.supervisor),
      router_(parts.router),
      repository_(parts.repository),
      options_(std::move(parts.options)),
      visits_(executor_, kMostVisits),
      looks_(executor_, 1),
      starts_(executor_, options_.start_at_once),
      copies_(executor_, 2) {}

void Engine::spawn(awaitable<void> task) {
  boost::asio::co_spawn(executor_, holding(shared_from_this(), std::move(task)), [](std::exception_ptr thrown) {
    if (thrown) std::rethrow_exception(thrown);  // expected failures are values
  });
}

/// Returns when all have ended, or berthd stops.
awaitable<void> Engine::at_once(std::vector<awaitable<void>> tasks) {
  const auto together = std::make_shared<Together>(executor_, tasks.size());
  for (awaitable<void>& task : tasks) spawn(counted(together, std::move(task)));
  while (together->left > 0 && !closed_) co_await together->ended.wait(1h);
}

void Engine::close() {
  closed_ = true;
  ready_ = false;
  supervisor_.on_change(nullptr);
  settled_ = [](const std::string&) {};
  looking_.request_stop();
  for (const auto* known : {&apps_, &newcomers_}) {
    for (const auto& [name, app] : *known) {
      if (app->run) app->run->stop.request_stop();
      app->changed.notify();
    }
  }
}

AppPtr Engine::find(const std::string& name) const {
  const auto found = apps_.find(name);
  return found == apps_.end() ? nullptr : found->second;
}

Result<AppPtr> Engine::known(const std::string& name) const {
  AppPtr app = find(name);
  if (!app) return fail(Errc::not_found, fmt::format("app {} is not on this node; 'berth apps' lists what is", name));
  return app;
}

/// The app gets its folders and user when its first release is to be staged.
awaitable<Result<AppPtr>> Engine::ensure_app(std::string name) {
  if (AppPtr app = find(name)) co_return app;
  const auto add = [this, name] { return store_.ensure_app(name); };
  auto row = co_await pool_.run(add);
  if (!row) co_return std::unexpected(row.error());
  const auto newcomer = newcomers_.find(name);
  AppPtr app = newcomer == newcomers_.end() ? std::make_shared<App>(executor_, *row) : newcomer->second;
  app->row = std::move(*row);
  if (newcomer != newcomers_.end()) newcomers_.erase(newcomer);
  apps_[name] = app;
  unknown_.remove(name);
  co_return app;
}

/// Takes over what the database says of the app's releases.
awaitable<Result<void>> Engine::reload(AppPtr app) {
  const auto look = [this, name = app->name()] { return store_.app(name); };
  auto row = co_await pool_.run(look);
  if (!row) co_return std::unexpected(row.error());
  if (*row) {
    app->row.active = std::move((*row)->active);
    app->row.previous = std::move((*row)->previous);
  }
  co_return Result<void>();
}

awaitable<Turn> Engine::take(AppPtr app) {
  while (app->busy) co_await app->turn.wait(60s);
  app->busy = true;
  co_return Turn(app);
}

awaitable<Result<ManifestPtr>> Engine::manifest_of(AppPtr app, std::string release) {
  if (const auto cached = app->manifests.find(release); cached != app->manifests.end()) co_return cached->second;
  const auto read = [this, name = app->name(), release] { return store_.manifest(name, release); };
  auto manifest = co_await pool_.run(read);
  if (!manifest) co_return std::unexpected(manifest.error());
  ManifestPtr shared = std::make_shared<const bundle::Manifest>(std::move(*manifest));
  app->manifests[release] = shared;
  co_return shared;
}

/// Adds an event on its own. Where the disk takes none, what it tells of has happened all the same.
awaitable<void> Engine::tell(store::Event event) {
  const auto add = [this, event] { static_cast<void>(store_.add_event(event)); };
  co_await pool_.run(add);
}

void Engine::on_change(const supervise::InstanceChange& change) {
  using Kind = supervise::InstanceChange::Kind;
  if (closed_) return;
  const AppPtr app = find(change.id.app);
  const JobPtr job = app ? running_job(*app, change.id) : nullptr;
  if (spec::is_hook_name(change.id.process) || is_exec(change.id) || job) {  // it has events of its own, and is no trouble
    const auto status = job ? supervisor_.status(change.id) : std::nullopt;
    if (status) job->tries = static_cast<int>(status->restarts) + 1;
    if (app) app->changed.notify();
    return;
  }
  if (change.kind == Kind::exited || change.kind == Kind::gone) {
    const bool meant = (app && app->quiet > 0) || (change.kind == Kind::exited && change.stopped);
    spdlog::log(meant ? spdlog::level::info : spdlog::level::warn, "{}: {}", to_string(change.id), change.exit ? change.exit->reason : change.reason);
    boost::json::object data{{"instance", to_string(change.id)}, {"reason", change.exit ? change.exit->reason : change.reason}};
    if (change.exit) data["ran_ms"] = change.exit->ran.count();
    spawn(tell({.number = 0, .at = {}, .kind = change.kind == Kind::exited ? "instance.exit" : "keeper.gone", .app = change.id.app, .data = std::move(data)}));
  }
  if (change.kind == Kind::kept) {
    spdlog::warn("{}: {}", to_string(change.id), change.reason);
    boost::json::object data{{"instance", to_string(change.id)}, {"reason", change.reason}};
    return spawn(tell({.number = 0, .at = {}, .kind = "keeper.taken_over", .app = change.id.app, .data = std::move(data)}));
  }
  if (change.kind == Kind::renewed) return spdlog::info("{}: its keeper is the program of this berthd now", to_string(change.id));
  if (change.kind == Kind::not_renewed) return spdlog::warn("{}: its keeper goes on as it is: {}", to_string(change.id), change.reason);
  if (!app) return;
  tell_readiness(app, change);
  note_trouble(*app, change);
  if (app->run && (app->run->position.state == State::baking || app->run->position.state == State::canary)) count_ready(*app, *app->run);
  app->changed.notify();
  if (is_routed(*app, change.id) && change.kind != Kind::started) spawn(route_later(app));
}

void note_problem(App& app, std::string what) {
  if (app.problem != what) spdlog::warn("{}: {}", app.name(), what);
  app.problem = std::move(what);
}

store::Event deployment_event(const Run& run) {
  boost::json::object data{{"deployment", run.row.id}, {"release", run.row.release}, {"kind", run.row.kind}, {"state", to_string(run.position.state)}};
  if (!run.row.reason.empty()) data["reason"] = run.row.reason;
  if (run.position.state == State::queued) {
    data["by"] = run.row.by;
    if (!run.row.why.empty()) data["why"] = run.row.why;
    if (!run.row.from.empty()) data["from"] = run.row.from;
  }
  return {.number = 0, .at = {}, .kind = "deployment.state", .app = run.row.app, .data = std::move(data)};
}

boost::json::object sealed_data(const store::SlotRow& slot, const fetch::Staged& staged) {
  boost::json::object data{{"release", slot.release},
                           {"manifest_sha256", slot.manifest_sha256},
                           {"bytes", slot.bytes},
                           {"fetched", {{"layer", staged.layer_bytes}, {"patch", staged.patch_bytes}, {"index", staged.index_bytes}}}};
  if (!slot.signed_by.empty())
    data["signed_by"] = {{"role", slot.signed_by}, {"keys", boost::json::array(slot.signing_keys.begin(), slot.signing_keys.end())}};
  if (!staged.patched_from.empty()) data["patched_from"] = staged.patched_from;
  if (!staged.notes.empty()) data["notes"] = boost::json::array(staged.notes.begin(), staged.notes.end());
  return data;
}

store::Event operator_event(std::string kind, const std::string& app, const Asked& asked, boost::json::object data) {
  data["by"] = asked.by;
  if (!asked.why.empty()) data["why"] = asked.why;
  return {.number = 0, .at = {}, .kind = "operator." + std::move(kind), .app = app, .data = std::move(data)};
}

}  // namespace berth::deploy
