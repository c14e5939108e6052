#include "daemon/deploy/members.h"

#include <algorithm>

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include "core/spec/start_order.h"
#include "daemon/deploy/app_facts.h"
#include "daemon/deploy/config_files.h"
#include "daemon/deploy/data_steps.h"
#include "daemon/deploy/instance_plan.h"
#include "daemon/deploy/own_limits.h"

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

/// Whether there is more to wait for than that its process was started.
bool tells_when_ready(const spec::Process& process) { return process.startup || process.readiness || process.routing != spec::Routing::none; }

/// What keeps the instance from being started, or would; empty: nothing.
void note_lack(App& app, const InstanceId& id, std::string what) {
  const auto found = std::ranges::find(app.members, id, &Member::id);
  if (found != app.members.end()) found->lacks = std::move(what);
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

bool is_paused(const App& app, const InstanceId& id) {
  const auto found = std::ranges::find(app.members, id, &Member::id);
  return found != app.members.end() && found->row.paused;
}

std::vector<InstanceId> members_of(const App& app, const std::string& release) {
  std::vector<InstanceId> ids;
  for (const Member& member : app.members)
    if (member.row.release == release) ids.push_back(member.id());
  return ids;
}

bool Members::runs(const App& app, const std::string& release) const {
  const auto is_up = [this](const InstanceId& id) {
    const auto status = node_.supervisor.status(id);
    return status && status->pid > 0;
  };
  return std::ranges::any_of(members_of(app, release), is_up);
}

bool Members::ever_ran(const App& app, const std::string& release) const {
  const auto ran = [this](const InstanceId& id) {
    const auto status = node_.supervisor.status(id);
    return status && supervise::ever_ran(*status);
  };
  return std::ranges::any_of(members_of(app, release), ran);
}

awaitable<Result<int>> Members::wanted_of(AppPtr app, ManifestPtr manifest, std::string process) {
  if (manifest->spec.processes.at(process).job) co_return Result<int>(0);  // whatever was said when it was none
  const int said = manifest->spec.processes.at(process).instances;
  const auto look = [this, name = app->name(), process] { return node_.store.scale(name, process); };
  auto scale = co_await node_.pool.run(look);
  if (!scale) co_return std::unexpected(scale.error());
  co_return *scale && (*scale)->second == said ? (*scale)->first : said;
}

awaitable<Result<std::map<std::string, int>>> Members::wanted_by_process(AppPtr app, ManifestPtr manifest) {
  std::map<std::string, int> all;
  for (const auto& [process, rules] : manifest->spec.processes) {
    const auto wanted = co_await wanted_of(app, manifest, process);
    if (!wanted) co_return std::unexpected(wanted.error());
    all[process] = *wanted;
  }
  co_return all;
}

awaitable<Result<void>> Members::await_processes(AppPtr app, ManifestPtr manifest, std::string process, RunPtr run) {
  const auto& after = manifest->spec.processes.at(process).after;
  if (after.empty()) co_return Result<void>();
  const std::vector<std::string> named = after;
  auto ready = co_await wait_ready(app, manifest->release, run, manifest->spec.deploy.ready_timeout, named);
  if (ready || ready.error().code == Errc::cancelled) co_return ready;
  co_return pass(ready.error(), fmt::format("{}/{} starts after {}", app->name(), process, fmt::join(after, ", ")));
}

awaitable<Result<void>> Members::start_release(AppPtr app, ManifestPtr manifest, RunPtr run) {
  const std::vector<std::string> order = spec::start_order(manifest->spec);
  Result<void> outcome;
  for (const std::string& process : order) {
    const auto wanted = co_await wanted_of(app, manifest, process);
    if (!wanted) co_return std::unexpected(wanted.error());
    bool all_run = true;
    for (int number = 1; number <= *wanted; ++number) {
      const InstanceId id{app->name(), process, number, manifest->release};
      all_run = all_run && (node_.supervisor.status(id) || is_paused(*app, id));
    }
    if (!all_run && outcome) {
      const auto awaited = co_await await_processes(app, manifest, process, run);
      if (!awaited && (run || node_.closed)) co_return awaited;
      if (!awaited) co_await tell_unawaited(app, awaited.error());
    }
    for (int number = 1; number <= *wanted; ++number) {
      const InstanceId id{app->name(), process, number, manifest->release};
      // After one that could not be started none is, but what runs is taken over, and status has them all.
      if (!outcome && !node_.supervisor.status(id)) {
        const auto added = co_await add(app, manifest, id);
        if (!added) co_return std::unexpected(added.error());
        note_lack(*app, id, outcome.error().message);
        continue;
      }
      auto started = co_await start(app, manifest, id);
      if (started) continue;
      note_lack(*app, id, started.error().message);
      if (run || node_.closed) co_return started;
      if (outcome) outcome = std::move(started);
    }
  }
  co_return outcome;
}

awaitable<Result<store::InstanceRow>> Members::add(AppPtr app, ManifestPtr manifest, InstanceId id) {
  const spec::Process& rules = manifest->spec.processes.at(id.process);
  const bool with_port = rules.routing == spec::Routing::port;
  std::vector<std::string> names;
  for (const auto& [name, port] : rules.private_ports) names.push_back(name);
  const store::InstanceRow wanted{.app = id.app, .process = id.process, .number = id.number, .release = id.release};
  const auto add = [this, wanted, with_port, names] { return node_.store.add_instance(wanted, with_port, names); };
  auto row = co_await node_.pool.run(add);
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

awaitable<Result<void>> Members::start(AppPtr app, ManifestPtr manifest, InstanceId id) {
  const auto row = co_await add(app, manifest, id);
  if (!row) co_return std::unexpected(row.error());
  if (row->paused) co_return Result<void>();
  const spec::Process& rules = manifest->spec.processes.at(id.process);
  std::optional<Visits::Visit> visit;
  if (starting_ > 0 && !node_.supervisor.status(id)) {  // what runs already is taken over at once
    Visits::Visit begun = co_await starts_.begin();
    visit.emplace(std::move(begun));
    if (app->unplaced > 0) --app->unplaced;
    app->changed.notify();
    if (node_.closed) co_return fail(Errc::cancelled, "berthd stops");
  }
  const bool adopts = node_.supervisor.status(id).has_value();
  auto planned = co_await make_plan(app, manifest, *row, adopts);
  if (!planned) co_return std::unexpected(planned.error());
  auto ensured = co_await node_.supervisor.ensure(std::move(planned->plan));
  if (ensured) note_lack(*app, id, planned->lacks);
  if (ensured && visit && tells_when_ready(rules)) node_.spawn(count_start(app, id, manifest->spec.deploy.ready_timeout, std::move(*visit)));
  co_return ensured;
}

/// An instance that the node's start has begun counts until it is ready, will not be, or took as long as a deployment would give it.
awaitable<void> Members::count_start(AppPtr app, InstanceId id, milliseconds at_most, Visits::Visit visit) {
  const auto end = Steady::now() + at_most;
  while (!node_.closed) {
    const auto status = node_.supervisor.status(id);
    const auto left = left_until(end);
    if (!status || status->ready || !why_hopeless(*status).empty() || left <= 0ms) break;
    co_await app->changed.wait(left);
  }
  static_cast<void>(visit);
}

awaitable<Result<void>> Members::check_plans(AppPtr app, ManifestPtr manifest) {
  const auto check = [node = &node_.options.node, manifest, name = app->name(), uid = app->row.uid]() -> Result<void> {
    BERTH_TRY(const RunAs who, run_as(*node, *manifest, uid));
    BERTH_TRY(const auto secrets, resolve_secrets(*node, *manifest, false));  // a command is run once, by what uses its answer
    const OwnLimits own = read_own_limits();
    for (const auto& [process, rules] : manifest->spec.processes) {
      const InstanceId id{name, process, 1, manifest->release};
      if (const auto possible = check_limits(own, rules.limits); !possible) return pass(possible.error(), fmt::format("{}@{}: process {}", name, manifest->release, process));
      BERTH_CHECK(plan_instance(*node, *manifest, id, who, environment_of(*node, *manifest, id, kAnyPort, secrets)));
    }
    BERTH_TRY(const auto templates, read_templates(node->config_of(name, manifest->release)));
    return check_templates(*node, *manifest, templates, secrets);
  };
  auto checked = co_await node_.pool.run(check);
  co_return checked;
}

/// `adopts`: it runs, and is only to be taken over. Where a secret is missing then, it goes on with those that it was given.
awaitable<Result<Members::Planned>> Members::make_plan(AppPtr app, ManifestPtr manifest, store::InstanceRow row, bool adopts) {
  const InstanceId id{row.app, row.process, row.number, row.release};
  const auto compose = [node = &node_.options.node, manifest, id, row, adopts, uid = app->row.uid]() -> Result<Planned> {
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
    return Planned{.plan = std::move(plan), .lacks = std::move(lacks)};
  };
  auto planned = co_await node_.pool.run(compose);
  if (!planned) co_return planned;
  supervise::InstancePlan& plan = planned->plan;
  plan.private_ports = row.named_ports;
  plan.deployment = row.deployment;
  const auto pub = public_port(*manifest, row.process);
  if (!pub) co_return planned;
  if (pub->kind == spec::Routing::socket) {
    const auto socket = node_.router.listener(*pub, id);
    if (!socket) co_return std::unexpected(socket.error());
    plan.sockets = {{manifest->spec.processes.at(row.process).port_name, *socket}};
    plan.must_take_socket = true;
  }
  const route::Backend backend{.id = id, .private_port = row.port};
  if (pub->kind == spec::Routing::port) {
    const auto shielded = co_await node_.router.shield(*pub, backend);
    if (!shielded) co_return std::unexpected(shielded.error());
    for (const auto& [name, port] : row.named_ports) {
      const route::Backend named{.id = id, .private_port = port};
      const auto closed = co_await node_.router.shield(*pub, named);
      if (!closed) co_return std::unexpected(closed.error());
    }
  }
  plan.probe_endpoint = node_.router.probe_endpoint(*pub, backend);
  co_return planned;
}

awaitable<Result<void>> Members::wait_ready(AppPtr app, std::string release, RunPtr run, milliseconds at_most, std::vector<std::string> processes) {
  const auto end = Steady::now() + at_most;
  for (;;) {
    int ready = 0, wanted = 0;
    std::string missing;
    for (const InstanceId& id : members_of(*app, release)) {
      if (is_paused(*app, id) || (!processes.empty() && std::ranges::find(processes, id.process) == processes.end())) continue;
      ++wanted;
      const auto status = node_.supervisor.status(id);
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
    const bool gives_way = run && run->position.state == State::baking && (!run->superseded.empty() || app->row.stopped || node_.drained);
    if (node_.closed || gives_way || (run && !run->cancelled_by.empty())) co_return fail(Errc::cancelled, "cancelled");
    const auto left = left_until(end);
    if (left <= 0ms) co_return fail(Errc::timeout, fmt::format("not ready within {}: {}", spec::to_string(at_most), missing));
    co_await app->changed.wait(left);
  }
}

awaitable<void> Members::tell_unawaited(AppPtr app, Error error) {
  spdlog::warn("{}; it is started all the same", error.message);
  const store::Event event{.number = 0, .at = {}, .kind = "start.unawaited", .app = app->name(), .data = {{"reason", error.message}}};
  co_await node_.tell(event);
}

}  // namespace berth::deploy
