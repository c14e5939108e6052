#include "daemon/ship/shipper_fixture.h"

#include <gmock/gmock.h>

namespace berth::ship {
namespace {

using testing::ElementsAre;

TEST_F(ShipperTest, IsTriedNowWhereSomebodyWantsThat) {
  write("web/web.1", 1, numbered(1, 2));
  pause = 10min;
  refusals_to_make = 1;
  seen->answers = {{.kind = Delivery::Kind::later, .refused = 0, .wait = 1h, .reason = "503"}};
  Shipper shipper(shipper_parts());
  shipper.try_now();  // before there is anything to wait for
  std::vector<std::size_t> asked;  // how often it had been sent
  run(shipper, [&] {
    if (waits.size() > asked.size()) {
      asked.push_back(seen->sent.size());
      shipper.try_now();
    }
    return shipper.status().batches == 1;
  });
  EXPECT_THAT(asked, ElementsAre(0u, 1u)) << "once it could not be made, and once it took nothing";
  EXPECT_EQ(seen->sent.size(), 2u);
}

/// As at a start in an outage: an alert sees what is lost only where it was 0 before.
TEST_F(ShipperTest, CountsNoneOfEachAppThatItGetsBeforeTheSinkTookAnything) {
  write("web/web.1", 1, numbered(1, 7));
  write("api/web.1", 1, numbered(1, 7));
  write("db/web.1", 1, numbered(1, 7));
  refusals_to_make = 1000;
  auto its_parts = shipper_parts();
  its_parts.gatherer.wanted = {.apps = {"web", "api"}, .events = true};
  Shipper shipper(std::move(its_parts));
  run(shipper, [&] { return shipper.status().state == "failing"; });
  const std::map<std::string, ShippedCounts> none{{"", {}}, {"api", {}}, {"web", {}}};
  EXPECT_EQ(shipper.status().apps, none);
  std::filesystem::remove_all(logs_root / "api");
  shipper.news(std::make_shared<Scan>(scan()));
  EXPECT_FALSE(shipper.status().apps.contains("api")) << "its log is gone";
}

TEST_F(ShipperTest, SendsBatchAfterBatchAndSaysHowFarItIs) {
  write("web/web.1", 1, numbered(1, 7));
  {
    Shipper shipper(shipper_parts());
    run(shipper, taken(shipper, 3));
    EXPECT_EQ(shipper.status().apps.at("web").shipped, 7u);
    EXPECT_EQ(shipper.status().retries, 0u);
    EXPECT_FALSE(shipper.status().last_success.empty());
  }
  EXPECT_THAT(seen->sent, ElementsAre(ElementsAre("line 1", "line 2", "line 3"), ElementsAre("line 4", "line 5", "line 6"), ElementsAre("line 7")));
  write("web/web.1", 1, numbered(8, 8));
  Shipper again(shipper_parts());
  run(again, taken(again, 1));
  EXPECT_THAT(seen->sent.back(), ElementsAre("line 8"));
  EXPECT_EQ(seen->sent.size(), 4u);
}

TEST_F(ShipperTest, SendsTheSameBatchUntilItIsTaken) {
  write("web/web.1", 1, numbered(1, 2));
  seen->answers = {{.kind = Delivery::Kind::later, .reason = "503"}, {.kind = Delivery::Kind::later, .wait = 9s, .reason = "429"}, {.kind = Delivery::Kind::later, .reason = "429"}};
  Shipper shipper(shipper_parts());
  run(shipper, taken(shipper, 1));
  EXPECT_EQ(seen->sent.size(), 4u);
  for (const auto& batch : seen->sent) EXPECT_THAT(batch, ElementsAre("line 1", "line 2"));
  EXPECT_THAT(waits, ElementsAre(std::pair(1, 0ms), std::pair(2, std::chrono::milliseconds(9s)), std::pair(3, 0ms)));
  EXPECT_EQ(shipper.status().retries, 3u);
  EXPECT_TRUE(shipper.status().failing_since.empty());
}

TEST_F(ShipperTest, ShowsASinkThatFailsAndHowFarItIsBehind) {
  write("web/web.1", 1, numbered(1, 2));
  seen->answers.assign(1'000'000, {.kind = Delivery::Kind::later, .reason = "connection refused"});
  Shipper shipper(shipper_parts());
  run(shipper, [&] { return seen->sent.size() > 3; });
  const SinkStatus status = shipper.status();
  EXPECT_EQ(status.state, "failing");
  EXPECT_EQ(status.last_error, "connection refused");
  EXPECT_FALSE(status.failing_since.empty());
  EXPECT_GT(status.lag_seconds, 1);
  seen->answers.clear();
  seen->sent.clear();
  Shipper again(shipper_parts());
  run(again, taken(again, 1));
  EXPECT_THAT(seen->sent, ElementsAre(ElementsAre("line 1", "line 2"))) << "nothing was said to be delivered";
}

TEST_F(ShipperTest, ASinkThatCannotBeMadeIsMadeLater) {
  write("web/web.1", 1, numbered(1, 1));
  refusals_to_make = 3;
  Shipper shipper(shipper_parts());
  run(shipper, taken(shipper, 1));
  EXPECT_THAT(seen->sent, ElementsAre(ElementsAre("line 1")));
  EXPECT_EQ(waits.size(), 3u);
}

TEST_F(ShipperTest, GathersTheNextBatchWhileOneIsUnderWay) {
  write("web/web.1", 1, numbered(1, 7));
  seen->takes = 100ms;
  seen->answers = {{}, {.kind = Delivery::Kind::later, .reason = "503"}};
  Shipper shipper(shipper_parts());
  run(shipper, taken(shipper, 3));
  EXPECT_THAT(seen->sent, ElementsAre(ElementsAre("line 1", "line 2", "line 3"), ElementsAre("line 4", "line 5", "line 6"), ElementsAre("line 4", "line 5", "line 6"),
                                      ElementsAre("line 7")));
  EXPECT_EQ(shipper.status().apps.at("web").shipped, 7u);
}

TEST_F(ShipperTest, TellsWhenALongBacklogIsDeliveredAndOfAShortOneNothing) {
  write("web/web.1", 1, numbered(1, 3 * kBacklog));
  int told_of = 0;
  auto its_parts = shipper_parts();
  its_parts.caught_up = [&] { ++told_of; };
  {
    Shipper shipper(its_parts);
    run(shipper, [&] { return told_of > 0; });
    EXPECT_EQ(shipper.status().batches, static_cast<std::uint64_t>(kBacklog));
  }
  write("web/web.1", 1, numbered(3 * kBacklog + 1, 3 * kBacklog + 9));
  Shipper again(its_parts);
  run(again, taken(again, 3));
  EXPECT_EQ(told_of, 1);
}

TEST_F(ShipperTest, SinksThatAreBehindShareTheMemoryForBatches) {
  limits = {.entries = 100, .bytes = 1u << 20};
  write("web/web.1", 1, numbered(1, 40));
  auto its_parts = shipper_parts();
  const std::size_t a_line = Entry{.text = "line 10", .origin = {}}.memory();
  its_parts.budget = std::make_shared<BatchBudget>(BudgetLimits{.total = 8 * a_line, .least = 2 * a_line});
  BatchBudget::Part other(its_parts.budget);
  other.hold(8 * a_line);
  Shipper shipper(std::move(its_parts));
  run(shipper, taken(shipper, 20));
  EXPECT_EQ(seen->sent.size(), 20u);
  for (const auto& batch : seen->sent) EXPECT_EQ(batch.size(), 2u);
}

TEST_F(ShipperTest, KnowsHowFarBerthdsOwnLogIs) {
  wanted.daemon = true;
  daemon_log->add({}, Severity::info, "one");
  seen->answers = {{.kind = Delivery::Kind::later, .reason = "503"}};
  Shipper shipper(shipper_parts());
  EXPECT_EQ(shipper.daemon_line(), 0u);
  run(shipper, taken(shipper, 1));
  EXPECT_EQ(shipper.daemon_line(), 1u);
}

}  // namespace
}  // namespace berth::ship
