#include <algorithm>

#include <fmt/core.h>

#include "daemon/deploy/engine.h"
#include "daemon/deploy/instance_plan.h"

namespace berth::deploy {
namespace {

using namespace std::chrono_literals;
using io::Steady;

constexpr std::uint16_t kAnyPort = 20'000;  ///< stands for an instance's own, which it is given when it starts
constexpr int kMostExits = 3;  ///< an instance that ended so often while it was to become ready will not become it

milliseconds left_until(Steady::time_point end) {
  return std::max(milliseconds(0), std::chrono::ceil<milliseconds>(end - Steady::now()));
}

std::int64_t exits_of(const supervise::InstanceStatus& status) {
  std::int64_t count = 0;
  for (const auto& [reason, times] : status.exits_by_reason) count += times;
  return count;
}

}  // namespace

std::string short_name(InstanceId id) {
  id.release.clear();
  return to_string(id);
}

std::string why_hopeless(const supervise::InstanceStatus& status) {
  const std::string how = status.last_exit ? status.last_exit->reason : "ended";
  if (status.phase == supervise::Phase::ended) return fmt::format("{} {}, and its restart rule leaves it at that", short_name(status.id), how);
  const auto exits = exits_of(status);
  if (status.phase == supervise::Phase::waiting && exits >= kMostExits) return fmt::format("{} {} ({} times)", short_name(status.id), how, exits);
  return {};
}

namespace {

/// Whether there is more to wait for than that its process was started.
bool tells_when_ready(const spec::Process& process) { return process.startup || process.readiness || process.routing != spec::Routing::none; }

/// What keeps the instance from being started, or would; empty: nothing.
void note_lack(App& app, const InstanceId& id, std::string what) {
  const auto found = std::ranges::find(app.members, id, &Member::id);
  if (found != app.members.end()) found->lacks = std::move(what);
}

}  // namespace

bool is_paused(const App& app, const InstanceId& id) {
  const auto found = std::ranges::find(app.members, id, &Member::id);
  return found != app.members.end() && found->row.paused;
}

std::vector<InstanceId> Engine::members_of(const App& app, const std::string& release) const {
  std::vector<InstanceId> ids;
  for (const Member& member : app.members)
    if (member.row.release == release) ids.push_back(member.id());
  return ids;
}

/// Whether an instance of the release was ever executed here, of those that are known.
bool Engine::ever_ran(const App& app, const std::string& release) const {
  const auto ran = [this](const InstanceId& id) {
    const auto status = supervisor_.status(id);
    return status && supervise::ever_ran(*status);
  };
  return std::ranges::any_of(members_of(app, release), ran);
}

/// How many instances a process is to have: what `berth scale` said, while the spec says the number that it said then.
awaitable<Result<int>> Engine::wanted_of(AppPtr app, ManifestPtr manifest, std::string process) {
  if (manifest->spec.processes.at(process).job) co_return Result<int>(0);  // whatever was said when it was none
  const int said = manifest->spec.processes.at(process).instances;
  const auto look = [this, name = app->name(), process] { return store_.scale(name, process); };
  auto scale = co_await pool_.run(look);
  if (!scale) co_return std::unexpected(scale.error());
  co_return *scale && (*scale)->second == said ? (*scale)->first : said;
}

/// Makes the release's instances run, those that run already included; returns when each was started. `run`: the deployment that does, or null.
awaitable<Result<void>> Engine::start_release(AppPtr app, ManifestPtr manifest, RunPtr run) {
  const std::vector<std::string> order = spec::start_order(manifest->spec);
  Result<void> outcome;
  for (const std::string& process : order) {
    const auto wanted = co_await wanted_of(app, manifest, process);
    if (!wanted) co_return std::unexpected(wanted.error());
    bool all_run = true;
    for (int number = 1; number <= *wanted; ++number) {
      const InstanceId id{app->name(), process, number, manifest->release};
      all_run = all_run && (supervisor_.status(id) || is_paused(*app, id));
    }
    if (!all_run && outcome) {
      const auto awaited = co_await await_processes(app, manifest, process, run);
      if (!awaited && (run || closed_)) co_return awaited;
      if (!awaited) co_await tell_unawaited(app, awaited.error());
    }
    for (int number = 1; number <= *wanted; ++number) {
      const InstanceId id{app->name(), process, number, manifest->release};
      // After one that could not be started none is, but what runs is taken over, and status has them all.
      if (!outcome && !supervisor_.status(id)) {
        const auto added = co_await add_member(app, manifest, id);
        if (!added) co_return std::unexpected(added.error());
        note_lack(*app, id, outcome.error().message);
        continue;
      }
      auto started = co_await start_member(app, manifest, id);
      if (started) continue;
      note_lack(*app, id, started.error().message);
      if (run || closed_) co_return started;
      if (outcome) outcome = std::move(started);
    }
  }
  co_return outcome;
}

/// Writes down that the release has the instance, with the ports that it is to have.
awaitable<Result<store::InstanceRow>> Engine::add_member(AppPtr app, ManifestPtr manifest, InstanceId id) {
  const spec::Process& rules = manifest->spec.processes.at(id.process);
  const bool with_port = rules.routing == spec::Routing::port;
  std::vector<std::string> names;
  for (const auto& [name, port] : rules.private_ports) names.push_back(name);
  const store::InstanceRow wanted{.app = id.app, .process = id.process, .number = id.number, .release = id.release};
  const auto add = [this, wanted, with_port, names] { return store_.add_instance(wanted, with_port, names); };
  auto row = co_await pool_.run(add);
  if (!row) co_return std::unexpected(row.error());
  const auto known = std::ranges::find(app->members, id, &Member::id);
  if (known == app->members.end()) {
    app->members.push_back({.row = *row});
  } else {
    known->row = *row;
    known->leaving = false;
  }
  co_return row;
}

awaitable<Result<void>> Engine::start_member(AppPtr app, ManifestPtr manifest, InstanceId id) {
  const auto row = co_await add_member(app, manifest, id);
  if (!row) co_return std::unexpected(row.error());
  if (row->paused) co_return Result<void>();
  const spec::Process& rules = manifest->spec.processes.at(id.process);
  std::optional<Visits::Visit> visit;
  if (starting_node_ > 0 && !supervisor_.status(id)) {  // what runs already is taken over at once
    Visits::Visit begun = co_await starts_.begin();
    visit.emplace(std::move(begun));
    if (app->unplaced > 0) --app->unplaced;
    app->changed.notify();
    if (closed_) co_return fail(Errc::cancelled, "berthd stops");
  }
  const bool adopts = supervisor_.status(id).has_value();
  auto planned = co_await make_plan(app, manifest, *row, adopts);
  if (!planned) co_return std::unexpected(planned.error());
  auto ensured = co_await supervisor_.ensure(std::move(planned->plan));
  if (ensured) note_lack(*app, id, planned->lacks);
  if (ensured && visit && tells_when_ready(rules)) spawn(count_start(app, id, manifest->spec.deploy.ready_timeout, std::move(*visit)));
  co_return ensured;
}

/// An instance that the node's start has begun counts until it is ready, will not be, or took as long as a deployment would give it.
awaitable<void> Engine::count_start(AppPtr app, InstanceId id, milliseconds at_most, Visits::Visit visit) {
  const auto end = Steady::now() + at_most;
  while (!closed_) {
    const auto status = supervisor_.status(id);
    const auto left = left_until(end);
    if (!status || status->ready || !why_hopeless(*status).empty() || left <= 0ms) break;
    co_await app->changed.wait(left);
  }
  static_cast<void>(visit);
}

/// Whether each process could be planned: its secrets are there, and so are its programs. Nothing is started for that, so a release that fails here is not
/// rejected: it may do once the node has what is missing.
awaitable<Result<void>> Engine::check_plans(AppPtr app, ManifestPtr manifest) {
  const auto check = [node = &options_.node, manifest, name = app->name(), uid = app->row.uid]() -> Result<void> {
    BERTH_TRY(const RunAs who, run_as(*node, *manifest, uid));
    BERTH_TRY(const auto secrets, resolve_secrets(*node, *manifest, false));  // a command is run once, by what uses its answer
    for (const auto& [process, rules] : manifest->spec.processes) {
      const InstanceId id{name, process, 1, manifest->release};
      BERTH_CHECK(plan_instance(*node, *manifest, id, who, environment_of(*node, *manifest, id, kAnyPort, secrets)));
    }
    return {};
  };
  auto checked = co_await pool_.run(check);
  co_return checked;
}

/// `adopts`: it runs, and is only to be taken over. Where a secret is missing then, it goes on with those that it was given.
awaitable<Result<Engine::PlannedInstance>> Engine::make_plan(AppPtr app, ManifestPtr manifest, store::InstanceRow row, bool adopts) {
  const InstanceId id{row.app, row.process, row.number, row.release};
  const auto compose = [node = &options_.node, manifest, id, row, adopts, uid = app->row.uid]() -> Result<PlannedInstance> {
    BERTH_TRY(const RunAs who, run_as(*node, *manifest, uid));
    auto secrets = resolve_secrets(*node, *manifest);
    std::string lacks;
    if (!secrets && adopts) {
      lacks = secrets.error().message;
      if (auto given = secrets_given_to(*node, *manifest, id)) secrets = std::move(*given);
    }
    if (!secrets) return std::unexpected(secrets.error());
    const auto environment = environment_of(*node, *manifest, id, row.port, *secrets, row.named_ports);
    BERTH_TRY(auto plan, plan_instance(*node, *manifest, id, who, environment));
    if (lacks.empty()) BERTH_CHECK(prepare_folders(*node, *manifest, id, who, environment, *secrets));
    return PlannedInstance{.plan = std::move(plan), .lacks = std::move(lacks)};
  };
  auto planned = co_await pool_.run(compose);
  if (!planned) co_return planned;
  supervise::InstancePlan& plan = planned->plan;
  plan.private_ports = row.named_ports;
  plan.deployment = row.deployment;
  const auto pub = public_port(*manifest, row.process);
  if (!pub) co_return planned;
  if (pub->kind == spec::Routing::socket) {
    const auto socket = router_.listener(*pub, id);
    if (!socket) co_return std::unexpected(socket.error());
    plan.sockets = {{manifest->spec.processes.at(row.process).port_name, *socket}};
    plan.must_take_socket = true;
  }
  const route::Backend backend{.id = id, .private_port = row.port};
  if (pub->kind == spec::Routing::port) {
    const auto shielded = co_await router_.shield(*pub, backend);
    if (!shielded) co_return std::unexpected(shielded.error());
    for (const auto& [name, port] : row.named_ports) {
      const route::Backend named{.id = id, .private_port = port};
      const auto closed = co_await router_.shield(*pub, named);
      if (!closed) co_return std::unexpected(closed.error());
    }
  }
  plan.probe_endpoint = router_.probe_endpoint(*pub, backend);
  co_return planned;
}

/// Waits until every instance of the release, or of `processes` of it, is ready. `run` is told how far it is, and ends the waiting where it is cancelled; it may be null.
awaitable<Result<void>> Engine::wait_ready(AppPtr app, std::string release, RunPtr run, milliseconds at_most, std::vector<std::string> processes) {
  const auto end = Steady::now() + at_most;
  for (;;) {
    int ready = 0, wanted = 0;
    std::string missing;
    for (const InstanceId& id : members_of(*app, release)) {
      if (is_paused(*app, id) || (!processes.empty() && std::ranges::find(processes, id.process) == processes.end())) continue;
      ++wanted;
      const auto status = supervisor_.status(id);
      if (status && status->ready) {
        ++ready;
        continue;
      }
      if (missing.empty()) missing = fmt::format("{}: {}", short_name(id), status ? status->not_ready : "it does not run");
      if (const std::string hopeless = status ? why_hopeless(*status) : ""; !hopeless.empty()) co_return fail(Errc::io, hopeless);
    }
    if (run && processes.empty() && (run->ready != ready || run->wanted != wanted)) {
      run->ready = ready;
      run->wanted = wanted;
      run->changed.notify();
    }
    if (ready == wanted) co_return Result<void>();
    const bool gives_way = run && run->position.state == State::baking && (!run->superseded.empty() || app->row.stopped || drained_);
    if (closed_ || gives_way || (run && !run->cancelled_by.empty())) co_return fail(Errc::cancelled, "cancelled");
    const auto left = left_until(end);
    if (left <= 0ms) co_return fail(Errc::timeout, fmt::format("not ready within {}: {}", spec::to_string(at_most), missing));
    co_await app->changed.wait(left);
  }
}

/// Takes instances out of the route, waits for their connections to end, and stops them, all at once.
awaitable<void> Engine::stop_members(AppPtr app, std::vector<InstanceId> ids, milliseconds at_most) {
  if (ids.empty()) co_return;
  for (Member& member : app->members)
    if (std::ranges::find(ids, member.id()) != ids.end()) member.leaving = true;
  static_cast<void>(co_await route(app));
  co_await drain(app, ids, at_most);
  std::vector<awaitable<void>> stops;
  for (const InstanceId& id : ids) stops.push_back(stop_member(app, id));
  co_await at_once(std::move(stops));
}

/// Stops an instance, and forgets it.
awaitable<void> Engine::stop_member(AppPtr app, InstanceId id) {
  const auto stopped = co_await stop_instance(app, id);
  if (closed_) co_return;
  if (!stopped) note_problem(*app, stopped.error().message);
  const auto found = std::ranges::find(app->members, id, &Member::id);
  if (found == app->members.end()) co_return;
  const store::InstanceRow row = found->row;
  const auto forget = [this, row, id]() -> Result<void> {
    BERTH_CHECK(remove_folders(options_.node, id));
    return store_.remove_instance(row);
  };
  const auto forgotten = co_await pool_.run(forget);
  if (!forgotten) {
    note_problem(*app, forgotten.error().message);
    spawn(forget_later(app, row));
  }
  std::erase_if(app->members, [&](const Member& member) { return member.id() == id; });
}

/// A listening socket of its own leaves the port's group while its keeper still holds it. With a private port, no client is led to where nobody listens any more.
awaitable<Result<void>> Engine::stop_instance(AppPtr app, InstanceId id) {
  std::function<void()> let_go;
  std::optional<route::Public> pub;
  if (const auto manifest = app->manifests.find(id.release); manifest != app->manifests.end()) pub = public_port(*manifest->second, id.process);
  if (pub && pub->kind == spec::Routing::socket)
    let_go = [this, port = *pub, id] { static_cast<void>(router_.close_listener(port, id)); };
  route::Backend backend{.id = id};
  if (const auto member = std::ranges::find(app->members, id, &Member::id); member != app->members.end()) backend.private_port = member->row.port;
  if (pub) static_cast<void>(co_await router_.forget_closed(*pub, backend));
  auto stopped = co_await supervisor_.stop(id, let_go);
  if (pub && !closed_) static_cast<void>(co_await router_.forget_closed(*pub, backend));  // its end may have reset some
  co_return stopped;
}

awaitable<void> Engine::stop_release(AppPtr app, std::string release, milliseconds at_most) {
  co_await stop_members(app, members_of(*app, release), at_most);
}

awaitable<void> Engine::stop_all_but(AppPtr app, std::string release, milliseconds at_most) {
  std::vector<InstanceId> ids;
  for (const Member& member : app->members)
    if (member.row.release != release) ids.push_back(member.id());
  co_await end_jobs(app, release);
  co_await stop_members(app, std::move(ids), at_most);
}

/// Stops what runs of the app and is no member: what a crash left between two steps.
awaitable<void> Engine::stop_strangers(AppPtr app) {
  for (const auto& status : supervisor_.all()) {
    if (status.id.app != app->name() || is_awaited_hook(*app, status.id) || is_exec(status.id) || running_job(*app, status.id) || std::ranges::find(app->members, status.id, &Member::id) != app->members.end()) continue;
    const InstanceId id = status.id;
    const auto stopped = co_await stop_instance(app, id);
    if (closed_) co_return;
    if (!stopped) continue;
    const auto remove = [this, id] { return remove_folders(options_.node, id); };
    if (const auto removed = co_await pool_.run(remove); !removed) note_problem(*app, removed.error().message);
  }
}

}  // namespace berth::deploy
