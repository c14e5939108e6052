#include "daemon/loop_lag.h"

#include <thread>

#include <gtest/gtest.h>

#include "core/io/on_loop.h"

namespace berth {
namespace {

using namespace std::chrono_literals;

const MostOfMinute::Clock::time_point kStart{1h};

TEST(LoopLag, APeakIsThereForAMinuteHoweverManyAsk) {
  MostOfMinute recent;
  EXPECT_EQ(recent.most(), 0us);
  recent.add(300ms, kStart);
  recent.add(5ms, kStart + 100ms);
  for (int asked = 0; asked < 2; ++asked) EXPECT_EQ(recent.most(), 300ms);
  recent.add(7ms, kStart + 15s);
  recent.add(4ms, kStart + 60s);
  EXPECT_EQ(recent.most(), 300ms);
  recent.add(4ms, kStart + 62s);
  EXPECT_EQ(recent.most(), 7ms);
  recent.add(4ms, kStart + 76s);
  EXPECT_EQ(recent.most(), 4ms);
}

boost::asio::awaitable<void> block() {
  std::this_thread::sleep_for(20ms);
  co_return;
}

TEST(LoopLag, TwoWhoScrapeSeeTheSameTurn) {
  io::Loop loop;
  LoopLag lag(loop);
  io::on_loop(loop, block());
  EXPECT_GE(lag.most(), 20ms);
  EXPECT_GE(lag.most(), 20ms);
}

}  // namespace
}  // namespace berth
