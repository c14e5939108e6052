#include "daemon/fetch/retry.h"

#include <algorithm>
#include <set>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace berth::fetch {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

constexpr Retries kShort{.first_wait = 8ms, .longest_wait = 30ms};

TEST(Retry, WaitsHalfOfATimeThatDoublesAndAsMuchAgainByChanceUpToTheLongest) {
  const std::pair<int, milliseconds> table[] = {{1, 8ms}, {2, 16ms}, {3, 30ms}, {4, 30ms}, {1000, 30ms}};
  for (const auto& [failures, longest] : table) {
    std::set<milliseconds> seen;
    for (int i = 0; i < 300; ++i) seen.insert(retry_wait(kShort, failures));
    EXPECT_GE(*seen.begin(), longest / 2) << failures;
    EXPECT_LE(*seen.rbegin(), longest) << failures;
    EXPECT_GE(seen.size(), 4U) << failures << ": the nodes of a fleet do not come back at once";
    EXPECT_LE(*seen.begin(), longest / 2 + 1ms) << "the chance begins at nothing";
    EXPECT_GE(*seen.rbegin(), longest - 1ms) << "and goes as far as the half";
  }
}

TEST(Retry, SleepsAsLongAsThatAndNoLongerThanUntilItIsStopped) {
  const auto before = std::chrono::steady_clock::now();
  EXPECT_TRUE(wait_before_retry(kShort, 3, {}));
  EXPECT_GE(std::chrono::steady_clock::now() - before, 15ms);
  std::stop_source stop;
  std::jthread stopper([&] {
    std::this_thread::sleep_for(10ms);
    stop.request_stop();
  });
  const auto stopped = wait_before_retry({.first_wait = 10min, .longest_wait = 10min}, 1, stop.get_token());
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, Errc::cancelled);
  EXPECT_LT(std::chrono::steady_clock::now() - before, 1min);
}

}  // namespace
}  // namespace berth::fetch
