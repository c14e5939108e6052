#include "cli/watch_status.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>

#include <fmt/core.h>

#include "cli/output/alternate_screen.h"
#include "cli/watch_picture.h"
#include "core/files/fd.h"

namespace berth::cli {
namespace {

using Clock = std::chrono::steady_clock;

/// A berthd that says nothing for so long is away; an answer may still come.
constexpr std::chrono::seconds kSilent{2};
constexpr std::chrono::seconds kLongestAsk{10};
/// Ages and clocks go on also while nothing comes.
constexpr std::chrono::seconds kTick{1};

constexpr int kEnding[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

/// Asks one node at each interval, in a thread of its own: a call that hangs keeps neither keys nor signals waiting.
class Watcher {
 public:
  Watcher(const Console& console, const StatusWatch& watch, std::string name, int wake)
      : api_(console), target_(watch.app.empty() ? "/v1/status" : "/v1/apps/" + watch.app), interval_(watch.interval), wake_(wake), known_{.name = std::move(name)},
        thread_([this](std::stop_token stop) { ask_on(std::move(stop)); }) {}

  /// What is known now.
  Watched known() {
    const std::lock_guard lock(mutex_);
    Watched known = known_;
    if (!known.away && asking_since_ && Clock::now() - *asking_since_ > kSilent) {
      known.away = Error{Errc::unreachable, "berthd has the call, and says nothing"};
      known.away_since = asking_at_;
    }
    return known;
  }

 private:
  void ask_on(std::stop_token stop) {
    while (!stop.stop_requested()) {
      {
        const std::lock_guard lock(mutex_);
        asking_since_ = Clock::now();
        asking_at_ = std::chrono::system_clock::now();
      }
      auto answer = api_.get(target_, kLongestAsk);
      {
        const std::lock_guard lock(mutex_);
        asking_since_.reset();
        take(std::move(answer));
      }
      const std::uint64_t one = 1;
      [[maybe_unused]] const ssize_t written = ::write(wake_, &one, sizeof one);
      std::unique_lock lock(mutex_);
      ended_.wait_for(lock, stop, interval_, [] { return false; });
    }
  }
  void take(Result<json::value> answer) {
    if (answer) {
      known_.answer = std::move(*answer);
      known_.answered_at = std::chrono::system_clock::now();
      known_.away.reset();
    } else {
      if (!known_.away) known_.away_since = asking_at_;
      known_.away = std::move(answer.error());
    }
  }

  ApiClient api_;
  std::string target_;
  milliseconds interval_;
  int wake_;
  std::mutex mutex_;
  std::condition_variable_any ended_;
  std::optional<Clock::time_point> asking_since_;
  WallTime asking_at_{};
  Watched known_;
  std::jthread thread_;  ///< last: it uses all the others
};

/// Blocked in this thread and those that it starts; they come by a descriptor.
class BlockedSignals {
 public:
  BlockedSignals() {
    ::sigemptyset(&set_);
    for (const int number : kEnding) ::sigaddset(&set_, number);
    for (const int number : {SIGWINCH, SIGTSTP}) ::sigaddset(&set_, number);
    ::pthread_sigmask(SIG_BLOCK, &set_, &before_);
    fd_.reset(::signalfd(-1, &set_, SFD_CLOEXEC | SFD_NONBLOCK));
  }
  ~BlockedSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;

  int fd() const { return fd_.get(); }
  /// 0 where there is none.
  int next() const {
    signalfd_siginfo info{};
    return ::read(fd_.get(), &info, sizeof info) == sizeof info ? static_cast<int>(info.ssi_signo) : 0;
  }
  /// Does with it what would have been done, had nobody blocked it.
  static void let_act(int number) {
    sigset_t one, before;
    ::sigemptyset(&one);
    ::sigaddset(&one, number);
    ::raise(number);
    ::pthread_sigmask(SIG_UNBLOCK, &one, &before);  // it is delivered here: ends the program, or stops it until it is continued
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

 private:
  sigset_t set_{}, before_{};
  Fd fd_;
};

std::vector<std::unique_ptr<Watcher>> watch_each(const Console& console, const std::vector<RemoteNode>& nodes, const StatusWatch& watch, int wake) {
  std::vector<std::unique_ptr<Watcher>> watchers;
  if (nodes.empty()) watchers.push_back(std::make_unique<Watcher>(console, watch, "", wake));
  for (const RemoteNode& node : nodes) {
    Console own = console;
    own.node = node;
    watchers.push_back(std::make_unique<Watcher>(own, watch, node.name, wake));
  }
  return watchers;
}

/// Whether it is for whoever calls, and not for time to mend.
bool is_wrong_call(const Error& error) { return error.code != Errc::unreachable && error.code != Errc::timeout && error.code != Errc::protocol; }

/// Whether `q` was typed. The end of the keys is that of the terminal, or of nothing: it ends nobody.
bool wants_end(pollfd& keys) {
  char typed[64];
  const ssize_t got = ::read(STDIN_FILENO, typed, sizeof typed);
  if (got <= 0) keys.fd = -1;
  return got > 0 && std::string_view(typed, static_cast<std::size_t>(got)).find('q') != std::string_view::npos;
}

Result<Exit> watch_on_screen(const Console& console, const std::vector<RemoteNode>& nodes, const StatusWatch& watch) {
  const BlockedSignals signals;
  const Fd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake || signals.fd() < 0) return fail_errno("berth status --watch: wait for signals");
  const auto watchers = watch_each(console, nodes, watch, wake.get());
  const WatchLook look{.app = watch.app, .quiet = console.quiet, .head = fmt::format("berth status{}, every {:g}s; q ends it", watch.app.empty() ? "" : " " + watch.app,
                                                                                      static_cast<double>(watch.interval.count()) / 1000)};
  AlternateScreen screen(STDOUT_FILENO, STDIN_FILENO);
  pollfd waits[] = {{signals.fd(), POLLIN, 0}, {wake.get(), POLLIN, 0}, {::isatty(STDIN_FILENO) == 1 ? STDIN_FILENO : -1, POLLIN, 0}};
  for (;;) {
    std::vector<Watched> known;
    for (const auto& watcher : watchers) known.push_back(watcher->known());
    if (known.size() == 1 && !known[0].answer && known[0].away && is_wrong_call(*known[0].away)) {
      screen.leave();
      return std::unexpected(std::move(*known[0].away));
    }
    const StatusView view{.now = std::chrono::system_clock::now(), .colour = console.colour, .width = screen.size().columns};
    if (!screen.draw(watch_picture(known, look, view))) return fail(Errc::io, "berth status --watch: the terminal is gone");
    ::poll(waits, std::size(waits), static_cast<int>(std::chrono::milliseconds(kTick).count()));
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = ::read(wake.get(), &count, sizeof count);
    if (waits[2].fd >= 0 && (waits[2].revents & (POLLIN | POLLHUP)) != 0 && wants_end(waits[2])) {
      screen.leave();
      std::_Exit(static_cast<int>(Exit::ok));  // a call that is under way is not waited for
    }
    const int signal = signals.next();
    if (signal == 0 || signal == SIGWINCH) continue;  // the next picture has the new size
    screen.leave();
    BlockedSignals::let_act(signal);
    screen.enter();  // it was a stop, and we are continued
  }
}

/// A document at each look. That a node does not answer is told once on stderr, and it is asked again.
Result<Exit> watch_as_documents(const Console& console, const std::vector<RemoteNode>& nodes, const StatusWatch& watch) {
  const Fd wake(::eventfd(0, EFD_CLOEXEC));
  if (!wake) return fail_errno("berth status --watch: wait for answers");
  const auto watchers = watch_each(console, nodes, watch, wake.get());
  const bool several = watchers.size() > 1;
  std::vector<WallTime> answered(watchers.size()), away(watchers.size());
  for (;;) {
    std::uint64_t count = 0;
    if (::read(wake.get(), &count, sizeof count) != sizeof count) continue;
    for (std::size_t i = 0; i < watchers.size(); ++i) {
      const Watched known = watchers[i]->known();
      if (known.answer && std::exchange(answered[i], known.answered_at) != known.answered_at)
        console.document(several ? json::value(json::object{{"node", known.name}, {"answer", *known.answer}}) : *known.answer);
      if (console.is_broken()) std::_Exit(static_cast<int>(console.ended(Exit::failed)));
      if (!known.away) continue;
      if (!several && !known.answer && is_wrong_call(*known.away)) return std::unexpected(*known.away);
      if (std::exchange(away[i], known.away_since) == known.away_since) continue;
      report(console, {known.away->code, (several ? known.name + ": " : "") + known.away->message});
    }
  }
}

}  // namespace

Result<Exit> watch_status(const Console& console, const std::vector<RemoteNode>& nodes, const StatusWatch& watch) {
  constexpr milliseconds kShortest{100};
  if (watch.interval < kShortest) return fail(Errc::usage, fmt::format("berth status --interval: {}ms are less than the least, {}ms", watch.interval.count(), kShortest.count()));
  if (console.json) return watch_as_documents(console, nodes, watch);
  if (!console.draws)
    return fail(Errc::usage, "berth status --watch: stdout is no terminal that can be drawn on; --json prints a document at each look, and 'berth events -f' a line for what happens");
  return watch_on_screen(console, nodes, watch);
}

}  // namespace berth::cli
