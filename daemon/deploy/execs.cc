#include "daemon/deploy/execs.h"

#include <algorithm>
#include <csignal>
#include <optional>

#include <fcntl.h>
#include <fmt/core.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "core/attached.h"
#include "daemon/deploy/app_facts.h"
#include "daemon/deploy/data_steps.h"
#include "daemon/deploy/exec_pair.h"
#include "daemon/deploy/instance_plan.h"
#include "daemon/supervise/mount_namespace.h"

// A one-off command is an instance under a keeper of its own: web/exec.1001@v2. Its client passes its own files to it, and the keeper watches the connection
// to the client: berthd is not between the two, so that one that is restarted disturbs nobody, and finds the command again by its keeper.

namespace berth::deploy {
namespace {

using namespace std::chrono_literals;
using supervise::Phase;

constexpr std::size_t kMostExecs = 32;        ///< of an app at once
constexpr std::size_t kLongestShown = 2000;   ///< bytes of a command in its event

/// Whose rules the command has.
Result<std::string> exec_process(const bundle::Manifest& manifest, const std::string& asked) {
  const auto& processes = manifest.spec.processes;
  if (!asked.empty() && processes.contains(asked)) return asked;
  if (asked.empty() && processes.size() == 1) return processes.begin()->first;
  if (asked.empty() && processes.contains("web")) return std::string("web");
  std::vector<std::string> names;
  for (const auto& [name, process] : processes) names.push_back(name);
  const std::string has = fmt::format("{}@{} has {}", manifest.app, manifest.release, fmt::join(names, ", "));
  if (asked.empty()) return fail(Errc::usage, fmt::format("say whose rules the command has, as in {}/{}: {}", manifest.app, names.front(), has));
  return fail(Errc::not_found, fmt::format("{}@{} has no process '{}': {}", manifest.app, manifest.release, asked, has));
}

/// Of which release the instance is that is looked at: while a release takes over there may be two of that number.
Result<std::string> release_of_instance(const App& app, const ExecRequest& request) {
  std::string found;
  for (const Member& member : app.members) {
    if (member.row.process != request.process || member.row.number != request.number) continue;
    if (!request.release.empty() && member.row.release != request.release) continue;
    if (found.empty() || member.row.release == app.routed) found = member.row.release;
  }
  if (found.empty()) return fail(Errc::not_found, fmt::format("{} has no instance {}.{}: 'berth status {}' lists them", app.name(), request.process, request.number, app.name()));
  return found;
}

/// A command as the history shows it: without the values of secrets, and not at any length.
std::string shown(const std::vector<std::string>& command, const Values& secrets) {
  std::string text = fmt::format("{}", fmt::join(command, " "));
  constexpr std::string_view kHidden = "***";
  std::vector<std::string> values;
  for (const auto& [name, value] : secrets)
    if (!value.empty()) values.push_back(value);
  std::ranges::sort(values, std::greater(), [](const std::string& value) { return value.size(); });  // one may be a part of another
  for (const std::string& value : values)
    for (auto at = text.find(value); at != std::string::npos; at = text.find(value, at + kHidden.size())) text.replace(at, value.size(), kHidden);
  if (text.size() > kLongestShown) text = text.substr(0, kLongestShown) + "…";
  return text;
}

/// What the client's `berth` ends with where the command was not begun.
int exit_of_exec(const Error& error) {
  if (error.code == Errc::not_found) return attached::kNotFound;
  return error.code == Errc::permission ? attached::kNotExecutable : attached::kNotBegun;
}

/// What the client of a command that is not begun yet said, which stays to be read: the number of a signal that ends programs, -1 where it has gone, 0 else.
int heard_from_waiting(int connection) {
  attached::Signal said{};
  const ssize_t got = ::recv(connection, &said, sizeof said, MSG_PEEK | MSG_DONTWAIT);
  if (got == 0) return -1;
  if (got != static_cast<ssize_t>(sizeof said)) return 0;
  constexpr int kEnds[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
  return std::ranges::find(kEnds, said.number) != std::end(kEnds) ? said.number : 0;
}

/// For metrics.
std::string counted_as(const supervise::Exit& exit) {
  if (succeeded(exit)) return "ok";
  return exit.kind.empty() ? "stopped" : "failed";
}

}  // namespace

awaitable<Result<Execs::Accepted>> Execs::accept(ExecRequest request) {
  const auto found = node_.known(request.app);
  if (!found) co_return std::unexpected(found.error());
  const AppPtr app = *found;
  if (auto open = may_begin(*app); !open) co_return std::unexpected(open.error());
  std::string release = request.release.empty() ? app->row.active : request.release;
  if (request.number > 0) {
    const auto of_instance = release_of_instance(*app, request);
    if (!of_instance) co_return std::unexpected(of_instance.error());
    release = *of_instance;
  }
  if (release.empty()) co_return fail(Errc::conflict, fmt::format("{} has no active release: name one that is on this node, or deploy one", app->name()));
  const store::InUse in_use = node_.store.use(app->name(), {release});
  const auto look = [this, name = app->name(), release] { return node_.store.slot(name, release); };
  const auto slot = co_await node_.pool.run(look);
  if (!slot) co_return std::unexpected(slot.error());
  if (!*slot) co_return fail(Errc::not_found, fmt::format("{0}@{1} is not on this node; 'berth releases {0}' lists what is, 'berth deploy {0}@{1}' fetches it", app->name(), release));
  const auto manifest = co_await node_.manifest_of(app, release);
  if (!manifest) co_return std::unexpected(manifest.error());
  const auto process = exec_process(**manifest, request.process);
  if (!process) co_return std::unexpected(process.error());
  if (app->execs.size() >= kMostExecs)
    co_return fail(Errc::conflict, fmt::format("{} one-off commands of {} run already; 'berth status {}' lists them", app->execs.size(), app->name(), app->name()));

  const InstanceId id{app->name(), kExec, next_++, release};
  app->execs[id.number] = {.release = release, .process = *process, .by = request.asked.by, .since = store::now_text(), .in_use = in_use};
  request.process = *process;
  Accepted accepted{.app = app, .manifest = *manifest, .id = id, .request = std::move(request)};
  co_return accepted;
}

awaitable<Result<ExecPlace>> Execs::exec(ExecRequest request) {
  auto accepted = co_await accept(std::move(request));
  if (!accepted) co_return std::unexpected(accepted.error());
  const std::string path = node_.store.paths().run / "exec" / fmt::format("{}.sock", accepted->id.number);
  const auto open = [path, uid = accepted->request.uid] { return open_exec_door(path, uid); };
  auto door = co_await node_.pool.run(open);
  if (!door) {
    forget(*accepted->app, accepted->id);
    co_return std::unexpected(door.error());
  }
  ExecPlace place{.id = accepted->id, .process = accepted->request.process, .socket = path};
  node_.spawn(await_client(std::move(*accepted), std::make_shared<ExecDoor>(std::move(*door))));
  co_return place;
}

awaitable<Result<ExecStream>> Execs::exec_stream(ExecRequest request) {
  auto accepted = co_await accept(std::move(request));
  if (!accepted) co_return std::unexpected(accepted.error());
  auto pair = make_exec_pair(accepted->request.terminal);
  if (!pair) {
    forget(*accepted->app, accepted->id);
    co_return std::unexpected(pair.error());
  }
  const auto waiting = std::make_shared<Waiting>();
  waiting->client = std::move(pair->client);
  ExecStream stream{.id = accepted->id, .process = accepted->request.process, .ends = std::move(pair->ends)};
  node_.spawn(serve(std::move(*accepted), waiting));
  co_return std::move(stream);
}

Result<void> Execs::may_begin(const App& app) const {
  BERTH_CHECK(node_.not_drained());
  if (app.closed_to_execs > 0) return fail(Errc::conflict, fmt::format("the data of {} are being copied or put back, or it is being removed: try again when that is done", app.name()));
  return {};
}

awaitable<void> Execs::await_client(Accepted exec, std::shared_ptr<ExecDoor> door) {
  auto client = co_await meet_exec_client(door);
  door.reset();
  if (!client) {
    spdlog::info("{}: nobody came for it: {}", to_string(exec.id), client.error().message);
    forget(*exec.app, exec.id);
    co_return;
  }
  const auto waiting = std::make_shared<Waiting>();
  waiting->client = std::move(*client);
  co_await serve(std::move(exec), waiting);
}

/// From its client's coming to its end.
awaitable<void> Execs::serve(Accepted exec, std::shared_ptr<Waiting> waiting) {
  const AppPtr app = exec.app;
  const InstanceId id = exec.id;
  waiting->connection.reset(::fcntl(waiting->client.connection.get(), F_DUPFD_CLOEXEC, 0));
  node_.spawn(watch_waiting(app, id, waiting));
  auto begun = co_await begin(app, exec.manifest, id, std::move(exec.request), waiting);
  waiting->over = true;
  if (!begun && !waiting->taken_back) {
    spdlog::info("{}: not begun: {}", to_string(id), begun.error().message);
    tell_exec_end(waiting->client.connection.get(), exit_of_exec(begun.error()), begun.error().message);
  }
  waiting->client = {};  // the command has its files now
  std::string failure = begun ? std::string() : "not begun: " + begun.error().message;
  if (!begun && waiting->taken_back) failure = "not begun: its client took it back before it began";  // whatever else it would have failed of
  co_await follow(app, id, failure);
}

/// A client need not wait for a command that it does not want any more: secrets that a program tells may take their time.
awaitable<void> Execs::watch_waiting(AppPtr app, InstanceId id, std::shared_ptr<Waiting> waiting) {
  while (!node_.closed && !waiting->over) {
    const auto readable = co_await io::wait_readable(waiting->connection.get(), 100ms);
    if (!readable || waiting->over || node_.closed) co_return;
    const int taken_back_by = *readable ? heard_from_waiting(waiting->connection.get()) : 0;
    if (taken_back_by == 0) {
      if (*readable) co_await io::sleep_for(100ms);  // what it said is its keeper's to read
      continue;
    }
    waiting->taken_back = true;
    if (taken_back_by > 0) tell_exec_end(waiting->connection.get(), 128 + taken_back_by, "it was taken back before it began");
    waiting->client.files.clear();
    spdlog::info("{}: its client took it back before it began", to_string(id));
    if (const auto mine = app->execs.find(id.number); mine != app->execs.end()) mine->second.unwanted = true;
    co_return;
  }
}

Result<pid_t> Execs::process_of(const InstanceId& instance) const {
  const auto status = node_.supervisor.status(instance);
  if (!status || status->pid == 0)
    return fail(Errc::conflict, fmt::format("{} does not run: 'berth exec {}/{}' needs none that does", to_string(instance), instance.app, instance.process));
  return status->pid;
}

Result<void> Execs::look_at(supervise::InstancePlan& plan, const InstanceId& instance, Waiting& waiting) const {
  BERTH_TRY(const pid_t pid, process_of(instance));
  if (plan.root.empty() && plan.confinement.empty()) return {};
  waiting.mounts = supervise::mount_namespace_of(pid);
  struct stat about{};
  if (!waiting.mounts || ::fstat(waiting.mounts.get(), &about) != 0) return fail(Errc::conflict, fmt::format("{} has no process whose files a command could see: try again", to_string(instance)));
  plan.sees = keeper::SeenProcess{.pid = pid, .mounts = about.st_ino};
  return {};
}

/// Plans it, writes down who runs what, and starts it. Errors of the program itself are `not_found` and `permission`; what else fails is neither.
awaitable<Result<void>> Execs::begin(AppPtr app, ManifestPtr manifest, InstanceId id, ExecRequest request, std::shared_ptr<Waiting> waiting) {
  struct Planned {
    supervise::InstancePlan plan;
    Values environment;
    std::string shown;
  };
  auto finished = co_await finish_pending_data(node_, app);
  if (!finished) co_return fail(Errc::io, finished.error().message);
  const InstanceId instance{.app = app->name(), .process = request.process, .number = request.number, .release = id.release};
  if (request.number > 0)
    if (const auto runs = process_of(instance); !runs) co_return std::unexpected(runs.error());
  Member member;
  for (const Member& one : app->members)
    if (one.id() == instance) member = one;
  const auto prepare = [node = &node_.options.node, manifest, id, request, instance, member, uid = app->row.uid, terminal = waiting->client.terminal]() -> Result<Planned> {
    BERTH_TRY(const RunAs who, run_as(*node, *manifest, uid));
    const bool looks_at_one = request.number > 0;
    auto secrets = looks_at_one && !manifest->secrets.empty() ? secrets_given_to(*node, *manifest, instance) : resolve_secrets(*node, *manifest);
    if (!secrets) return std::unexpected(secrets.error());
    Planned planned{.plan = {}, .environment = exec_environment(*node, *manifest, id, request.process, *secrets), .shown = shown(request.command, *secrets)};
    BERTH_CHECK(prepare_folders(*node, *manifest, id, who, planned.environment, *secrets));
    if (looks_at_one) planned.environment = environment_of(*node, *manifest, instance, member.row.port, *secrets, member.row.named_ports);
    for (const char* of_its_keeper : {"NOTIFY_SOCKET", "WATCHDOG_USEC"}) planned.environment.erase(of_its_keeper);
    if (terminal && !request.term.empty()) planned.environment["TERM"] = request.term;
    BERTH_TRY(planned.plan, plan_exec(*node, *manifest, id, request.process, who, planned.environment));
    return planned;
  };
  auto planned = co_await node_.pool.run(prepare);
  if (!planned) co_return fail(Errc::io, planned.error().message);
  boost::json::object data{{"instance", to_string(id)}, {"process", request.process}, {"command", planned->shown}, {"terminal", waiting->client.terminal}};
  if (request.number > 0) data["sees"] = to_string(instance);
  const store::Event event = operator_event("exec", app->name(), request.asked, std::move(data));
  const auto write_down = [this, event] { return node_.store.add_event(event); };
  const auto written = co_await node_.pool.run(write_down);
  if (!written) co_return fail(Errc::io, "that it is run cannot be written down, so it is not: " + written.error().message);
  const auto look_up = [node = &node_.options.node, manifest, request, environment = planned->environment] {
    return find_exec(*node, *manifest, request.process, request.command, environment);
  };
  auto argv = co_await node_.pool.run(look_up);
  if (!argv) co_return fail(argv.error().code, argv.error().message);
  planned->plan.argv = std::move(*argv);

  if (waiting->taken_back) co_return fail(Errc::cancelled, "its client took it back before it began");
  waiting->over = true;  // from here on its keeper hears its client
  const auto mine = app->execs.find(id.number);
  const bool wanted = mine != app->execs.end() && !mine->second.unwanted;
  if (node_.closed || !wanted) co_return fail(Errc::cancelled, "berthd stops, or the app does");
  if (auto open = may_begin(*app); !open) co_return fail(Errc::conflict, open.error().message);
  if (request.number > 0)
    if (auto seen = look_at(planned->plan, instance, *waiting); !seen) co_return seen;
  const ExecClient& client = waiting->client;
  planned->plan.client = supervise::ClientFiles{.in = client.files[0].get(), .out = client.files[1].get(), .err = client.files[2].get(),
                                                .connection = client.connection.get(), .terminal = client.terminal};
  auto started = co_await node_.supervisor.ensure(std::move(planned->plan));
  co_return started;
}

/// Waits until nothing is left of it, and writes down how it ended. `failure`: why it was not begun, or empty.
awaitable<void> Execs::follow(AppPtr app, InstanceId id, std::string failure) {
  std::string result = failure.empty() ? std::string("stopped") : failure;
  std::string counted = failure.empty() ? "stopped" : "failed";
  std::int64_t ran_ms = 0;
  while (failure.empty()) {
    if (node_.closed) co_return;
    const auto status = node_.supervisor.status(id);
    if (!status) break;
    if (status->phase == Phase::ended || status->phase == Phase::lost) {
      const std::optional<supervise::Exit>& exit = status->last_exit;
      result = exit ? exit->reason : std::string("cut off: its keeper was killed");
      counted = exit ? counted_as(*exit) : "failed";
      if (exit) ran_ms = exit->ran.count();
      break;
    }
    co_await app->changed.wait(1h);
  }
  co_await one_offs_.stop(app, id);
  if (node_.closed) co_return;
  const store::Event event{.number = 0, .at = {}, .kind = "exec.ended", .app = app->name(),
                           .data = {{"instance", to_string(id)}, {"result", result}, {"ran_ms", ran_ms}}};
  co_await node_.tell(event);
  ++node_.counts.execs[{app->name(), counted}];
  spdlog::info("{}: {}", to_string(id), result);
  forget(*app, id);
}

void Execs::forget(App& app, const InstanceId& id) {
  app.execs.erase(id.number);
  app.changed.notify();
}

awaitable<void> Execs::end_all(AppPtr app) {
  std::vector<awaitable<void>> ends;
  for (auto& [number, run] : app->execs) {
    run.unwanted = true;
    const InstanceId id{app->name(), kExec, number, run.release};
    ends.push_back(one_offs_.stop(app, id));
  }
  co_await node_.at_once(std::move(ends));
  app->changed.notify();  // whoever follows one looks again
  const auto end = io::Steady::now() + 30s;  // one that is not begun yet hears of it when its client came
  while (!app->execs.empty() && !node_.closed && io::Steady::now() < end) co_await app->changed.wait(1s);
}

void Execs::adopt() {
  for (const auto& status : node_.supervisor.all()) {
    if (!is_exec(status.id)) continue;
    next_ = std::max(next_, status.id.number + 1);
    const AppPtr app = node_.find(status.id.app);
    if (!app) {  // it was removed
      node_.spawn(one_offs_.stop(std::make_shared<App>(node_.executor, store::AppRow{.app = status.id.app}), status.id));
      continue;
    }
    app->execs[status.id.number] = {.release = status.id.release, .process = {}, .by = {}, .since = status.started_at, .in_use = node_.store.use(app->name(), {status.id.release})};
    node_.spawn(follow(app, status.id, {}));
  }
}

}  // namespace berth::deploy
