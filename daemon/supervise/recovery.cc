#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fmt/core.h>

#include "daemon/supervise/exit_text.h"
#include "daemon/supervise/left_behind.h"
#include "daemon/supervise/runtime.h"

namespace berth::supervise {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr auto kKillWait = 15s;
constexpr auto kLongestPause = 30s;
constexpr int kMostTakeovers = 3;
constexpr auto kTakeoversApart = 10s;  ///< those that are longer ago do not count
constexpr auto kDying = 300ms;      ///< a keeper that is killed closes its connection a moment before it has ended
constexpr auto kAfterOrderly = 1s;  ///< a keeper that was stopped from outside: at power-off berthd is stopped too

}  // namespace

/// Whether the app can go on under a new keeper now that its own was killed. As a service, systemd has ended it with its keeper.
bool Runtime::may_be_kept(const Instance& instance) const {
  // What was to be started again for its probe's sake is, and what comes back without a keeper again and again does not go on so.
  const bool sick = instance.liveness.verdict == Verdict::failing || instance.startup.verdict == Verdict::failing;
  const bool in_vain = instance.takeovers >= kMostTakeovers && io::Steady::now() - instance.taken_over < kTakeoversApart;
  if (sick || in_vain) return false;
  return options_.keep_orphans && !options_.use_systemd && instance.plan && !instance.plan->once && !instance.unwanted && instance.running() &&
         instance.last.app_pid > 1 && instance.pipes.size() == 2;
}

void Runtime::lose(Instance& instance) {
  instance.generation++;
  instance.phase = instance.unwanted ? Phase::stopping : Phase::lost;
  refresh(instance);
}

/// The connection broke, and its keeper may live: berthd did not read for too long, or somebody else came to the keeper's socket. True where it is followed
/// again; nobody who asks its probes sees a difference.
awaitable<bool> Runtime::reattach(InstancePtr instance) {
  if (instance->unwanted || !instance->keeper_pidfd) co_return false;
  const Fd keeper(::fcntl(instance->keeper_pidfd.get(), F_DUPFD_CLOEXEC, 0));
  const auto ended = co_await io::wait_readable(keeper.get(), io::milliseconds(kDying));
  if (closed_ || !ended || *ended) co_return false;
  const auto now = io::Steady::now();
  if (now - instance->reattached > kTakeoversApart) instance->reattachments = 0;
  instance->reattached = now;
  if (++instance->reattachments > kMostTakeovers) co_return false;
  co_await acquire(instance);
  const keeper::State before = instance->last;
  if (current(instance) && !instance->unwanted && !instance->link) {
    const auto attached = co_await attach_to_existing(instance);
    if (attached && instance->link) catch_up(instance, before);
  }
  const bool back = instance->link != nullptr;
  release(*instance);
  co_return back;
}

/// What its keeper told nobody.
void Runtime::catch_up(InstancePtr instance, const keeper::State& before) {
  const keeper::State now = instance->last;
  const bool another = now.app_pid != before.app_pid || now.starts != before.starts;
  if (now.last_exit.at_ms != before.last_exit.at_ms) {
    instance->generation++;
    const auto exit = describe_exit(now.last_exit, instance->program(), instance->root());
    tell(InstanceChange::Kind::exited, *instance, exit.reason, exit);
  }
  if (another && now.phase == keeper::Phase::running) {
    tell(InstanceChange::Kind::started, *instance, {});
    begin_probes(instance, false);
  }
  if (now.phase == keeper::Phase::ended && before.phase != keeper::Phase::ended) tell(InstanceChange::Kind::ended, *instance, {});
  refresh(*instance);
}

/// Its keeper is gone, or the connection is. The app that it kept goes on under a new one (`kept`), and nobody who asks its probes sees a difference. Else, or
/// where that fails, it is ended, so that there are never two, and started again under a new one.
awaitable<void> Runtime::recover(InstancePtr instance, bool orderly, bool kept) {
  if (!kept && listener)
    listener({.kind = InstanceChange::Kind::gone, .id = instance->id, .reason = orderly ? "its keeper was stopped from outside" : "its keeper died", .exit = {},
              .exit_follows = !orderly && instance->last.app_pid != 0, .stopped = orderly});
  io::milliseconds pause = orderly ? io::milliseconds(kAfterOrderly) : io::milliseconds(0);
  for (;;) {
    if (pause > 0ms) co_await instance->changed.wait(pause);
    co_await acquire(instance);
    if (!current(instance) || instance->unwanted || instance->link || !instance->plan || instance->plan->once) {
      release(*instance);
      co_return;
    }
    co_await end_keeper(instance);
    if (kept) {
      kept = false;
      auto taken = co_await keep_app(instance);
      if (taken) {
        release(*instance);
        co_return tell(InstanceChange::Kind::kept, *instance, kKept);
      }
      if (closed_) co_return release(*instance);
      lose(*instance);
      if (listener)
        listener({.kind = InstanceChange::Kind::gone, .id = instance->id, .reason = fmt::format("its keeper died, and no other can keep it: {}", taken.error().message), .exit = {},
                  .exit_follows = instance->last.app_pid != 0});
      co_await end_keeper(instance);
    }
    instance->phase = Phase::lost;
    bool cleared = orderly;
    const Orphan orphan = instance->orphan();
    const std::string name = instance->name();
    if (!orderly) cleared = co_await clear_orphan(orphan, instance->socket_path, name);
    if (!orderly && instance->last.app_pid != 0) end_unseen(*instance);  // once, however often a new keeper is tried
    instance->last.app_pid = 0;
    auto started = Result<void>(fail(Errc::timeout, "processes of the app do not end"));
    if (cleared) started = co_await start_keeper(instance);
    const bool again = !started && !instance->link && !instance->unwanted && !closed_;
    if (!started) tell(InstanceChange::Kind::gone, *instance, started.error().message);
    release(*instance);
    if (!again) co_return;
    pause = std::min(std::max(pause * 2, io::milliseconds(100)), io::milliseconds(kLongestPause));
  }
}

