#include <cerrno>
#include <filesystem>

#include <fmt/core.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/files/files.h"
#include "daemon/supervise/cgroup_leaf.h"
#include "daemon/supervise/exit_text.h"
#include "daemon/supervise/launcher.h"
#include "daemon/supervise/runtime.h"

namespace berth::supervise {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using io::Steady;

constexpr auto kConnectWait = 15s;
constexpr auto kStartWait = 30s;
constexpr auto kBeyondGrace = 15s;  ///< for a keeper to stop its app and go

Errc code_of(const keeper::LastExit& exit) {
  if (exit.error == ENOENT || exit.error == ENOTDIR) return Errc::not_found;
  return exit.error == EACCES || exit.error == EPERM ? Errc::permission : Errc::io;
}

/// As a launch passes them.
std::vector<int> fds_of(const std::optional<ClientFiles>& client) {
  if (!client) return {};
  return {client->in, client->out, client->err, client->connection};
}

io::milliseconds left_until(Steady::time_point end) {
  return std::max(io::milliseconds(0), std::chrono::duration_cast<io::milliseconds>(end - Steady::now()));
}

}  // namespace

awaitable<Result<void>> Runtime::ensure(InstancePlan plan) {
  for (;;) {
    auto& slot = instances_[keeper_key(plan.id)];
    if (!slot) slot = std::make_shared<Instance>(executor_, plan.id, options_.run_directory);
    const InstancePtr instance = slot;
    co_await acquire(instance);
    if (closed_) co_return fail(Errc::cancelled, "the supervisor is closed");
    if (!current(instance) || instance->unwanted) {  // it was stopped meanwhile
      release(*instance);
      continue;
    }
    auto result = co_await ensure_now(instance, std::move(plan));
    release(*instance);
    co_return result;
  }
}

awaitable<Result<void>> Runtime::ensure_now(InstancePtr instance, InstancePlan plan) {
  const bool probed_alike = instance->plan && same_probes(*instance->plan, plan);
  instance->plan = std::move(plan);
  if (!instance->link) {
    auto attached = co_await attach_to_existing(instance);
    if (!attached) co_return attached;
  }
  co_await dismiss(instance);
  if (instance->link) {
    auto adopted = co_await adopt(instance, probed_alike);
    co_return adopted;
  }
  if (may_be_kept(*instance)) {  // its keeper was killed just now
    co_await end_keeper(instance);
    auto kept = co_await keep_app(instance);
    if (kept) {
      tell(InstanceChange::Kind::kept, *instance, kKept);
      co_return kept;
    }
    lose(*instance);
    co_await end_keeper(instance);
  }
  auto started = co_await start_keeper(instance);
  if (!started) {
    const auto error = started.error();
    const std::function<void()> none;
    static_cast<void>(co_await stop_now(instance, none));
    co_return std::unexpected(error);
  }
  co_return started;
}

/// A keeper may be there that `find` did not see. One that does not answer is ended, with its app.
awaitable<Result<void>> Runtime::attach_to_existing(InstancePtr instance) {
  auto link = KeeperLink::connect(executor_, instance->socket_path);
  if (!link) co_return Result<void>();
  auto hello = co_await link->next(5s);
  if (!hello && hello.error().code == Errc::protocol) co_return pass(hello.error(), instance->name());
  if (!hello || instance->name() != hello->id) {
    const std::string name = instance->name();
    co_await end_wedged(link->keeper_pid(), instance->socket_path, name);
    co_return Result<void>();
  }
  instance->last = *hello;
  instance->phase = phase_of(hello->phase);
  auto attached = co_await attach(instance, std::move(*link), nullptr);
  co_return attached;
}

/// Its keeper runs. A launch that differs is for the app's next start: what runs goes on.
awaitable<Result<void>> Runtime::adopt(InstancePtr instance, bool probed_alike) {
  const auto launch = launch_of(*instance->plan, cgroup_of(*instance), options_.use_systemd);
  if (!launch) co_return std::unexpected(launch.error());
  if (launch->digest != instance->last.launch_digest) {
    if (auto sent = instance->link->launch(*launch, instance->plan->sockets); !sent) co_return pass(sent.error(), instance->name());
    instance->last.launch_digest = launch->digest;
  }
  if (!probed_alike && instance->running()) begin_probes(instance, true);
  co_await renew_keeper(instance);
  if (instance->phase != Phase::starting) co_return Result<void>();
  auto started = co_await wait_started(instance, instance->last.starts);
  co_return started;
}

