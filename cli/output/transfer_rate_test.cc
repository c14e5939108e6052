#include "cli/output/transfer_rate.h"

#include <gtest/gtest.h>

namespace berth::cli {
namespace {

using namespace std::chrono_literals;

const TransferRate::Clock::time_point kBegin{1000s};

TEST(TransferRate, IsNotToldBeforeItIsKnown) {
  TransferRate rate;
  EXPECT_FALSE(rate.rate());
  rate.saw(500'000, kBegin);
  EXPECT_FALSE(rate.rate());
  rate.saw(900'000, kBegin + 1s);
  EXPECT_FALSE(rate.rate()) << "a second tells too little";
  EXPECT_FALSE(rate.left(10'000'000));
  rate.saw(1'300'000, kBegin + 2s);
  EXPECT_EQ(rate.rate(), 400'000u) << "what was there at the beginning did not come meanwhile";
  EXPECT_EQ(rate.left(5'300'000), 10s);
}

TEST(TransferRate, IsSmoothAndFollows) {
  TransferRate rate;
  std::uint64_t done = 0;
  for (int i = 0; i <= 20; ++i, done += i % 2 == 0 ? 500'000 : 1'500'000) rate.saw(done, kBegin + i * 1s);
  EXPECT_NEAR(static_cast<double>(*rate.rate()), 1e6, 2e5) << "it does not jump with each look";
  for (int i = 21; i <= 45; ++i) rate.saw(done += 100'000, kBegin + i * 1s);
  EXPECT_NEAR(static_cast<double>(*rate.rate()), 1e5, 2e4);
}

TEST(TransferRate, OfWhatHasStoppedHasNoEnd) {
  TransferRate rate;
  for (int i = 0; i <= 5; ++i) rate.saw(static_cast<std::uint64_t>(i) * 1000, kBegin + i * 1s);
  EXPECT_TRUE(rate.left(10'000));
  for (int i = 6; i <= 60; ++i) rate.saw(5000, kBegin + i * 1s);
  EXPECT_EQ(rate.rate(), 0u);
  EXPECT_FALSE(rate.left(10'000));
}

TEST(TransferRate, BeginsAnewWithSomethingElse) {
  TransferRate rate;
  for (int i = 0; i <= 5; ++i) rate.saw(static_cast<std::uint64_t>(i) * 1000, kBegin + i * 1s);
  rate.saw(10, kBegin + 6s);
  EXPECT_FALSE(rate.rate());
  EXPECT_FALSE(TransferRate().left(5));
}

}  // namespace
}  // namespace berth::cli
