#pragma once

#include <memory>
#include <utility>

#include <boost/asio/awaitable.hpp>

#include "core/io/loop.h"

namespace berth::deploy {

/// How many may do something at once; the others wait for their turn. For one event loop.
class Visits {
 public:
  Visits(const boost::asio::any_io_executor& executor, int most) : state_(std::make_shared<State>(executor, most)) {}

  /// Being one of them, until it is destroyed.
  class Visit;
  boost::asio::awaitable<Visit> begin();

 private:
  struct State {
    State(const boost::asio::any_io_executor& executor, int its_most) : most(its_most), ended(executor) {}
    const int most;
    int count = 0;
    io::Event ended;
  };
  std::shared_ptr<State> state_;
};

class Visits::Visit {
 public:
  explicit Visit(std::shared_ptr<State> state) : state_(std::move(state)) { ++state_->count; }
  Visit(Visit&&) noexcept = default;
  Visit& operator=(Visit&&) = delete;
  ~Visit() {
    if (!state_) return;
    --state_->count;
    state_->ended.notify();
  }

 private:
  std::shared_ptr<State> state_;  // null once moved from
};

inline boost::asio::awaitable<Visits::Visit> Visits::begin() {
  const auto state = state_;
  while (state->count >= state->most) co_await state->ended.wait(std::chrono::hours(1));
  co_return Visit(state);
}

/// While it lives, the node starts its apps: a few instances at a time.
class StartingNode {
 public:
  explicit StartingNode(int& count) : count_(count) { ++count_; }
  StartingNode(const StartingNode&) = delete;
  StartingNode& operator=(const StartingNode&) = delete;
  ~StartingNode() { --count_; }

 private:
  int& count_;
};

}  // namespace berth::deploy
