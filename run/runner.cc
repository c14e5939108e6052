#include "run/runner.h"

#include <algorithm>

#include <fmt/core.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/exit_code.h"
#include "daemon/deploy/instance_plan.h"

namespace berth::run {
namespace {

using namespace std::chrono_literals;
using supervise::InstanceChange;

deploy::NodeFacts facts_of(const Places& places, const RunOptions& options) {
  char name[256] = {};
  ::gethostname(name, sizeof name - 1);
  return {.name = name, .environment = {}, .labels = options.labels, .paths = places.paths, .secret_sources = {}};
}

int exit_of(int status) { return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status); }

std::string joined(const std::vector<std::string>& paths) {
  constexpr std::size_t kShown = 3;
  std::string text;
  for (std::size_t i = 0; i < std::min(paths.size(), kShown); ++i) text += (i == 0 ? "" : ", ") + paths[i];
  if (paths.size() > kShown) text += fmt::format(" and {} more", paths.size() - kShown);
  return text;
}

}  // namespace

Runner::Runner(io::Loop& loop, io::Pool& pool, const Places& places, RunOptions options, std::function<void(Word)> say)
    : loop_(loop),
      pool_(pool),
      options_(std::move(options)),
      say_(std::move(say)),
      node_(facts_of(places, options_)),
      supervisor_(loop.executor(), pool, {.keeper_program = options_.keeper, .run_directory = places.paths.run, .keep_orphans = false}),
      changed_(loop.executor()) {
  supervisor_.on_change([this](const InstanceChange& change) { on_change(change); });
}

void Runner::say(Word::Kind kind, const std::string& instance, std::string text) const {
  const auto now = std::chrono::time_point_cast<logs::Time::duration>(std::chrono::system_clock::now());
  say_({.kind = kind, .at = now, .instance = instance, .text = std::move(text)});
}

/// As of when it started, which is before it printed anything.
void Runner::say_started(const std::string& instance, const std::optional<supervise::InstanceStatus>& status) const {
  const auto now = std::chrono::time_point_cast<logs::Time::duration>(std::chrono::system_clock::now());
  const auto began = status ? logs::parse_rfc3339(status->started_at) : std::nullopt;
  say_({.kind = Word::Kind::started, .at = std::min(now, began.value_or(now)), .instance = instance, .text = fmt::format("started (pid {})", status ? status->pid : 0)});
}

void Runner::fail_with(int exit, std::string text) {
  say(Word::Kind::failed, {}, std::move(text));
  if (!exit_ && !options_.restarts) exit_ = exit;
  changed_.notify();
}

void Runner::stop(bool insists) {
  if (stops_ > 0 && !insists) return;
  ++stops_;
  if (stops_ > 1)
    for (const auto& status : supervisor_.all()) supervisor_.hurry(status.id);
  changed_.notify();
}

void Runner::restart(std::vector<std::string> changed) {
  files_changed_ = std::move(changed);
  wants_restart_ = true;
  changed_.notify();
}

awaitable<void> Runner::stop_all() {
  const auto all = supervisor_.all();
  for (const auto& status : all) {
    const InstanceId id = status.id;
    const auto stopped = co_await supervisor_.stop(id);
    if (!stopped) say(Word::Kind::failed, shown_name(id), stopped.error().message);
  }
}

/// Keepers of a run that was killed may still be stopping their apps; its secrets are still there.
awaitable<void> Runner::clear_leftovers() {
  const auto found = co_await supervisor_.find();
  for (const auto& one : found) {
    const InstanceId id = one.id;
    const auto stopped = co_await supervisor_.stop(id);
    if (!stopped) say(Word::Kind::note, shown_name(id), stopped.error().message);
  }
  const auto remove = [this] { static_cast<void>(deploy::remove_strange_folders(node_, {})); };
  co_await pool_.run(remove);
}

/// What was cancelled gave way to an end or a change.
void Runner::note_failed_start(const Error& error) {
  if (stops_ == 0 && error.code != Errc::cancelled) fail_with(static_cast<int>(exit_code(error.code)), error.message);
}

awaitable<int> Runner::run(LocalRelease first, Load load) {
  release_ = std::move(first);
  ports_.emplace(release_.order, options_.base_port);
  co_await clear_leftovers();
  tells_ = true;
  loop_.spawn("readiness", tell_unready());
  const auto started = co_await bring_up();
  if (!started) note_failed_start(started.error());
  while (stops_ == 0 && !exit_) {
    if (wants_restart_) co_await reload(load);
    else if (up_ && !options_.restarts && has_ended_well()) break;
    else co_await changed_.wait(24h);
  }
  co_await bring_down();
  is_over_ = true;
  changed_.notify();
  while (tells_) co_await changed_.wait(24h);
  co_return exit_.value_or(0);
}

