#include "daemon/ship/shipper_fixture.h"

#include <gmock/gmock.h>

namespace berth::ship {
namespace {

using testing::ElementsAre;

TEST_F(ShipperTest, ABatchThatWasOnlyGatheredComesAfterARestart) {
  write("web/web.1", 1, numbered(1, 7));
  seen->takes = 100ms;
  {
    Shipper shipper(shipper_parts());
    run(shipper, [&] { return seen->is_sending; });
    EXPECT_EQ(shipper.status().apps.at("web").shipped, 3u);
  }
  seen->takes = 0ms;
  Shipper again(shipper_parts());
  run(again, taken(again, 2));
  ASSERT_EQ(seen->sent.size(), 3u);
  EXPECT_THAT(seen->sent[1], ElementsAre("line 4", "line 5", "line 6"));
  EXPECT_THAT(seen->sent[2], ElementsAre("line 7"));
}

TEST_F(ShipperTest, AStopLetsTheBatchThatIsUnderWayEnd) {
  write("web/web.1", 1, numbered(1, 2));
  seen->takes = 100ms;
  {
    Shipper shipper(shipper_parts());
    run(shipper, [&] { return seen->is_sending; });
    EXPECT_EQ(shipper.status().batches, 1u);
  }
  Shipper again(shipper_parts());
  run(again, [] { return true; });
  EXPECT_EQ(seen->sent.size(), 1u) << "and it does not come twice";
}

TEST_F(ShipperTest, OneThatIsDestroyedWhileItSendsLeavesNothingRunning) {
  write("web/web.1", 1, numbered(1, 7));
  seen->takes = 10s;
  auto shipper = std::make_unique<Shipper>(shipper_parts());
  shipper->start();
  shipper->news(std::make_shared<Scan>(scan()));
  const auto wait = [this]() -> awaitable<void> {
    for (int i = 0; i < 2000 && !seen->is_sending; ++i) co_await io::sleep_for(5ms);
  };
  io::on_loop(loop, wait());
  EXPECT_TRUE(seen->is_sending);
  shipper.reset();
}

TEST_F(ShipperTest, OneThatIsDestroyedWhileItSendsMayEndLater) {
  write("web/web.1", 1, numbered(1, 7));
  seen->takes = 200ms;
  auto shipper = std::make_unique<Shipper>(shipper_parts());
  shipper->start();
  shipper->news(std::make_shared<Scan>(scan()));
  const auto wait = [this](bool is_sending) -> awaitable<void> {
    for (int i = 0; i < 2000 && seen->is_sending != is_sending; ++i) co_await io::sleep_for(5ms);
    co_await io::sleep_for(20ms);
  };
  io::on_loop(loop, wait(true));
  shipper.reset();
  io::on_loop(loop, wait(false));
  EXPECT_FALSE(seen->is_sending);
  EXPECT_FALSE(CursorFile(state, "agent").load().value().has_value()) << "it has no thread any more to say how far it is";
}

}  // namespace
}  // namespace berth::ship