/// Its process ended, and its keeper, who would have seen how, had been killed: an end like others, of which that is not known.
void Runtime::end_unseen(Instance& instance) {
  keeper::State& last = instance.last;
  const auto now = std::chrono::duration_cast<io::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  last.exits_unknown++;
  last.last_exit = {};
  last.last_exit.cause = keeper::Cause::unknown;
  last.last_exit.at_ms = now;
  if (last.started_ms != 0) last.last_exit.ran_ms = std::max<std::int64_t>(now - last.started_ms, 0);
  last.app_pid = 0;
  const auto exit = describe_exit(last.last_exit, instance.program(), instance.root());
  tell(InstanceChange::Kind::exited, instance, exit.reason, exit);
}

/// A new keeper for a process that goes on, and that is still the one that was known.
awaitable<Result<void>> Runtime::keep_app(InstancePtr instance) {
  const Orphan orphan = instance->orphan();
  const auto now = process_info(orphan.pid);
  if (orphan.pid != instance->last.app_pid || orphan.start == 0 || !now || !now->alive() || now->start != orphan.start)
    co_return fail(Errc::not_found, "its process ended, too");
  const keeper::TakeOver told = told_of(*instance, &orphan);
  const auto begun = co_await begin_keeper(instance, told);
  if (!begun) co_return std::unexpected(begun.error());
  const auto moment = io::Steady::now();
  instance->takeovers = moment - instance->taken_over < kTakeoversApart ? instance->takeovers + 1 : 1;
  instance->taken_over = moment;
  co_return Result<void>();
}

/// A keeper that is another program than the one that this berthd came with is told to become that; the app does not notice. One that cannot goes on until
/// its app is stopped.
awaitable<void> Runtime::renew_keeper(InstancePtr instance) {
  if (instance->link->version() < keeper::kTakesOver) co_return;
  std::error_code ignored;
  const std::string program = fs::absolute(options_.keeper_program, ignored).string();
  const auto look = [program, pid = instance->last.keeper_pid] { return runs_other_program(pid, program); };
  const bool other = co_await pool_.run(look);
  if (!other || !instance->link) co_return;
  const auto asked = instance->link->renew(program);
  if (!asked) tell(InstanceChange::Kind::not_renewed, *instance, asked.error().message);
}

/// Kills what is left of an app, until nothing is. Where that cannot be, it is written down.
awaitable<bool> Runtime::clear_orphan(Orphan orphan, std::string socket_path, std::string name) {
  const auto end = io::Steady::now() + kKillWait;
  const auto kill_all = [orphan] { return kill_orphan(orphan); };
  for (auto wait = 1ms; io::Steady::now() < end; wait = std::min(wait * 2, 50ms)) {
    const bool none_left = co_await pool_.run(kill_all);
    if (none_left) co_return true;
    co_await io::sleep_for(wait);
  }
  const auto note = [socket_path, name, orphan] { return note_left_behind(socket_path, name, orphan); };
  const auto noted = co_await pool_.run(note);
  if (!noted) fmt::print(stderr, "processes of {} do not end, and that cannot be written down: {}\n", name, noted.error().message);
  co_return false;
}

awaitable<std::vector<std::string>> Runtime::left_behind(std::string app) {
  const auto look = [keepers = keepers_directory(options_.run_directory), app] { return supervise::left_behind(keepers, app); };
  auto left = co_await pool_.run(look);
  co_return left;
}

/// A keeper that accepts connections and says nothing (it was stopped, or waits for a disk that hangs) helps nobody: it is killed, and its app.
awaitable<void> Runtime::end_wedged(pid_t keeper, std::string socket_path, std::string name) {
  const Fd pidfd(keeper > 1 ? static_cast<int>(::syscall(SYS_pidfd_open, keeper, 0)) : -1);
  if (pidfd) {
    ::syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0);
    static_cast<void>(co_await io::wait_readable(pidfd.get(), 5000ms));
  }
  if (auto orphan = read_app_file(socket_path + ".app")) co_await clear_orphan(*orphan, socket_path, name);
}

/// Makes sure that the keeper's process has ended.
awaitable<void> Runtime::end_keeper(InstancePtr instance) {
  instance->link.reset();
  if (!instance->keeper_pidfd) co_return;
  const Fd keeper = std::move(instance->keeper_pidfd);
  const bool orderly = instance->last.event == keeper::Event::gone;
  // One that said goodbye ends by itself.
  if (orderly) {
    const auto ended = co_await io::wait_readable(keeper.get(), 1000ms);
    if (ended && *ended) co_return;
  }
  ::syscall(SYS_pidfd_send_signal, keeper.get(), SIGKILL, nullptr, 0);
  static_cast<void>(co_await io::wait_readable(keeper.get(), 5000ms));
}

}  // namespace berth::supervise
