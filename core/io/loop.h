#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <type_traits>
#include <vector>
#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "core/result.h"

namespace berth::io {

using std::chrono::milliseconds;
using Steady = std::chrono::steady_clock;

/// The event loop of a program: one thread runs it, everything else is posted to it.
class Loop {
 public:
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  boost::asio::any_io_executor executor();

  /// Starts a coroutine. One that throws ends the program: expected failures are values. (Asio's own exception of a cancelled one does not.)
  void spawn(std::string name, boost::asio::awaitable<void> task);

  /// Runs `f` on the loop's thread, from any thread.
  void post(std::function<void()> f);

  void run();
  void stop();

  /// The longest that one turn took of those that ended within the last minute. For the loop's own thread, or while nothing runs it.
  std::chrono::microseconds longest_turn() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Waits; ends early when the coroutine is cancelled.
boost::asio::awaitable<void> sleep_for(milliseconds duration);

/// Lets the rest that waits for the loop take its turn first.
boost::asio::awaitable<void> next_turn();

/// Something that happens, again and again, and that coroutines of one loop wait for. Not for other threads.
class Event {
 public:
  explicit Event(boost::asio::any_io_executor executor);
  ~Event();
  Event(Event&&) noexcept;
  Event& operator=(Event&&) noexcept;

  /// Wakes everyone who waits now.
  void notify();

  /// True when notified, false when `at_most` passed first.
  boost::asio::awaitable<bool> wait(milliseconds at_most);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// Threads for whatever blocks: fsync, hashing, SQLite, nft, unpacking. They take no signals. Destroy it before the loop it answers to.
class Pool {
 public:
  explicit Pool(std::size_t threads);
  ~Pool();  ///< does what is queued, and waits
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// Runs `f` on a pool thread and gives its value back on the caller's executor. `f` must not throw. Cancelling the caller takes effect when
  /// `f` is done.
  template <class F>
  boost::asio::awaitable<std::invoke_result_t<F>> run(F f) {
    return run(std::move(f), std::stop_source(std::nostopstate));
  }

  /// The same for an `f` that looks whether it is wanted: cancelling the caller asks `stop` to stop.
  template <class F>
  boost::asio::awaitable<std::invoke_result_t<F>> run(F f, std::stop_source stop) {
    using Value = std::invoke_result_t<F>;
    auto shared = std::make_shared<F>(std::move(f));
    // A lambda with captures must be named: as a temporary inside a co_await expression, g++ 12 destroys it twice.
    if constexpr (std::is_void_v<Value>) {
      std::function<void()> work = [shared] { (*shared)(); };
      co_await run_erased(std::move(work), std::move(stop));
    } else {
      auto slot = std::make_shared<std::unique_ptr<Value>>();
      std::function<void()> work = [slot, shared] { *slot = std::make_unique<Value>((*shared)()); };
      co_await run_erased(std::move(work), std::move(stop));
      co_return std::move(**slot);
    }
  }

 private:
  boost::asio::awaitable<void> run_erased(std::function<void()> f, std::stop_source stop);
  struct State;
  std::unique_ptr<State> state_;
};

/// Waits until `fd` is readable (a pidfd, inotify, netlink, a pipe). The descriptor stays the caller's. False after `at_most`.
boost::asio::awaitable<Result<bool>> wait_readable(int fd, milliseconds at_most);

/// The next of `signals` that arrives. Blocks them in this thread at construction; make it before other threads start.
class Signals {
 public:
  Signals(boost::asio::any_io_executor executor, std::vector<int> signals);
  ~Signals();
  /// 0 when the coroutine was cancelled.
  boost::asio::awaitable<int> next();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace berth::io
