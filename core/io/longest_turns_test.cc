#include "core/io/longest_turns.h"

#include <gtest/gtest.h>

namespace berth::io {
namespace {

using namespace std::chrono_literals;

const LongestTurns::Clock::time_point kStart{1h};

TEST(LongestTurns, APeakIsThereForAMinuteHoweverManyAsk) {
  LongestTurns recent;
  EXPECT_EQ(recent.most(kStart), 0us);
  recent.add(300ms, kStart);
  recent.add(5ms, kStart + 100ms);
  for (int asked = 0; asked < 2; ++asked) EXPECT_EQ(recent.most(kStart + 200ms), 300ms);
  recent.add(7ms, kStart + 15s);
  recent.add(4ms, kStart + 60s);
  EXPECT_EQ(recent.most(kStart + 60s), 300ms);
  recent.add(4ms, kStart + 62s);
  EXPECT_EQ(recent.most(kStart + 62s), 7ms);
  EXPECT_EQ(recent.most(kStart + 76s), 4ms);
}

TEST(LongestTurns, WhatNobodyAskedForInItsMinuteIsNotToldLater) {
  LongestTurns recent;
  recent.add(300ms, kStart);
  EXPECT_EQ(recent.most(kStart + 10min), 0us);
  recent.add(300ms, kStart + 11min);
  recent.add(2ms, kStart + 20min);
  EXPECT_EQ(recent.most(kStart + 20min), 2ms);
}

}  // namespace
}  // namespace berth::io
