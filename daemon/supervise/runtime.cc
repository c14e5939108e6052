#include "daemon/supervise/runtime.h"

#include <exception>
#include <filesystem>

#include <boost/asio/co_spawn.hpp>
#include <fmt/core.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/supervise/exit_text.h"

namespace berth::supervise {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

awaitable<void> hold(std::shared_ptr<Runtime> runtime, awaitable<void> task) {
  co_await std::move(task);
  static_cast<void>(runtime);
}

}  // namespace

void Runtime::spawn(awaitable<void> task) {
  boost::asio::co_spawn(executor_, hold(shared_from_this(), std::move(task)), [](std::exception_ptr thrown) {
    if (thrown) std::rethrow_exception(thrown);  // expected failures are values
  });
}

void Runtime::close() {
  closed_ = true;
  listener = nullptr;
  for (const auto& [key, instance] : instances_) {
    instance->generation++;
    if (instance->link) instance->link->close();
    instance->changed.notify();
  }
  instances_.clear();
}

void Runtime::tell(InstanceChange::Kind kind, const Instance& instance, std::string reason, std::optional<Exit> exit) {
  const bool stopped = instance.last.phase == keeper::Phase::stopping ||
                       (kind == InstanceChange::Kind::exited && instance.last.last_exit.cause == keeper::Cause::stopped);
  if (listener) listener({.kind = kind, .id = instance.id, .reason = std::move(reason), .exit = std::move(exit), .stopped = stopped});
}

/// Works out readiness anew, and tells when it changed.
void Runtime::refresh(Instance& instance) {
  instance.not_ready = why_not_ready(instance);
  const bool ready = instance.not_ready.empty();
  const bool differs = ready != instance.ready;
  instance.ready = ready;
  if (differs) tell(ready ? InstanceChange::Kind::ready : InstanceChange::Kind::unready, instance, instance.not_ready);
  instance.changed.notify();
}

bool Runtime::current(const InstancePtr& instance) const {
  const auto it = instances_.find(instance->key);
  return !closed_ && it != instances_.end() && it->second == instance;
}

awaitable<void> Runtime::acquire(InstancePtr instance) {
  while (instance->busy) co_await instance->changed.wait(60s);
  instance->busy = true;
}

void Runtime::release(Instance& instance) {
  instance.busy = false;
  instance.changed.notify();
}

/// Takes a connection whose keeper has said hello, with what it holds, and follows it from now on.
awaitable<Result<void>> Runtime::attach(InstancePtr instance, KeeperLink connected, HeldFiles* held) {
  auto link = std::make_shared<KeeperLink>(std::move(connected));
  link->on_notified([this, weak = std::weak_ptr(instance)](const keeper::Notified& notified) {
    if (const auto told = weak.lock(); told && !closed_) hear(told, notified);
  });
  auto files = co_await link->held_files();
  if (!files) co_return pass(files.error(), instance->name());
  instance->pipes = std::move(files->pipes);
  instance->pipe_names.clear();
  for (const auto& pipe : instance->pipes) instance->pipe_names.insert(file_name_of(pipe.get()));
  if (held != nullptr) *held = std::move(*files);
  instance->link = link;
  instance->keeper_pidfd.reset(static_cast<int>(::syscall(SYS_pidfd_open, instance->last.keeper_pid, 0)));
  spawn(follow(instance, link));
  co_return Result<void>();
}

/// Hears what a keeper tells, until it goes.
awaitable<void> Runtime::follow(InstancePtr instance, std::shared_ptr<KeeperLink> link) {
  bool orderly = false;
  for (;;) {
    auto state = co_await link->next(24h);
    if (closed_ || instance->link != link) co_return;
    if (!state && state.error().code == Errc::timeout) continue;
    if (!state) break;
    orderly = state->event == keeper::Event::gone;
    apply(instance, *state);
  }
  instance->link.reset();
  instance->changed.notify();  // whoever waits for an answer waits in vain
  const bool was_stopped = instance->last.phase == keeper::Phase::holding;
  const auto gone = instance->last.keeper_pid;
  bool back = false;
  if (!orderly && !was_stopped) back = co_await reattach(instance);
  const bool begun_anew = instance->busy && instance->last.keeper_pid != gone;  // by somebody else, meanwhile
  if (back || closed_ || instance->link || begun_anew) co_return;
  if (orderly) {
    instance->last.app_pid = 0;
    instance->pipes.clear();  // it has read them to their end
  }
  const bool kept = !orderly && may_be_kept(*instance);
  if (!kept) lose(*instance);
  if (!instance->unwanted && !was_stopped) spawn(recover(instance, orderly, kept));
}

