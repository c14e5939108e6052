#pragma once

#include <chrono>
#include <memory>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "core/result.h"

namespace berth::io {

using Steady = std::chrono::steady_clock;

/// `after` from now; a wait that no clock can hold is cut to ten years.
Steady::time_point deadline_in(std::chrono::milliseconds after);

enum class Want { read, write };
enum class Woken { ready, timeout, cancelled, failed };

/// Whether a wait for it would end at once.
bool is_ready_now(int fd, Want want);

/// Waits for a non-blocking descriptor. Everything that reads or writes here does it by system calls of its own and waits by this: one
/// asynchronous operation to compile, one place where deadlines and cancelling are right. One coroutine waits at a time.
class Readiness {
 public:
  /// `fd` stays the caller's, who closes it after this is gone.
  Readiness(boost::asio::any_io_executor executor, int fd);
  ~Readiness();
  Readiness(Readiness&&) noexcept;
  Readiness& operator=(Readiness&&) noexcept;

  /// `failed` when the kernel cannot watch the descriptor, which it is first asked for here.
  boost::asio::awaitable<Woken> wait(Want want, Steady::time_point deadline);

  /// Whoever waits gets `cancelled`.
  void cancel();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// Lets others of the loop have their turn; also where a busy coroutine notices that it was cancelled.
boost::asio::awaitable<void> give_way();

/// What to say of a wait that did not end in `ready`: `doing` is such as "read from 10.0.0.1:80".
std::unexpected<Error> fail_woken(Woken woken, std::string_view doing);

}  // namespace berth::io