awaitable<Result<void>> Runtime::start_keeper(InstancePtr instance) {
  const auto orphan = instance->orphan();
  const std::string name = instance->name();
  if (orphan.pid > 1) co_await clear_orphan(orphan, instance->socket_path, name);
  instance->phase = Phase::starting;
  const keeper::TakeOver told = told_of(*instance, nullptr);
  const keeper::State known = instance->last;
  instance->last = {};
  refresh(*instance);
  const auto begun = co_await begin_keeper(instance, told);
  if (!begun) {
    if (!instance->link) instance->last = known;  // for the next try
    co_return std::unexpected(begun.error());
  }
  auto started = co_await wait_started(instance, *begun);
  co_return started;
}

/// A keeper's process, and what it is told: its launch, and where there was one before that was killed, what is known and left of the app. How often it counts
/// the app as started before.
awaitable<Result<std::uint64_t>> Runtime::begin_keeper(InstancePtr instance, keeper::TakeOver told) {
  const auto& plan = *instance->plan;
  const auto launch = launch_of(plan, cgroup_of(*instance), options_.use_systemd);
  if (!launch) co_return std::unexpected(launch.error());
  const KeeperStart start{.id = plan.id,
                          .key = instance->key,
                          .program = options_.keeper_program,
                          .socket = instance->socket_path,
                          .log_directory = plan.log_directory,
                          .grace = plan.stop.grace};
  const auto launcher = options_.use_systemd ? options_.start_service : start_plain;
  const std::string run = keepers_directory(options_.run_directory), cgroup = cgroup_of(*instance);
  const auto begin = [start, run, cgroup, root = options_.cgroup_root, launcher]() -> Result<void> {
    std::error_code ignored;
    BERTH_CHECK(files::make_directories(run, 0700));
    BERTH_CHECK(files::make_directories(start.log_directory, 0750));
    if (!cgroup.empty()) BERTH_CHECK(make_leaf(root, cgroup));
    fs::remove(start.socket, ignored);
    return launcher(start);
  };
  auto begun = co_await pool_.run(begin);
  if (!begun) co_return pass(begun.error(), instance->name());

  const bool app_runs = told.app_pid > 0;
  auto link = co_await connect_to_new(instance, app_runs);
  if (!link) co_return pass(link.error(), instance->name());
  const std::vector<int> client = fds_of(plan.client);
  const bool has_pipes = instance->pipes.size() == 2 && (app_runs || link->version() >= keeper::kTakesOver);
  auto sent = has_pipes ? link->take_over(told, *launch, instance->pipes, plan.sockets) : link->launch(*launch, plan.sockets, client);
  if (!sent) co_return pass(sent.error(), instance->name());
  const auto attached = co_await attach(instance, std::move(*link), nullptr);
  if (!attached) co_return std::unexpected(attached.error());
  const std::uint64_t before = has_pipes ? told.starts : 0;
  co_return before;
}

/// The socket is there once the keeper got so far; nothing tells when but the attempt. `app_runs`: what is known of the app stays known.
awaitable<Result<KeeperLink>> Runtime::connect_to_new(InstancePtr instance, bool app_runs) {
  const auto end = Steady::now() + kConnectWait;
  for (auto wait = 1ms;; wait = std::min(wait * 2, 50ms)) {
    auto link = KeeperLink::connect(executor_, instance->socket_path);
    if (link) {
      auto hello = co_await link->next(5s);
      instance->keeper_pidfd.reset(static_cast<int>(::syscall(SYS_pidfd_open, link->keeper_pid(), 0)));
      if (!hello) co_return std::unexpected(hello.error());
      if (app_runs) instance->last.keeper_pid = hello->keeper_pid;
      else instance->last = *hello;
      co_return std::move(*link);
    }
    if (Steady::now() > end) co_return pass(link.error(), "its keeper does not answer (see its log: journalctl -u 'berth-*')");
    co_await io::sleep_for(wait);
  }
}

/// Until the app's process started more often than `more_than`, or could not be.
awaitable<Result<void>> Runtime::wait_started(InstancePtr instance, std::uint64_t more_than) {
  const auto end = Steady::now() + kStartWait;
  for (;;) {
    if (instance->unwanted || closed_) co_return fail(Errc::cancelled, instance->name() + ": it was stopped while it started");
    if (!instance->link) co_return fail(Errc::io, instance->name() + ": its keeper died");
    if (instance->last.starts > more_than) co_return Result<void>();
    const auto& exit = instance->last.last_exit;
    const bool over = instance->phase == Phase::waiting || instance->phase == Phase::ended;
    if (over && exit.cause == keeper::Cause::not_started) {
      co_return fail(code_of(exit), fmt::format("{}: {}", instance->name(), instance->last_exit_reason()));
    }
    if (Steady::now() > end) co_return fail(Errc::timeout, instance->name() + ": its process was not started in time");
    co_await instance->changed.wait(left_until(end) + 1ms);
  }
}

