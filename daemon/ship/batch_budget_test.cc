#include "daemon/ship/batch_budget.h"

#include <gtest/gtest.h>

namespace berth::ship {
namespace {

constexpr BudgetLimits kLimits{.total = 1200, .least = 50};

TEST(BatchBudget, IsSharedByTheSinksThatHoldSomethingAndTheOneThatAsks) {
  const struct {
    const char* what;
    std::vector<std::size_t> held;
    std::size_t who, room;
  } cases[] = {
      {"alone: half, and as much for the batch after it", {0}, 0, 600},
      {"alone, with a batch under way", {600}, 0, 600},
      {"alone, with more than it was given: a record is as long as it is", {700}, 0, 500},
      {"another one is there and has nothing to do", {0, 0}, 0, 300},
      {"the same, with a batch under way", {300, 0}, 0, 300},
      {"two", {300, 300}, 1, 300},
      {"three", {200, 200, 0}, 2, 200},
      {"four are idle", {0, 200, 200, 0, 0, 0}, 1, 300},
      {"six", {100, 100, 100, 100, 100, 100}, 3, 100},
      {"one that does not come to its end holds its own, and no more", {600, 300, 0}, 2, 200},
      {"all is spent", {600, 600, 0}, 2, 50},
      {"more than all", {600, 650, 0}, 2, 50},
      {"so many that a share is less than the least", std::vector<std::size_t>(20, 10), 7, 50},
  };
  for (const auto& one : cases) EXPECT_EQ(batch_room(one.held, one.who, kLimits), one.room) << one.what;
}

/// However many there are: each sink asks for a batch, and for the one after it.
TEST(BatchBudget, IsNotExceededByMoreThanTheLeastOfEach) {
  for (std::size_t sinks = 1; sinks <= 40; ++sinks) {
    std::vector<std::size_t> held(sinks);
    std::size_t all = 0;
    for (int turn = 0; turn < 2; ++turn) {
      for (std::size_t who = 0; who < sinks; ++who) {
        const std::size_t room = batch_room(held, who, kLimits);
        held[who] += room;
        all += room;
      }
    }
    EXPECT_LE(all, kLimits.total + 2 * sinks * kLimits.least) << sinks;
  }
}

TEST(BatchBudget, ASinkThatIsNotKnownToTakeAnythingGetsTheLeast) {
  const auto budget = std::make_shared<BatchBudget>(kLimits);
  const BatchBudget::Part part(budget);
  EXPECT_EQ(part.room(false), 50u);
  EXPECT_EQ(part.room(true), 600u);
}

TEST(BatchBudget, WhatASinkHeldIsFreeWhenItGoes) {
  const auto budget = std::make_shared<BatchBudget>(kLimits);
  BatchBudget::Part stays(budget);
  {
    BatchBudget::Part goes(budget);
    goes.hold(1200);
    EXPECT_EQ(stays.room(true), 50u);
  }
  EXPECT_EQ(stays.room(true), 600u);
}

}  // namespace
}  // namespace berth::ship
