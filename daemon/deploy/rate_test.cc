#include "daemon/deploy/rate.h"

#include <gtest/gtest.h>

namespace berth::deploy {
namespace {

using namespace std::chrono_literals;

TEST(Rate, ACounterThatFellBeganAnew) {
  Growth growth;
  EXPECT_EQ(growth.seen("web/web.1", 100), 0) << "what was counted before nobody looked";
  EXPECT_EQ(growth.seen("web/web.1", 103), 3);
  EXPECT_EQ(growth.seen("web/web.2", 7), 0);
  EXPECT_EQ(growth.seen("web/web.1", 2), 2);
  EXPECT_EQ(growth.seen("web/web.1", 2), 0);
}

TEST(Rate, IsWhatHappenedInTheWindow) {
  const Moment begin{};
  RateMeter meter(10s);
  meter.add(begin + 1s, 5);
  EXPECT_DOUBLE_EQ(meter.rate(begin + 1s), 0.5) << "a few at the beginning are no rate yet";
  meter.add(begin + 5s, 15);
  EXPECT_DOUBLE_EQ(meter.rate(begin + 5s), 2);
  EXPECT_DOUBLE_EQ(meter.rate(begin + 12s), 1.5) << "the first ones are long ago";
  meter.add(begin + 30s, 1);
  EXPECT_DOUBLE_EQ(meter.rate(begin + 30s), 0.1);
}

TEST(Rate, WhatWasThereBeforeIsNoTrouble) {
  EXPECT_DOUBLE_EQ(highest_rate(1, 0), 1);
  EXPECT_DOUBLE_EQ(highest_rate(1, 100), 151);
  EXPECT_DOUBLE_EQ(highest_rate(0, 0), 0);
}

TEST(Rate, WindowsAreShortWhereTheBakeIs) {
  EXPECT_EQ(rate_window(300ms), 1s);
  EXPECT_EQ(rate_window(20s), 20s);
  EXPECT_EQ(rate_window(1h), 30s);
  EXPECT_EQ(baseline_window(1h), 10s);
  EXPECT_EQ(baseline_window(2s), 2s);
  EXPECT_EQ(rate_period(300ms), 100ms);
  EXPECT_EQ(rate_period(30s), 1500ms);
  EXPECT_EQ(rate_period(1h), 5s);
}

TEST(Rate, IsToldInAFewDigits) {
  EXPECT_EQ(rate_text(0), "0/s");
  EXPECT_EQ(rate_text(0.03333), "0.0333/s");
  EXPECT_EQ(rate_text(1), "1/s");
  EXPECT_EQ(rate_text(3.214), "3.21/s");
  EXPECT_EQ(rate_text(1234.5), "1234/s");
  EXPECT_EQ(rate_text(151), "151/s");
}

}  // namespace
}  // namespace berth::deploy