void Runtime::apply(InstancePtr instance, const keeper::State& state) {
  instance->last = state;
  instance->phase = phase_of(state.phase);
  switch (state.event) {
    case keeper::Event::started:
      tell(InstanceChange::Kind::started, *instance, {});
      if (state.phase == keeper::Phase::running) begin_probes(instance, false);
      break;
    case keeper::Event::exited: {
      instance->generation++;
      const auto exit = describe_exit(state.last_exit, instance->program(), instance->root());
      tell(InstanceChange::Kind::exited, *instance, exit.reason, exit);
      break;
    }
    case keeper::Event::ended:
      tell(InstanceChange::Kind::ended, *instance, {});
      break;
    case keeper::Event::renewed:
      tell(InstanceChange::Kind::renewed, *instance, {});
      break;
    case keeper::Event::not_renewed:
      tell(InstanceChange::Kind::not_renewed, *instance, state.refusal);
      break;
    default:
      break;
  }
  refresh(*instance);
}

/// What the app said of itself. A readiness probe of kind `notify` is that, and nothing is asked for it.
void Runtime::hear(InstancePtr instance, const keeper::Notified& notified) {
  instance->notified = notified;
  const auto more = std::chrono::milliseconds(notified.extend_ms);
  if (more > 0ms) instance->extended_until = std::max(instance->extended_until, io::Steady::now() + more);
  if (instance->plan && instance->plan->readiness && instance->plan->readiness->kind == spec::ProbeKind::notify) judge_notice(*instance);
  refresh(*instance);
}

awaitable<std::vector<Supervisor::Found>> Runtime::find() {
  std::vector<std::string> sockets;
  std::error_code ignored;
  for (fs::directory_iterator it(keepers_directory(options_.run_directory), ignored), end; it != end; it.increment(ignored)) {
    if (it->path().extension() == ".sock") sockets.push_back(it->path().string());
  }
  std::vector<Supervisor::Found> all;
  for (const auto& path : sockets) {
    auto found = co_await find_one(path);
    if (found) all.push_back(std::move(*found));
  }
  co_return all;
}

awaitable<std::optional<Supervisor::Found>> Runtime::find_one(std::string socket_path) {
  auto link = KeeperLink::connect(executor_, socket_path);
  if (!link) {
    // Its keeper is dead; the app may not be.
    const std::string unknown;
    if (auto orphan = read_app_file(socket_path + ".app")) co_await clear_orphan(*orphan, socket_path, unknown);
    fs::remove(socket_path);
    fs::remove(socket_path + ".app");
    co_return std::nullopt;
  }
  auto hello = co_await link->next(5s);
  const std::string unknown;
  if (!hello && hello.error().code == Errc::timeout) co_await end_wedged(link->keeper_pid(), socket_path, unknown);
  if (!hello) co_return std::nullopt;
  const auto selector = parse_selector(hello->id);
  if (!selector || !selector->process || !selector->number) {
    link->stop();  // one that still waits for its launch
    co_return std::nullopt;
  }
  const InstanceId id{selector->app, *selector->process, *selector->number, selector->release.value_or("")};
  auto instance = std::make_shared<Instance>(executor_, id, options_.run_directory);
  instance->last = *hello;
  instance->phase = phase_of(hello->phase);
  HeldFiles held;
  const auto attached = co_await attach(instance, std::move(*link), &held);
  if (!attached) co_return std::nullopt;
  instances_[instance->key] = instance;
  refresh(*instance);
  co_return Supervisor::Found{.id = id, .keeper_pid = hello->keeper_pid, .sockets = std::move(held.sockets)};
}

}  // namespace berth::supervise
