#include "daemon/route/socket_group.h"

#include <gtest/gtest.h>

namespace berth::route {
namespace {

using Order = std::vector<SocketGroup::Cookie>;

struct Leaving {
  Order before;
  SocketGroup::Cookie leaves;
  Order after;
};

TEST(SocketGroup, KeepsTheOrderOfListening) {
  SocketGroup group;
  group.join(30);
  group.join(10);
  group.join(20);
  EXPECT_EQ(group.order(), (Order{30, 10, 20}));
  EXPECT_EQ(group.index_of(20), 2u);
  EXPECT_EQ(group.index_of(40), std::nullopt);
}

TEST(SocketGroup, MovesTheLastIntoTheHole) {
  const Leaving table[] = {
      {{1}, 1, {}},
      {{1, 2}, 1, {2}},
      {{1, 2}, 2, {1}},
      {{1, 2, 3}, 1, {3, 2}},
      {{1, 2, 3, 4}, 2, {1, 4, 3}},
      {{1, 2, 3, 4}, 4, {1, 2, 3}},
      {{1, 2}, 9, {1, 2}},
      {{}, 1, {}},
      {{1, SocketGroup::kStranger, 3}, 1, {3, SocketGroup::kStranger}},
  };
  for (const auto& [before, leaves, after] : table) {
    SocketGroup group(before);
    group.leave(leaves);
    EXPECT_EQ(group.order(), after);
  }
}

TEST(SocketGroup, TellsWhichIndexHoldsBeforeAndAfterALeave) {
  const SocketGroup group({1, 2, 3, 4});
  EXPECT_EQ(group.index_that_stays(3, 1), 2u);
  EXPECT_EQ(group.index_that_stays(4, 1), std::nullopt) << "the last one moves";
  EXPECT_EQ(group.index_that_stays(1, 1), std::nullopt) << "it leaves";
  EXPECT_EQ(group.index_that_stays(1, 4), 0u) << "nothing moves when the last one leaves";
  EXPECT_EQ(group.index_that_stays(9, 1), std::nullopt);
}

TEST(SocketGroup, NeverTakesAStrangerForOneOfOurs) {
  const SocketGroup group({SocketGroup::kStranger, 2});
  EXPECT_EQ(group.index_of(SocketGroup::kStranger), std::nullopt);
}

}  // namespace
}  // namespace berth::route
