#include "core/logs/log_fixture.h"

#include <gmock/gmock.h>

namespace berth::logs {
namespace {

using LogLayout = LogFixture;

TEST(SegmentName, IsSixteenDigits) {
  EXPECT_EQ(parse_segment_name("0000000000000042.log")->first, 42u);
  EXPECT_TRUE(parse_segment_name("0000000000000042.log.zst")->compressed);
  for (const char* name : {"42.log", "0000000000000042.txt", "000000000000004x.log", "0000000000000042.log.gz", ".log", "00000000000000042.log", "+000000000000042.log"})
    EXPECT_FALSE(parse_segment_name(name)) << name;
}

TEST_F(LogLayout, ListsSegmentsOldestFirst_EachOnce) {
  append("web/web.1", 100, "");
  append("web/web.1", 1, "");
  compress("web/web.1", 1);
  append("web/web.1", 50, "");
  compress("web/web.1", 50);
  append("web/web.1", 50, "");  // not yet removed
  std::ofstream(root / "web/web.1/notes.txt") << "x";
  const auto segments = list_segments(root / "web/web.1").value();
  ASSERT_EQ(segments.size(), 3u);
  EXPECT_TRUE(segments[0].compressed);
  EXPECT_FALSE(segments[1].compressed);
  EXPECT_EQ(segments[2].first, 100u);
}

TEST_F(LogLayout, FindsTheInstancesASelectorNames) {
  for (const char* instance : {"web/web.10", "web/web.2", "web/worker.1", "web/not-an-instance"}) append(instance, 1, "");
  EXPECT_EQ(list_instances(root, *parse_selector("web")).value().size(), 3u);
  const auto web = list_instances(root, *parse_selector("web/web")).value();
  ASSERT_EQ(web.size(), 2u);
  EXPECT_EQ(web[0].id.number, 2);
  EXPECT_EQ(list_instances(root, *parse_selector("web/worker.1")).value().size(), 1u);
}

TEST_F(LogLayout, NamesWhatIsThereWhenAskedForWhatIsNot) {
  append("web/web.1", 1, "");
  const auto app = list_instances(root, *parse_selector("wbe"));
  ASSERT_FALSE(app);
  EXPECT_EQ(app.error().code, Errc::not_found);
  EXPECT_THAT(app.error().message, testing::HasSubstr("apps with logs: web"));
  const auto process = list_instances(root, *parse_selector("web/worker"));
  ASSERT_FALSE(process);
  EXPECT_THAT(process.error().message, testing::HasSubstr("web/worker: no logs"));
  EXPECT_THAT(process.error().message, testing::HasSubstr("there are: web/web.1"));
  for (const char* more : {"web/web.10", "web/web.3", "web/web.2"}) append(more, 1, "");
  EXPECT_THAT(list_instances(root, *parse_selector("web/web.9")).error().message, testing::HasSubstr("there are: web/web.1, web/web.2, web/web.3, web/web.10)"));
}

}  // namespace
}  // namespace berth::logs
