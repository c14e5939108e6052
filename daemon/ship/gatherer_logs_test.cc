#include "daemon/ship/gatherer_fixture.h"

#include <gmock/gmock.h>

namespace berth::ship {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST_F(GathererTest, TellsWhatWasRemovedBeforeItWasShipped) {
  write("web/web.1", 1, numbered(1, 3));
  auto gatherer = begin();
  deliver_all(*gatherer);
  write("web/web.1", 1, numbered(4, 5));
  write("web/web.1", 6, numbered(6, 9));
  write("web/web.1", 10, numbered(10, 10));
  prune("web/web.1", 1);
  prune("web/web.1", 6);
  const auto entries = deliver_all(*gatherer);
  ASSERT_EQ(losses.size(), 1u);
  EXPECT_EQ(losses[0].first, 4u);
  EXPECT_EQ(losses[0].last, 9u);
  EXPECT_EQ(losses[0].lines, 6u);
  EXPECT_EQ(logs::format_rfc3339(losses[0].from, 0), "2026-11-24T00:00:03Z");
  EXPECT_EQ(logs::format_rfc3339(losses[0].to, 0), "2026-11-24T00:00:10Z");
  EXPECT_THAT(texts_of(entries), ElementsAre("berthd: lines 4 to 9 are missing here: they were removed before they were shipped", "line 10"));
  deliver_all(*begin());
  EXPECT_EQ(losses.size(), 1u) << "once";
}

TEST_F(GathererTest, OfAnInstanceThatIsYoungerThanTheSinkAllIsOwed) {
  write("web/web.1", 5, numbered(5, 5));
  auto gatherer = begin();
  deliver_all(*gatherer);
  EXPECT_THAT(losses, IsEmpty()) << "nobody knows what was before the sink";
  write("web/web.2", 3, numbered(3, 3));
  deliver_all(*gatherer);
  ASSERT_EQ(losses.size(), 1u);
  EXPECT_EQ(losses[0].lines, 2u);
}

TEST_F(GathererTest, ForgetsLogsThatWereRemovedAndTakesNewOnesForNew) {
  write("web/web.1", 1, numbered(1, 3));
  auto gatherer = begin();
  deliver_all(*gatherer);
  std::filesystem::remove_all(logs_root / "web");
  const Batch batch = gatherer->gather(scan());
  EXPECT_THAT(batch.gone, ElementsAre("web/web.1"));
  EXPECT_TRUE(gatherer->delivered(batch));
  write("web/web.1", 1, numbered(7, 7));
  EXPECT_THAT(texts_of(deliver_all(*gatherer)), ElementsAre("line 7"));
  EXPECT_THAT(losses, IsEmpty());
}

TEST_F(GathererTest, ANewLogIsNotReadFromWhereTheRemovedOneWasThoughThatIsNotDeliveredYet) {
  write("web/web.1", 1, numbered(1, 3));
  auto gatherer = begin();
  const Batch under_way = gatherer->gather(scan());
  std::filesystem::remove_all(logs_root / "web");
  const Batch ahead = gatherer->gather(scan());
  EXPECT_THAT(ahead.gone, ElementsAre("web/web.1"));
  ASSERT_TRUE(gatherer->delivered(under_way));
  write("web/web.1", 2, numbered(2, 4));
  const Batch next = gatherer->gather(scan());
  EXPECT_THAT(texts_of(next.entries), ElementsAre(HasSubstr("lines 1 to 1 are missing"), "line 2", "line 3", "line 4"));
  ASSERT_TRUE(gatherer->delivered(ahead));
  ASSERT_TRUE(gatherer->delivered(next));
  EXPECT_THAT(texts_of(deliver_all(*begin())), IsEmpty()) << "how far the new one is was kept";
}

TEST_F(GathererTest, ReadsALogThatWasCutOffFromItsBeginning) {
  write("web/web.1", 1, numbered(1, 3));
  auto gatherer = begin();
  deliver_all(*gatherer);
  std::filesystem::resize_file(logs_root / "web/web.1" / segment_name(1), 0);
  write("web/web.1", 1, numbered(7, 8));
  EXPECT_THAT(texts_of(deliver_all(*gatherer)), ElementsAre("line 7", "line 8"));
  EXPECT_THAT(replaced, ElementsAre("web/web.1"));
  write("web/web.1", 1, numbered(9, 9));
  EXPECT_THAT(texts_of(deliver_all(*begin())), ElementsAre("line 9"));
  EXPECT_EQ(replaced.size(), 1u);
}

TEST_F(GathererTest, OfAnAppThatWasNotWantedBeforeNothingIsOwed) {
  wanted.apps = {"web"};
  write("web/web.1", 1, numbered(1, 1));
  deliver_all(*begin());
  write("api/web.1", 5, numbered(5, 5));
  write("web/web.2", 3, numbered(3, 3));
  wanted.apps = {"api", "web"};
  auto gatherer = begin();
  EXPECT_THAT(texts_of(deliver_all(*gatherer)), testing::Contains("line 5"));
  ASSERT_EQ(losses.size(), 1u) << "the other app was wanted all the time";
  EXPECT_EQ(to_string(losses[0].instance), "web/web.2");
  losses.clear();
  write("api/web.2", 3, numbered(3, 3));
  deliver_all(*begin());
  ASSERT_EQ(losses.size(), 1u) << "and from now on this one is, too";
  EXPECT_EQ(losses[0].lines, 2u);
}

}  // namespace
}  // namespace berth::ship
