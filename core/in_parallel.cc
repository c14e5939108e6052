#include "core/in_parallel.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace berth {
namespace {

constexpr unsigned kLeastThreads = 2, kMostThreads = 4;

/// Hands out numbers until one fails.
class Turns {
 public:
  Turns(std::size_t count, const std::function<Result<void>(std::size_t, std::size_t)>& work) : end_(count), work_(work) {}

  void take(std::size_t thread) {
    for (std::size_t number = next_++; number < end_; number = next_++) {
      auto done = work_(number, thread);
      if (!done) fail_at(number, std::move(done));
    }
  }
  /// Once no thread takes any more.
  Result<void> result() { return std::move(result_); }

 private:
  void fail_at(std::size_t number, Result<void> failure) {
    const std::lock_guard guard(mutex_);
    if (number >= end_) return;  // a lower one failed as well
    end_ = number;
    result_ = std::move(failure);
  }

  std::atomic<std::size_t> next_{0};
  std::atomic<std::size_t> end_;
  const std::function<Result<void>(std::size_t, std::size_t)>& work_;
  std::mutex mutex_;
  Result<void> result_;  ///< guarded by `mutex_` while threads take
};

}  // namespace

std::size_t threads_worthwhile() { return std::clamp(2 * std::thread::hardware_concurrency(), kLeastThreads, kMostThreads); }

Result<void> in_parallel(std::size_t count, std::size_t threads, const std::function<Result<void>(std::size_t, std::size_t)>& work) {
  Turns turns(count, work);
  {
    std::vector<std::jthread> others;
    try {
      for (std::size_t thread = 1; thread < std::min(threads, count); ++thread) others.emplace_back([&turns, thread] { turns.take(thread); });
    } catch (const std::system_error&) {
      // The system has no more threads: then it takes longer.
    }
    turns.take(0);
  }
  return turns.result();
}

}  // namespace berth
