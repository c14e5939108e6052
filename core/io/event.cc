#include <list>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "core/io/loop.h"
#include "core/io/readiness.h"

namespace berth::io {

namespace asio = boost::asio;

asio::awaitable<void> sleep_for(milliseconds duration) {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  timer.expires_at(deadline_in(duration));
  co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
}

asio::awaitable<void> next_turn() {
  const auto executor = co_await asio::this_coro::executor;
  co_await asio::post(executor, asio::use_awaitable);
}

struct Event::State {
  struct Waiter {
    asio::steady_timer timer;
    bool notified = false;
  };
  explicit State(asio::any_io_executor its_executor) : executor(std::move(its_executor)) {}

  asio::any_io_executor executor;
  std::list<Waiter*> waiters;
};

Event::Event(asio::any_io_executor executor) : state_(std::make_shared<State>(std::move(executor))) {}
Event::~Event() = default;
Event::Event(Event&&) noexcept = default;
Event& Event::operator=(Event&&) noexcept = default;

void Event::notify() {
  for (State::Waiter* waiter : state_->waiters) {
    waiter->notified = true;
    waiter->timer.cancel();
  }
}

asio::awaitable<bool> Event::wait(milliseconds at_most) {
  const auto state = state_;
  State::Waiter waiter{asio::steady_timer(state->executor)};
  waiter.timer.expires_at(deadline_in(at_most));
  /// Also when the frame is destroyed while it waits.
  struct Enlisted {
    State& state;
    std::list<State::Waiter*>::iterator place;
    ~Enlisted() { state.waiters.erase(place); }
  };
  const Enlisted enlisted{*state, state->waiters.insert(state->waiters.end(), &waiter)};
  co_await waiter.timer.async_wait(asio::as_tuple(asio::use_awaitable));
  co_return waiter.notified;
}

}  // namespace berth::io
