#include "core/in_parallel.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include <fmt/core.h>
#include <gtest/gtest.h>

namespace berth {
namespace {

TEST(InParallel, DoesEachNumberOnce) {
  for (const std::size_t threads : {1, 2, 7}) {
    std::vector<std::atomic<int>> done(1000);
    const auto all = in_parallel(done.size(), threads, [&](std::size_t number, std::size_t thread) -> Result<void> {
      EXPECT_LT(thread, threads);
      ++done[number];
      return {};
    });
    EXPECT_TRUE(all);
    for (const auto& times : done) EXPECT_EQ(times, 1);
  }
  EXPECT_TRUE(in_parallel(0, 4, [](std::size_t, std::size_t) { return fail(Errc::internal, "there was nothing to do"); }));
}

TEST(InParallel, WorksOnSeveralAtOnce) {
  std::mutex mutex;
  std::condition_variable came;
  std::size_t there = 0;
  const auto met = in_parallel(2, 2, [&](std::size_t, std::size_t) -> Result<void> {
    std::unique_lock lock(mutex);
    ++there;
    came.notify_all();
    if (came.wait_for(lock, std::chrono::seconds(20), [&] { return there == 2; })) return {};
    return fail(Errc::timeout, "the other one never began");
  });
  EXPECT_TRUE(met) << met.error().message;
}

TEST(InParallel, TellsTheFailureOfTheLowestNumberAndBeginsNoMore) {
  for (int round = 0; round < 50; ++round) {
    std::atomic<std::size_t> begun{0};
    const auto done = in_parallel(100'000, 3, [&](std::size_t number, std::size_t) -> Result<void> {
      ++begun;
      if (number < 10) return {};
      if (number == 10) std::this_thread::yield();
      return fail(Errc::trust, fmt::format("number {}", number));
    });
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().message, "number 10");
    EXPECT_LE(begun, 13U) << "the ten, and one for each thread";
  }
}

}  // namespace
}  // namespace berth
