#include "run/run_app.h"

#include <algorithm>
#include <csignal>

#include <fmt/core.h>

#include "run/log_tail.h"
#include "run/tree_watch.h"

namespace berth::run {
namespace {

using namespace std::chrono_literals;
using io::Steady;

constexpr auto kQuiet = 150ms;         ///< of a tree, before what changed counts: tools write several files
constexpr auto kLongestUnrest = 2s;
constexpr std::size_t kPoolThreads = 2;

awaitable<void> hear_signals(io::Signals* signals, Runner* runner) {
  for (;;) {
    const int number = co_await signals->next();
    if (number == 0) co_return;
    runner->stop(number != SIGHUP);
  }
}

Result<TreeWatch> watch_tree(const fs::path& tree, const LocalRelease& release) { return TreeWatch::open(tree, release.numbers_ports ? "" : release.manifest.environment); }

/// Says which files changed, once nothing changes any more.
awaitable<void> watch_files(TreeWatch* watch, Runner* runner, std::function<void()> on_other_rules, std::function<void(std::string)> on_trouble) {
  for (;;) {
    const auto woken = co_await io::wait_readable(watch->descriptor(), 24h);
    if (!woken) co_return;
    auto changed = watch->take();
    if (!changed) {
      on_trouble(changed.error().message);
      co_return;
    }
    const auto end = Steady::now() + kLongestUnrest;
    while (!changed->empty() && Steady::now() < end) {
      const auto more = co_await io::wait_readable(watch->descriptor(), kQuiet);
      if (!more || !*more) break;
      const auto further = watch->take();
      if (!further) break;
      for (const std::string& path : *further)
        if (std::ranges::find(*changed, path) == changed->end()) changed->push_back(path);
    }
    if (changed->empty()) continue;
    if (std::ranges::find(*changed, ".berthignore") != changed->end()) on_other_rules();
    runner->restart(std::move(*changed));
  }
}

awaitable<void> run_to_end(Runner* runner, LocalRelease release, Load load, int* exit, io::Loop* loop) {
  *exit = co_await runner->run(std::move(release), std::move(load));
  loop->stop();
}

/// From now on a signal ends this program: nothing runs any more, and what is left to be shown may wait for a reader that never comes.
void end_by_signals() {
  sigset_t all;
  sigemptyset(&all);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&all, number);
  ::pthread_sigmask(SIG_UNBLOCK, &all, nullptr);
}

/// What is worth knowing before the first line of an app.
void say_first(LogTail& tail, const RunRequest& request) {
  const LocalRelease& release = request.release;
  const auto say = [&tail](std::string text) {
    tail.say({.kind = Word::Kind::note, .at = std::chrono::time_point_cast<logs::Time::duration>(std::chrono::system_clock::now()), .instance = {}, .text = std::move(text)});
  };
  const std::string what = release.manifest.release == "local" ? fmt::format("{} from {}", release.manifest.app, release.app.string())
                                                                : fmt::format("{}@{}", release.manifest.app, release.manifest.release);
  say(fmt::format("{}, environment {}; its data are in {}", what, release.manifest.environment, request.places.paths.data(release.manifest.app).string()));
  for (const std::string& note : release.notes) say(note);
  if (release.differences.empty()) return;
  say(fmt::format("{} is not like {}:", release.manifest.environment, kUsualEnvironment));
  for (const std::string& difference : release.differences) say("  " + difference);
}

}  // namespace

Result<int> run_app(RunRequest request, Output& output) {
  ::signal(SIGPIPE, SIG_IGN);
  io::Loop loop;
  io::Signals signals(loop.executor(), {SIGINT, SIGTERM, SIGHUP});
  std::optional<TreeWatch> watch;
  if (!request.watched.empty()) {
    BERTH_TRY(watch, watch_tree(request.watched, request.release));
  }
  int exit = 0;
  io::Pool pool(kPoolThreads);
  Runner* running = nullptr;
  LogTail tail(request.places.paths.logs, request.release.manifest.app, output, [&loop, &running] { loop.post([&running] { running->stop(false); }); });
  Runner runner(loop, pool, request.places, request.options, [&tail](Word word) { tail.say(std::move(word)); });
  running = &runner;
  say_first(tail, request);
  loop.spawn("signals", hear_signals(&signals, &runner));
  if (watch) {
    const auto reopen = [&watch, &request] {
      if (auto again = watch_tree(request.watched, request.release)) *watch = std::move(*again);
    };
    const auto tell = [&tail](const std::string& trouble) {
      const auto now = std::chrono::time_point_cast<logs::Time::duration>(std::chrono::system_clock::now());
      tail.say({.kind = Word::Kind::failed, .at = now, .instance = {}, .text = "changes are not seen any more: " + trouble});
    };
    loop.spawn("watch", watch_files(&*watch, &runner, reopen, tell));
  }
  loop.spawn("run", run_to_end(&runner, request.release, request.load, &exit, &loop));
  loop.run();
  close_places(request.places);  // the logs, of which something may be to be shown yet, are elsewhere
  end_by_signals();
  tail.finish();
  return exit;
}

}  // namespace berth::run
