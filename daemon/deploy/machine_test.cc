#include "daemon/deploy/machine.h"

#include <gtest/gtest.h>

namespace berth::deploy {
namespace {

constexpr Course kBlueGreen{.on_node = false, .stop_first = false, .has_previous = true};
constexpr Course kRecreate{.on_node = false, .stop_first = true, .has_previous = true};
constexpr Course kFirstNotBlamed{.on_node = false, .stop_first = false, .has_previous = false, .blamed = false};
constexpr Course kNotBlamed{.on_node = false, .stop_first = false, .has_previous = true, .blamed = false};
constexpr Course kRolling{.gradual = true};
constexpr Course kCanary{.canary = true, .gradual = true};
constexpr Course kFirst{.on_node = false, .stop_first = false, .has_previous = false};

/// The states that a deployment goes through while all goes well.
std::vector<std::string> way(const Course& course) {
  std::vector<std::string> states;
  Position at;
  for (;;) {
    states.emplace_back(to_string(at.state));
    if (is_terminal(at.state)) return states;
    at = step(at, course, Happening::done)->to;
  }
}

using Names = std::vector<std::string>;

TEST(Machine, BlueGreenDecidesWhenTheNewInstancesAreReady) {
  EXPECT_EQ(way(kBlueGreen), (Names{"queued", "fetching", "unpacking", "sealed", "preparing", "starting", "switching", "baking", "active"}));
  EXPECT_EQ(step({State::starting, false}, kBlueGreen, Happening::done), (Transition{{State::switching, true}, {Effect::decide}}));
}

TEST(Machine, RecreateDecidesBeforeTheOldInstancesAreStopped) {
  EXPECT_EQ(way(kRecreate), (Names{"queued", "fetching", "unpacking", "sealed", "preparing", "switching", "starting", "baking", "active"}));
  EXPECT_EQ(step({State::preparing, false}, kRecreate, Happening::done), (Transition{{State::switching, true}, {Effect::decide}}));
}

TEST(Machine, RollingDecidesWithTheFirstInstanceAndACanaryBakesBeforeThat) {
  EXPECT_EQ(way(kRolling), way(kBlueGreen));
  EXPECT_EQ(way(kCanary), (Names{"queued", "fetching", "unpacking", "sealed", "preparing", "starting", "canary", "switching", "baking", "active"}));
  EXPECT_EQ(step({State::starting, false}, kCanary, Happening::done), (Transition{{State::canary, false}, {}}));
  EXPECT_EQ(step({State::canary, false}, kCanary, Happening::done), (Transition{{State::switching, true}, {Effect::decide}}));
}

TEST(Machine, AReleaseOnTheNodeIsNotFetchedAgain) {
  EXPECT_EQ(way({.on_node = true}), (Names{"queued", "sealed", "preparing", "starting", "switching", "baking", "active"}));
}

struct Row {
  Position from;
  Course course;
  Happening happening;
  std::optional<Transition> to;
};

TEST(Machine, WhatGoesWrongEndsOrReverts) {
  const Row rows[] = {
      // before the decision what served goes on
      {{State::fetching, false}, kBlueGreen, Happening::failed, Transition{{State::failed, false}, {Effect::drop_new}}},
      {{State::preparing, false}, kBlueGreen, Happening::failed, Transition{{State::failed, false}, {Effect::drop_new}}},
      {{State::starting, false}, kBlueGreen, Happening::failed, Transition{{State::failed, false}, {Effect::drop_new, Effect::reject}}},
      {{State::starting, false}, kNotBlamed, Happening::failed, Transition{{State::failed, false}, {Effect::drop_new}}},
      {{State::unpacking, false}, kRecreate, Happening::failed, Transition{{State::failed, false}, {Effect::drop_new}}},
      // from the decision on it is gone back
      {{State::switching, true}, kBlueGreen, Happening::failed, Transition{{State::reverting, true}, {Effect::reject}}},
      {{State::baking, true}, kBlueGreen, Happening::failed, Transition{{State::reverting, true}, {Effect::reject}}},
      {{State::starting, true}, kRecreate, Happening::failed, Transition{{State::reverting, true}, {Effect::reject}}},
      {{State::starting, true}, kNotBlamed, Happening::failed, Transition{{State::reverting, true}, {}}},
      {{State::switching, true}, kNotBlamed, Happening::failed, Transition{{State::reverting, true}, {}}},
      {{State::starting, true}, kFirstNotBlamed, Happening::failed, Transition{{State::failed, true}, {Effect::decide_revert, Effect::drop_new}}},
      {{State::reverting, true}, kBlueGreen, Happening::done, Transition{{State::reverted, true}, {Effect::tidy}}},
      {{State::reverting, true}, kBlueGreen, Happening::failed, Transition{{State::failed, true}, {}}},
      // a canary is taken out again: nothing was decided
      {{State::canary, false}, kCanary, Happening::failed, Transition{{State::failed, false}, {Effect::drop_new, Effect::reject}}},
      {{State::canary, false}, kCanary, Happening::cancelled, Transition{{State::cancelled, false}, {Effect::drop_new}}},
      {{State::canary, false}, kCanary, Happening::superseded, Transition{{State::superseded, false}, {Effect::drop_new}}},
      {{State::canary, false}, kCanary, Happening::given_up, Transition{{State::interrupted, false}, {Effect::drop_new}}},
      // instances that were being replaced when berthd died are put back, and the release is not to blame
      {{State::switching, true}, kRolling, Happening::torn, Transition{{State::reverting, true}, {}}},
      {{State::switching, true}, kRolling, Happening::failed, Transition{{State::reverting, true}, {Effect::reject}}},
      {{State::switching, true}, kBlueGreen, Happening::torn, std::nullopt},
      {{State::baking, true}, kRolling, Happening::torn, std::nullopt},
      {{State::starting, false}, kRolling, Happening::torn, std::nullopt},
      // the first release has nothing to go back to
      {{State::baking, true}, kFirst, Happening::failed, Transition{{State::failed, true}, {Effect::reject, Effect::decide_revert, Effect::drop_new}}},
      // cancelled and superseded
      {{State::queued, false}, kBlueGreen, Happening::cancelled, Transition{{State::cancelled, false}, {Effect::drop_new}}},
      {{State::starting, false}, kBlueGreen, Happening::cancelled, Transition{{State::cancelled, false}, {Effect::drop_new}}},
      {{State::baking, true}, kBlueGreen, Happening::cancelled, std::nullopt},
      {{State::queued, false}, kBlueGreen, Happening::superseded, Transition{{State::superseded, false}, {}}},
      {{State::baking, true}, kBlueGreen, Happening::superseded, Transition{{State::superseded, true}, {}}},
      {{State::starting, false}, kBlueGreen, Happening::superseded, Transition{{State::superseded, false}, {Effect::drop_new}}},
      {{State::preparing, false}, kRecreate, Happening::superseded, Transition{{State::superseded, false}, {Effect::drop_new}}},
      {{State::starting, true}, kRecreate, Happening::superseded, std::nullopt},
      {{State::fetching, false}, kBlueGreen, Happening::superseded, std::nullopt},
      {{State::reverting, true}, kBlueGreen, Happening::superseded, std::nullopt},
      {{State::starting, false}, kBlueGreen, Happening::given_up, Transition{{State::interrupted, false}, {Effect::drop_new}}},
      {{State::baking, true}, kBlueGreen, Happening::given_up, std::nullopt},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(std::string(to_string(row.from.state)) + " " + std::to_string(static_cast<int>(row.happening)));
    EXPECT_EQ(step(row.from, row.course, row.happening), row.to);
  }
}

TEST(Machine, NothingFollowsAnEnd) {
  for (const State state : {State::active, State::failed, State::reverted, State::cancelled, State::superseded, State::interrupted}) {
    for (const Happening what : {Happening::done, Happening::failed, Happening::cancelled, Happening::superseded, Happening::given_up, Happening::torn})
      EXPECT_EQ(step({state, true}, kBlueGreen, what), std::nullopt) << to_string(state);
  }
}

TEST(Machine, NamesAreThoseOfTheApi) {
  for (int number = 0; number <= static_cast<int>(State::interrupted); ++number) {
    const auto state = static_cast<State>(number);
    EXPECT_EQ(state_named(to_string(state)), state);
  }
  EXPECT_EQ(state_named("unknown"), std::nullopt);
}

}  // namespace
}  // namespace berth::deploy
