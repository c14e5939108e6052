#include "daemon/deploy/rollout.h"

#include <gtest/gtest.h>

namespace berth::deploy {
namespace {

TEST(Rollout, NextStepKeepsWithinTheLimits) {
  const struct {
    const char* what;
    Replacing now;
    Step step;
  } rows[] = {
      {"one more at a time", {.wanted = 4, .surge = 1, .unavailable = 0, .old_all = 4, .old_ready = 4}, {.start = 1}},
      {"which has to serve first", {.wanted = 4, .surge = 1, .unavailable = 0, .old_all = 4, .old_ready = 4, .new_all = 1}, {}},
      {"then an old one goes",
       {.wanted = 4, .surge = 1, .unavailable = 0, .old_all = 4, .old_ready = 4, .new_all = 1, .new_serving = 1},
       {.stop_ready = 1}},
      {"one fewer at a time", {.wanted = 4, .surge = 0, .unavailable = 1, .old_all = 4, .old_ready = 4}, {.stop_ready = 1}},
      {"then a new one starts in its place", {.wanted = 4, .surge = 0, .unavailable = 1, .old_all = 3, .old_ready = 3}, {.start = 1}},
      {"one more and one fewer", {.wanted = 4, .surge = 1, .unavailable = 1, .old_all = 4, .old_ready = 4}, {.start = 1, .stop_ready = 1}},
      {"an old one that does not serve goes first",
       {.wanted = 4, .surge = 0, .unavailable = 1, .old_all = 4, .old_ready = 3},
       {.stop_unready = 1}},
      {"none that serves goes for one that does not",
       {.wanted = 4, .surge = 1, .unavailable = 0, .old_all = 4, .old_ready = 2, .new_all = 1, .new_serving = 1},
       {.stop_unready = 1}},
      {"the last old one", {.wanted = 1, .surge = 1, .old_all = 1, .old_ready = 1, .new_all = 1, .new_serving = 1}, {.stop_ready = 1}},
      {"all of a process that is to have none", {.wanted = 0, .old_all = 3, .old_ready = 2}, {.stop_unready = 1, .stop_ready = 2}},
      {"more than before", {.wanted = 4, .surge = 1, .unavailable = 1, .old_all = 2, .old_ready = 2}, {.start = 3}},
      {"fewer than before", {.wanted = 2, .surge = 1, .unavailable = 0, .old_all = 4, .old_ready = 4}, {.stop_ready = 2}},
      {"the new ones are never too many", {.wanted = 2, .surge = 2, .new_all = 2, .new_serving = 1}, {}},
  };
  for (const auto& [what, now, step] : rows) EXPECT_EQ(next_step(now), step) << what;
}

/// Everything that is started becomes ready, and everything that is stopped ends: it must come to an end, and stay within the limits on its way.
TEST(Rollout, ComesToItsEndWithinTheLimits) {
  for (int wanted = 0; wanted <= 6; ++wanted) {
    for (int before = 0; before <= 6; ++before) {
      for (int unready = 0; unready <= before; ++unready) {
        for (int surge = 0; surge <= 3; ++surge) {
          for (int unavailable = surge == 0 ? 1 : 0; unavailable <= 3; ++unavailable) {
            Replacing now{.wanted = wanted, .surge = surge, .unavailable = unavailable, .old_all = before, .old_ready = before - unready};
            const int most = std::max(wanted + surge, before), fewest = std::min(std::max(0, wanted - unavailable), before - unready);
            int rounds = 0;
            for (; !now.done() && rounds < 40; ++rounds) {
              const Step step = next_step(now);
              ASSERT_LE(step.start + now.new_all, wanted);
              now.new_all += step.start;
              ASSERT_LE(now.old_all + now.new_all, most);
              now.old_all -= step.stop_unready + step.stop_ready;
              now.old_ready -= step.stop_ready;
              ASSERT_GE(now.old_ready + now.new_serving, fewest);
              now.new_serving = now.new_all;
            }
            EXPECT_TRUE(now.done()) << wanted << " " << before << " " << unready << " " << surge << " " << unavailable;
          }
        }
      }
    }
  }
}

TEST(Rollout, TheSpecsSharesBecomeNumbers) {
  const spec::Deploy quarters;
  EXPECT_EQ(with_limits({.wanted = 4}, quarters).surge, 1);
  EXPECT_EQ(with_limits({.wanted = 4}, quarters).unavailable, 1);
  EXPECT_EQ(with_limits({.wanted = 1}, quarters).surge, 1);
  EXPECT_EQ(with_limits({.wanted = 1}, quarters).unavailable, 0);
  const spec::Deploy little{.max_unavailable = {10, true}, .max_surge = {0, false}};
  EXPECT_EQ(with_limits({.wanted = 2}, little).unavailable, 1) << "or nothing could be replaced";
}

}  // namespace
}  // namespace berth::deploy