awaitable<Result<void>> Runtime::stop(InstanceId id, std::function<void()> let_go) {
  const auto it = instances_.find(keeper_key(id));
  if (it == instances_.end()) {
    if (let_go) let_go();
    co_return Result<void>();
  }
  const InstancePtr instance = it->second;
  instance->unwanted = true;
  instance->changed.notify();
  co_await acquire(instance);
  auto result = co_await stop_now(instance, std::move(let_go));
  release(*instance);
  co_return result;
}

/// Stops the app and its keeper, whatever state they are in, and forgets the instance.
awaitable<Result<void>> Runtime::stop_now(InstancePtr instance, std::function<void()> let_go) {
  instance->unwanted = true;
  if (instance->link) co_await stop_app(instance, static_cast<bool>(let_go));
  if (closed_) co_return fail(Errc::cancelled, "the supervisor is closed");
  if (let_go) let_go();
  co_await dismiss(instance);
  if (closed_) co_return fail(Errc::cancelled, "the supervisor is closed");
  const bool wedged = instance->link != nullptr;
  co_await end_keeper(instance);
  bool cleared = true;
  const Orphan orphan = instance->orphan();
  const std::string name = instance->name();
  if (wedged || orphan.pid != 0) cleared = co_await clear_orphan(orphan, instance->socket_path, name);
  const std::string cgroup = cgroup_of(*instance);
  const auto remove = [root = options_.cgroup_root, cgroup] { remove_leaf(root, cgroup); };
  if (!cgroup.empty()) co_await pool_.run(remove);
  std::error_code ignored;  // a keeper that was killed left them
  if (cleared)
    for (const char* ending : {"", ".app"}) fs::remove(instance->socket_path + ending, ignored);
  if (current(instance)) instances_.erase(instance->key);
  if (!cleared) co_return fail(Errc::timeout, instance->name() + ": its processes do not end even by SIGKILL (a disk or network file system that hangs?)");
  co_return Result<void>();
}

/// Until the keeper has stopped its app, or is overdue.
awaitable<void> Runtime::stop_app(InstancePtr instance, bool hold) {
  instance->phase = Phase::stopping;
  const auto grace = instance->plan ? instance->plan->stop.grace : io::milliseconds(60s);
  const auto end = Steady::now() + grace + kBeyondGrace;
  if (hold) static_cast<void>(instance->link->hold());
  if (!instance->link->stop()) co_return;
  while (instance->link && instance->last.phase != keeper::Phase::holding && !closed_) {
    const auto last = std::max(end, instance->extended_until + kBeyondGrace);  // the app may have asked for more time
    if (Steady::now() >= last) break;
    co_await instance->changed.wait(left_until(last) + 1ms);
  }
}

/// A keeper that holds the sockets of an app that was stopped goes.
awaitable<void> Runtime::dismiss(InstancePtr instance) {
  if (!instance->link || instance->last.phase != keeper::Phase::holding) co_return;
  const auto end = Steady::now() + kBeyondGrace;
  static_cast<void>(instance->link->leave());
  while (instance->link && !closed_ && Steady::now() < end) co_await instance->changed.wait(left_until(end) + 1ms);
}

awaitable<Result<void>> Runtime::restart(InstanceId id, std::string reason) {
  const auto it = instances_.find(keeper_key(id));
  if (it == instances_.end() || it->second->unwanted) co_return fail(Errc::not_found, to_string(id) + ": no such instance runs");
  const InstancePtr instance = it->second;
  co_await acquire(instance);
  if (!instance->link || instance->unwanted) {
    release(*instance);
    co_return fail(Errc::conflict, instance->name() + ": it is being " + (instance->unwanted ? "stopped" : "taken over"));
  }
  const auto starts = instance->last.starts, attempts = instance->last.exits[static_cast<int>(keeper::Cause::not_started)];
  const auto end = Steady::now() + (instance->plan ? instance->plan->stop.grace : io::milliseconds(60s)) + kBeyondGrace;
  auto result = instance->link->restart(false, reason);
  while (result && instance->last.starts == starts) {
    if (!instance->link) result = fail(Errc::io, instance->name() + ": its keeper died");
    else if (instance->unwanted) result = fail(Errc::cancelled, instance->name() + ": it is being stopped");
    else if (instance->last.exits[static_cast<int>(keeper::Cause::not_started)] > attempts)
      result = fail(code_of(instance->last.last_exit), fmt::format("{}: {}", instance->name(), instance->last_exit_reason()));
    else if (Steady::now() > end) result = fail(Errc::timeout, instance->name() + ": it did not start again in time");
    else co_await instance->changed.wait(left_until(end) + 1ms);
  }
  release(*instance);
  co_return result;
}

std::string Runtime::cgroup_of(const Instance& instance) const {
  if (options_.use_systemd || options_.cgroup_root.empty()) return {};
  return fmt::format("{}/{}/{}/app", options_.cgroup_root, instance.id.app, instance.key);
}

}  // namespace berth::supervise
