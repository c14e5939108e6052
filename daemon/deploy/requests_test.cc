#include <gtest/gtest.h>

#include "daemon/deploy/engine.h"

namespace berth::deploy {
namespace {

class UnderWayTest : public testing::Test {
 protected:
  RunPtr run_of(const std::string& by, State state, std::int64_t id = 7) {
    auto run = std::make_shared<deploy::Run>(loop.executor(), store::DeploymentRow{.id = id, .app = "web", .release = "v2", .kind = "deploy", .by = by});
    run->position.state = state;
    return run;
  }
  RunPtr in_the_way() const { return under_way_for_others(app, kFollow); }

  io::Loop loop;
  App app{loop.executor(), store::AppRow{.app = "web"}};
};

TEST_F(UnderWayTest, WhatFollowsIsInNobodysWayWhereNothingIsUnderWay) { EXPECT_EQ(in_the_way(), nullptr); }

TEST_F(UnderWayTest, WhatAnOperatorBeganIsInTheWayUntilItEnded) {
  for (const State state : {State::queued, State::fetching, State::starting, State::baking, State::reverting}) {
    app.run = run_of("root (uid 0)", state);
    EXPECT_EQ(in_the_way(), app.run) << to_string(state);
  }
  for (const State state : {State::active, State::failed, State::reverted, State::superseded}) {
    app.run = run_of("root (uid 0)", state);
    EXPECT_EQ(in_the_way(), nullptr) << to_string(state);
  }
}

TEST_F(UnderWayTest, SoIsWhatWaitsBehindAnOlderWishOfItsOwn) {
  app.run = run_of(kFollow, State::baking);
  EXPECT_EQ(in_the_way(), nullptr) << "that gives way";
  app.queue = {run_of(kFollow, State::queued), run_of("root (uid 0)", State::queued)};
  EXPECT_EQ(in_the_way(), app.queue[1]);
}

TEST_F(UnderWayTest, ItsOwnThatGoesBackIsInTheWay) {
  app.run = run_of(kFollow, State::reverting);
  EXPECT_EQ(in_the_way(), app.run);
}

TEST_F(UnderWayTest, OfTwoAtOnceTheHigherNumberIsTheNewer) {
  const std::string operators = "root (uid 0)";
  const RunPtr run = run_of(operators, State::queued, 7), older = run_of(operators, State::queued, 6), newer = run_of(operators, State::queued, 8);
  EXPECT_EQ(newer_than(app, *run), nullptr);
  app.queue = {older};
  EXPECT_EQ(newer_than(app, *run), nullptr);
  app.queue = {older, newer};
  EXPECT_EQ(newer_than(app, *run), newer);
  app.queue.clear();
  app.run = newer;
  EXPECT_EQ(newer_than(app, *run), newer) << "it has begun already";
  newer->position.state = State::failed;
  EXPECT_EQ(newer_than(app, *run), nullptr) << "it is over";
}

TEST_F(UnderWayTest, WhatIsFollowedIsNoNewerWishThanAnOperators) {
  app.queue = {run_of(kFollow, State::queued, 8)};
  EXPECT_EQ(newer_than(app, *run_of("root (uid 0)", State::queued, 7)), nullptr);
  EXPECT_EQ(newer_than(app, *run_of(kFollow, State::queued, 7)), app.queue[0]);
}

}  // namespace
}  // namespace berth::deploy