/// Whether there is nothing left to wait for: everything that ran has ended by itself, and well.
bool Runner::has_ended_well() const {
  std::size_t wanted = 0;
  for (const auto& [name, process] : release_.manifest.spec.processes) wanted += instances_of(name).size();
  return wanted > 0 && ended_.size() == wanted;
}

/// What cannot be loaded leaves what runs as it is; so does a first hook that fails, unless there are other processes now.
awaitable<void> Runner::reload(Load load) {
  wants_restart_ = false;
  const std::string what = joined(files_changed_);
  auto loaded = co_await pool_.run(std::move(load));
  if (loaded && (loaded->manifest.app != release_.manifest.app || loaded->numbers_ports != release_.numbers_ports))
    loaded = fail(Errc::conflict, "it is another app now: end this, and begin again");
  if (!loaded) {
    say(Word::Kind::failed, {}, fmt::format("{} changed, and what runs stays as it is: {}", what, loaded.error().message));
    co_return;
  }
  say(Word::Kind::restarting, {}, fmt::format("{} changed: it is started again", what));
  up_ = false;
  ended_.clear();
  told_.clear();
  const LocalRelease before = std::move(release_);
  release_ = std::move(*loaded);
  // Where the spec's processes are others, so may their ports be.
  const bool same = release_.order == before.order && release_.manifest.spec.processes == before.manifest.spec.processes && release_.instances == before.instances;
  if (!same) {
    co_await stop_all();
    ports_.emplace(release_.order, options_.base_port);
  }
  const auto started = co_await bring_up();
  if (started) co_return;
  note_failed_start(started.error());
  up_ = !supervisor_.all().empty();  // what runs on is stopped in order, too
}

void Runner::on_change(const InstanceChange& change) {
  using Kind = InstanceChange::Kind;
  const bool is_hook = spec::is_hook_name(change.id.process);
  const std::string name = shown_name(change.id);
  const auto status = supervisor_.status(change.id);
  switch (change.kind) {
    case Kind::started:
      say_started(name, status);
      if (!is_hook) expect_ready(change.id);
      break;
    case Kind::ready:
      expected_.erase(change.id);
      told_.erase(change.id);
      if (!is_hook) {
        const auto process = release_.manifest.spec.processes.find(change.id.process);
        const bool is_reached = process != release_.manifest.spec.processes.end() && ports_;
        const auto ports = is_reached ? ports_->of(change.id.process, process->second, change.id.number) : Result<InstancePorts>(InstancePorts());
        std::uint16_t port = ports ? ports->main : std::uint16_t{0};
        if (const std::string main = is_reached ? spec::main_port(process->second) : std::string(); ports && port == 0 && ports->named.contains(main)) port = ports->named.at(main);
        // What nobody asks at its port, as with a Procfile, is ready when it runs, and a worker never listens there.
        const bool is_silent = is_reached && process->second.routing == spec::Routing::none && port != 0 && !is_taken(port);
        const std::string where = port == 0 ? "" : is_silent ? fmt::format("; nothing listens at its port {} yet", port) : fmt::format(", at port {}", port);
        say(Word::Kind::ready, name, "ready" + where);
      }
      break;
    case Kind::unready:
      if (!is_hook && status && status->phase == supervise::Phase::running) say(Word::Kind::unready, name, "not ready: " + change.reason);
      break;
    case Kind::exited:
      expected_.erase(change.id);
      if (change.exit) note_end(change.id, *change.exit);
      break;
    case Kind::ended:
      if (!is_hook && status && status->last_exit) {
        ended_.insert(change.id);
        const int exit = exit_of(status->last_exit->status);
        if (exit != 0 && stops_ == 0) fail_with(exit, fmt::format("{} {}, and is not started again", name, status->last_exit->reason));
      }
      break;
    case Kind::gone:
      if (stops_ == 0) say(Word::Kind::note, name, change.reason);
      break;
    default:
      break;
  }
  changed_.notify();
}

/// A process ended. That of a crash loop ends the run: it would be the same on a node, whose deployment would fail.
void Runner::note_end(const InstanceId& id, const supervise::Exit& exit) {
  const std::string name = shown_name(id);
  say(Word::Kind::exited, name, exit.reason);
  const auto status = supervisor_.status(id);
  const bool loops = status && status->crash_loop && stops_ == 0 && !spec::is_hook_name(id.process);
  if (!loops || exit_ || options_.restarts) return;
  const int code = exit_of(exit.status);
  fail_with(code == 0 ? static_cast<int>(Exit::failed) : code, fmt::format("{} ended five times within a minute, the last time it {}", name, exit.reason));
}

}  // namespace berth::run
