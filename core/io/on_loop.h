#pragma once

#include <optional>
#include <utility>

#include <boost/asio/awaitable.hpp>

#include "core/io/loop.h"

namespace berth::io {

template <class T>
boost::asio::awaitable<void> keep_result(boost::asio::awaitable<T> task, std::optional<T>* into, Loop* loop) {
  into->emplace(co_await std::move(task));
  loop->stop();
}

inline boost::asio::awaitable<void> stop_after(boost::asio::awaitable<void> task, Loop* loop) {
  co_await std::move(task);
  loop->stop();
}

/// For tests: runs the loop until `task` ended, and gives its value.
template <class T>
T on_loop(Loop& loop, boost::asio::awaitable<T> task) {
  std::optional<T> result;
  loop.spawn("test", keep_result(std::move(task), &result, &loop));
  loop.run();
  return std::move(*result);
}

inline void on_loop(Loop& loop, boost::asio::awaitable<void> task) {
  loop.spawn("test", stop_after(std::move(task), &loop));
  loop.run();
}

}  // namespace berth::io
