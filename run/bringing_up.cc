#include <algorithm>

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include "daemon/deploy/instance_plan.h"
#include "run/runner.h"

// The order of a node's deployment: the first hook, processes that others come after, the others, and the hook that wants all of them ready.

namespace berth::run {
namespace {

using namespace std::chrono_literals;
using io::Steady;

constexpr const char* kPreStart = "pre-start";
constexpr const char* kPostStart = "post-start";

std::string end_reason(const supervise::InstanceStatus& status) { return status.last_exit ? status.last_exit->reason : std::string("ended"); }

}  // namespace

std::vector<InstanceId> Runner::instances_of(const std::string& process) const {
  std::vector<InstanceId> ids;
  const auto wanted = release_.instances.find(process);
  const int count = wanted == release_.instances.end() ? 0 : wanted->second;
  for (int number = 1; number <= count; ++number) ids.push_back({release_.manifest.app, process, number, release_.manifest.release});
  return ids;
}

awaitable<Result<void>> Runner::bring_up() {
  if (stops_ > 0) co_return fail(Errc::cancelled, "stopped");  // before its first hook, which may be a migration
  node_.environment = release_.manifest.environment;
  node_.local_app = release_.app;
  node_.local_config = release_.config;
  const std::string pre_start = kPreStart, post_start = kPostStart;
  const std::vector<std::string> order = spec::start_order(release_.manifest.spec);
  auto done = take_ports(order);
  if (!done) co_return done;
  done = co_await run_hook(pre_start);
  if (!done) co_return done;
  std::set<std::string> all;
  for (const std::string& name : order) {
    if (instances_of(name).empty()) continue;
    all.insert(name);
    done = co_await start_process(name);
    if (!done) co_return done;
  }
  up_ = true;
  changed_.notify();
  if (!release_.manifest.spec.hooks.contains(post_start)) co_return Result<void>();
  done = co_await await_ready(all);
  if (!done) co_return done;
  done = co_await run_hook(post_start);
  co_return done;
}

/// The ports of all instances: one that is taken is told before the first hook, which may be a migration.
Result<void> Runner::take_ports(const std::vector<std::string>& processes) {
  for (const std::string& name : processes)
    for (const InstanceId& id : instances_of(name)) BERTH_CHECK(ports_->of(name, release_.manifest.spec.processes.at(name), id.number));
  return {};
}

awaitable<Result<void>> Runner::start_process(std::string name) {
  const auto& after = release_.manifest.spec.processes.at(name).after;
  if (!after.empty()) {
    const std::set<std::string> named(after.begin(), after.end());
    const auto ready = co_await await_ready(named);
    if (!ready && ready.error().code == Errc::cancelled) co_return ready;
    if (!ready) co_return pass(ready.error(), fmt::format("{} starts after {}", name, fmt::join(named, ", ")));
  }
  const std::vector<InstanceId> ids = instances_of(name);
  for (const InstanceId& id : ids) {
    if (stops_ > 0 || exit_) co_return fail(Errc::cancelled, "stopped");
    auto started = co_await start_instance(id);
    if (!started) co_return started;
  }
  co_return Result<void>();
}

/// One that runs is given the new plan, and started again with it.
awaitable<Result<void>> Runner::start_instance(InstanceId id) {
  auto planned = co_await plan(id);
  if (!planned) co_return std::unexpected(planned.error());
  if (stops_ > 0 || exit_) co_return fail(Errc::cancelled, "stopped");  // while it was planned
  const bool runs = supervisor_.status(id).has_value();
  auto started = co_await supervisor_.ensure(std::move(*planned));
  if (!started || !runs) co_return started;
  const std::string why = "files changed";
  started = co_await supervisor_.restart(id, why);
  co_return started;
}

/// Until all instances of these processes are ready, as long as a deployment would wait.
awaitable<Result<void>> Runner::await_ready(std::set<std::string> processes) {
  const milliseconds at_most = release_.manifest.spec.deploy.ready_timeout;
  const auto end = Steady::now() + at_most;
  for (;;) {
    if (stops_ > 0 || exit_ || wants_restart_) co_return fail(Errc::cancelled, "stopped");
    std::string missing;
    for (const std::string& process : processes) {
      for (const InstanceId& id : instances_of(process)) {
        const auto status = supervisor_.status(id);
        if (status && status->ready) continue;
        missing = fmt::format("{}.{}: {}", id.process, id.number, status ? status->not_ready : "it does not run");
        if (status && status->phase == supervise::Phase::ended) co_return fail(Errc::io, fmt::format("{}.{} {}, and is not started again", id.process, id.number, end_reason(*status)));
      }
    }
    if (missing.empty()) co_return Result<void>();
    const auto left = std::chrono::ceil<milliseconds>(end - Steady::now());
    if (left <= 0ms) co_return fail(Errc::timeout, fmt::format("not ready within {}: {}", spec::to_string(at_most), missing));
    co_await changed_.wait(left);
  }
}

/// Runs a hook to its end, where there is one. It runs once, like on a node: as an instance of its own.
awaitable<Result<void>> Runner::run_hook(std::string hook) {
  const auto found = release_.manifest.spec.hooks.find(hook);
  if (found == release_.manifest.spec.hooks.end()) co_return Result<void>();
  const milliseconds timeout = found->second.timeout;
  const int stops_before = stops_;  // one may run while all is being stopped
  const InstanceId id{release_.manifest.app, hook, 1, release_.manifest.release};
  auto planned = co_await plan(id);
  if (!planned) co_return std::unexpected(planned.error());
  auto result = co_await supervisor_.ensure(std::move(*planned));
  const auto end = Steady::now() + timeout;
  while (result) {
    const auto status = supervisor_.status(id);
    const auto left = std::chrono::ceil<milliseconds>(end - Steady::now());
    if (!status || status->phase == supervise::Phase::lost) result = fail(Errc::io, fmt::format("its {} hook was cut off: its keeper was killed", hook));
    else if (status->phase == supervise::Phase::ended && status->last_exit && status->last_exit->status == 0) break;
    else if (status->phase == supervise::Phase::ended) result = fail(Errc::io, fmt::format("its {} hook {}", hook, end_reason(*status)));
    else if (stops_ > stops_before) result = fail(Errc::cancelled, fmt::format("its {} hook was stopped", hook));
    else if (left <= 0ms) result = fail(Errc::timeout, fmt::format("its {} hook did not end within {}, and is stopped", hook, spec::to_string(timeout)));
    else co_await changed_.wait(left);
  }
  const auto stopped = co_await supervisor_.stop(id);
  if (result && !stopped) result = stopped;
  co_return result;
}

awaitable<Result<supervise::InstancePlan>> Runner::plan(InstanceId id) {
  InstancePorts ports;
  int listener = -1;
  const auto process = release_.manifest.spec.processes.find(id.process);
  const bool is_hook = process == release_.manifest.spec.processes.end();
  if (!is_hook) {
    auto given = ports_->of(id.process, process->second, id.number);
    if (!given) co_return std::unexpected(given.error());
    ports = std::move(*given);
  }
  const bool by_socket = !is_hook && process->second.routing == spec::Routing::socket;
  if (by_socket) {
    const auto socket = ports_->listener(id.process, process->second);
    if (!socket) co_return std::unexpected(socket.error());
    listener = *socket;
  }
  const auto work = [this, id, ports] { return compose(id, ports); };
  auto plan = co_await pool_.run(work);
  if (!plan || is_hook) co_return plan;
  plan->private_ports = ports.named;
  if (ports.main != 0) plan->probe_endpoint = io::Endpoint{.address = "127.0.0.1", .port = ports.main};
  if (by_socket) {
    plan->sockets = {{process->second.port_name, listener}};
    plan->must_take_socket = true;
  }
  if (!ports.note.empty()) say(Word::Kind::note, fmt::format("{}.{}", id.process, id.number), ports.note);
  co_return plan;
}

/// Makes the instance's folders, and its plan as a node does. Blocking.
Result<supervise::InstancePlan> Runner::compose(const InstanceId& id, const InstancePorts& ports) const {
  const bundle::Manifest& manifest = release_.manifest;
  const bool is_hook = !manifest.spec.processes.contains(id.process);
  const deploy::RunAs who{.uid = ::geteuid(), .gid = ::getegid()};  // whose folders all of it is in
  auto environment = deploy::environment_of(node_, manifest, id, ports.main, release_.secrets, ports.named);
  const bool routes = !is_hook && manifest.spec.processes.at(id.process).routing != spec::Routing::none;
  if (routes && ports.main != 0) environment["PORT"] = std::to_string(ports.main);  // a socket's may have moved
  const bool is_all = release_.numbers_ports;  // declares nothing
  const bool is_image = (is_hook ? spec::root_of_hooks(manifest.spec) : manifest.spec.processes.at(id.process).root) == spec::Root::image;
  for (const auto& [name, value] : release_.inherited)
    if (!environment.contains(name) || (name == "PATH" && !is_image) || (is_all && (name == "HOME" || name == "LANG" || name == "TZ" || name == "TMPDIR"))) environment[name] = value;
  BERTH_TRY(auto plan, is_hook ? deploy::plan_hook(node_, manifest, id, who, environment) : deploy::plan_instance(node_, manifest, id, who, environment));
  auto prepared = deploy::prepare_folders(node_, manifest, id, who, environment, release_.secrets);
  if (!prepared) return pass(std::move(prepared.error()), fmt::format("{} {}", is_hook ? "hook" : "process", id.process));
  plan.bound = true;
  return plan;
}

}  // namespace berth::run
