#include "daemon/deploy/node.h"

#include <algorithm>
#include <exception>
#include <string>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <fmt/core.h>

#include "core/spec/app_spec.h"
#include "daemon/deploy/app_facts.h"

namespace berth::deploy {
namespace {

using namespace std::chrono_literals;

constexpr int kMostVisits = 2;  ///< threads of the pool that may wait for the repository at once

awaitable<void> holding(std::shared_ptr<void> owner, awaitable<void> task) {
  co_await std::move(task);
  static_cast<void>(owner);
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

Node::Node(Parts parts)
    : executor(std::move(parts.executor)),
      pool(parts.pool),
      idle(parts.idle),
      store(parts.store),
      supervisor(parts.supervisor),
      router(parts.router),
      repository(parts.repository),
      options(std::move(parts.options)),
      visits(executor, kMostVisits) {}

void Node::spawn(awaitable<void> task) {
  boost::asio::co_spawn(executor, holding(owner_.lock(), std::move(task)), [](std::exception_ptr thrown) {
    if (thrown) std::rethrow_exception(thrown);  // expected failures are values
  });
}

awaitable<void> Node::at_once(std::vector<awaitable<void>> tasks) {
  const auto together = std::make_shared<Together>(executor, tasks.size());
  for (awaitable<void>& task : tasks) spawn(counted(together, std::move(task)));
  while (together->left > 0 && !closed) co_await together->ended.wait(1h);
}

AppPtr Node::find(const std::string& name) const {
  const auto found = apps.find(name);
  return found == apps.end() ? nullptr : found->second;
}

Result<AppPtr> Node::known(const std::string& name) const {
  AppPtr app = find(name);
  if (app) return app;
  const store::LeftApp left = store.left_of(name);
  if (!left.data && !left.logs) return fail(Errc::not_found, fmt::format("app {} is not on this node; 'berth apps' lists what is", name) + meant(name));
  const char* what = left.data && left.logs ? "data and logs are" : left.data ? "data are" : "logs are";
  return fail(Errc::not_found, fmt::format("app {0} was removed, and its {1} on this node still: 'berth deploy {0}@RELEASE' brings it back, 'berth remove {0} --purge' takes them away", name, what));
}

std::string Node::meant(const std::string& name) const {
  std::vector<std::string> names;
  for (const auto& [known_name, app] : apps) names.push_back(known_name);
  const auto nearest = spec::nearest(name, names);
  return nearest && *nearest != name ? fmt::format(" (did you mean '{}'?)", *nearest) : std::string();
}

awaitable<Result<AppPtr>> Node::ensure_app(std::string name) {
  if (AppPtr app = find(name)) co_return app;
  const auto add = [this, name] { return store.ensure_app(name); };
  auto row = co_await pool.run(add);
  if (!row) co_return std::unexpected(row.error());
  const auto newcomer = newcomers.find(name);
  AppPtr app = newcomer == newcomers.end() ? std::make_shared<App>(executor, *row) : newcomer->second;
  app->row = std::move(*row);
  if (newcomer != newcomers.end()) newcomers.erase(newcomer);
  apps[name] = app;
  unknown.remove(name);
  co_return app;
}

awaitable<Result<void>> Node::reload(AppPtr app) {
  const auto look = [this, name = app->name()] { return store.app(name); };
  auto row = co_await pool.run(look);
  if (!row) co_return std::unexpected(row.error());
  if (*row) {
    app->row.active = std::move((*row)->active);
    app->row.previous = std::move((*row)->previous);
  }
  co_return Result<void>();
}

awaitable<Turn> Node::take(AppPtr app) {
  while (app->busy) co_await app->turn.wait(60s);
  app->busy = true;
  co_return Turn(app);
}

awaitable<void> Node::insist(AppPtr app, std::function<Result<void>()> work) {
  const std::string before = app->problem;
  std::string told;
  for (auto pause = 100ms; !closed; pause = std::min(pause * 2, milliseconds(2000))) {
    const auto done = co_await pool.run(work);
    if (done) break;
    told = done.error().message;
    note_problem(*app, told);
    co_await io::sleep_for(pause);
  }
  if (!told.empty() && app->problem == told) app->problem = before;
}

void Node::keep_releases(Run& run) { run.in_use = store.use(run.row.app, {run.row.release, run.row.from}); }

awaitable<Result<ManifestPtr>> Node::manifest_of(AppPtr app, std::string release) {
  if (const auto cached = app->manifests.find(release); cached != app->manifests.end()) co_return cached->second;
  const auto read = [this, name = app->name(), release] { return store.manifest(name, release); };
  auto manifest = co_await pool.run(read);
  if (!manifest) co_return std::unexpected(manifest.error());
  ManifestPtr shared = std::make_shared<const bundle::Manifest>(std::move(*manifest));
  app->manifests[release] = shared;
  co_return shared;
}

awaitable<void> Node::tell(store::Event event) {
  const auto add = [this, event] { store.tell(event); };
  co_await pool.run(add);
}

awaitable<Result<void>> Node::write_down(store::Event event) {
  const auto add = [this, event] { return store.add_event(event); };
  auto added = co_await pool.run(add);
  if (!added) co_return fail(Errc::io, "who asks for it cannot be written down, so it is not done: " + added.error().message);
  co_return added;
}

std::pair<AppPtr, RunPtr> Node::find_run(std::int64_t id) const {
  for (const auto* known : {&apps, &newcomers}) {
    for (const auto& [name, app] : *known) {
      if (app->run && app->run->row.id == id) return {app, app->run};
      for (const RunPtr& run : app->giving_way)
        if (run->row.id == id) return {app, run};
      for (const RunPtr& run : app->queue)
        if (run->row.id == id) return {app, run};
    }
  }
  return {};
}

std::function<void(std::string&)> Node::redacting(const std::string& app) const {
  const auto given = options.node.given_secrets;
  if (!given) return {};
  return [given, app](std::string& text) { given->redact(app, text); };
}

awaitable<void> Node::note(RunPtr run, std::string text) {
  if (!add_note(*run, text)) co_return;
  put_detail(*run);
  const store::Event event{.number = 0, .at = {}, .kind = "deployment.note", .app = run->row.app,
                           .data = {{"deployment", run->row.id}, {"release", run->row.release}, {"note", text}}};
  const auto write = [this, row = run->row, event] { static_cast<void>(store.update_deployment(row, {event})); };
  co_await pool.run(write);
}

awaitable<void> Node::tell_notes(RunPtr run) {
  const std::vector<std::string> texts = std::move(run->to_note);
  run->to_note.clear();
  for (const std::string& text : texts) co_await note(run, text);
}

Result<void> Node::not_drained() const {
  if (!drained) return {};
  return fail(Errc::conflict, fmt::format("this node is drained ({}): no app runs here, and no deployment is taken, until 'berth node resume'", to_string(*drained)));
}

}  // namespace berth::deploy
