#include "daemon/ship/shipper_fixture.h"

#include <gmock/gmock.h>

namespace berth::ship {
namespace {

using testing::HasSubstr;

TEST_F(ShipperTest, CountsWhatIsRefusedForGoodAndGoesOn) {
  write("web/web.1", 1, numbered(1, 5));
  seen->answers = {{.kind = Delivery::Kind::taken, .refused = 2, .reason = "too old"}};
  Shipper shipper(shipper_parts());
  run(shipper, taken(shipper, 2));
  EXPECT_EQ(shipper.status().apps.at("web").refused, 2u);
  EXPECT_EQ(shipper.status().apps.at("web").shipped, 3u);
  EXPECT_THAT(shipper.status().last_error, HasSubstr("2 entries were refused: too old")) << "also when the next batch was taken";
  EXPECT_EQ(shipper.status().refused_why, "too old");
  EXPECT_NE(shipper.status().refused_at, "");
}

TEST_F(ShipperTest, ASinkThatRefusesBatchAfterBatchFailsUntilItTakesSomething) {
  write("web/web.1", 1, numbered(1, 10));
  const Delivery refused{.kind = Delivery::Kind::taken, .refused = 3, .reason = "400 wrong schema"};
  seen->answers = {refused, refused, refused};
  Shipper shipper(shipper_parts());
  seen->takes = 100ms;  // so that it is seen in between
  SinkStatus after_one, after_three;
  run(shipper, [&] {
    const SinkStatus now = shipper.status();
    if (now.batches == 1) after_one = now;
    if (now.batches == 3) after_three = now;
    return now.batches == 4 && now.state == "up to date";
  });
  EXPECT_EQ(after_one.state, "shipping") << "it may have been one line";
  EXPECT_EQ(after_three.state, "failing");
  EXPECT_THAT(after_three.last_error, HasSubstr("refuses all entries for good: 400 wrong schema"));
  EXPECT_EQ(after_three.last_success, "");
  EXPECT_EQ(shipper.status().apps.at("web").refused, 9u);
  EXPECT_EQ(shipper.status().failing_since + shipper.status().last_error, "");
  EXPECT_NE(shipper.status().last_success, "");
}

TEST_F(ShipperTest, ABatchOfOneLineThatIsRefusedIsNoFailureYet) {
  write("web/web.1", 1, numbered(1, 1));
  seen->answers = {{.kind = Delivery::Kind::taken, .refused = 1, .reason = "too long"}};
  Shipper shipper(shipper_parts());
  run(shipper, taken(shipper, 1));
  EXPECT_EQ(shipper.status().failing_since, "");
  EXPECT_THAT(shipper.status().last_error, HasSubstr("too long"));
}

TEST_F(ShipperTest, WhatIsRefusedWithoutAskingDoesNotTellThatTheSinkTakesAgain) {
  write("web/web.1", 1, numbered(1, 7));
  Delivery unasked{.kind = Delivery::Kind::taken, .refused = 3, .reason = "too old"};
  unasked.untried = true;
  seen->answers.assign(1'000'000, {.kind = Delivery::Kind::later, .reason = "connection refused"});
  seen->answers[1] = unasked;
  Shipper shipper(shipper_parts());
  run(shipper, [&] { return seen->sent.size() > 3; });
  EXPECT_EQ(shipper.status().apps.at("web").refused, 3u);
  EXPECT_EQ(shipper.status().state, "failing");
  EXPECT_EQ(shipper.status().last_error, "connection refused");
  EXPECT_EQ(shipper.status().last_success, "");
}

TEST_F(ShipperTest, WhatHasNothingLeftToTakeDoesNotFail) {
  write("web/web.1", 1, numbered(1, 3));
  Delivery unasked{.kind = Delivery::Kind::taken, .refused = 3, .reason = "too old"};
  unasked.untried = true;
  seen->answers = {{.kind = Delivery::Kind::later, .reason = "connection refused"}, unasked};
  Shipper shipper(shipper_parts());
  run(shipper, [&] { return shipper.status().apps["web"].refused == 3 && shipper.status().lag_seconds == 0; });
  EXPECT_EQ(shipper.status().state, "up to date");
  EXPECT_EQ(shipper.status().failing_since, "");
  EXPECT_EQ(shipper.status().last_error, "connection refused") << "why they were given up";
}

}  // namespace
}  // namespace berth::ship
