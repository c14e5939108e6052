#include "daemon/store/store_fixture.h"

namespace berth::store {
namespace {

using JobsTest = StoreTest;

TEST_F(JobsTest, TheLastRunOfEachJobStaysAndIsToldWithItsEvent) {
  open();
  must(store->ensure_app("web"));
  EXPECT_TRUE(must(store->jobs("web")).empty());
  JobRow report{.app = "web", .process = "report", .run = 1, .release = "v1", .deployment = 7, .by = "root (uid 0)", .why = "month's end", .state = "running",
                .began_at = "2026-11-24T09:00:00.000000Z"};
  ASSERT_TRUE(store->set_job(report, event("job.started", "web")));
  ASSERT_TRUE(store->set_job({.app = "web", .process = "clean", .run = 3, .release = "v2", .state = "failed", .result = "exited with 1", .attempts = 4}, std::nullopt));
  EXPECT_EQ(must(store->events(1, 10, "web")).back().kind, "job.started");
  reopen();
  auto found = must(store->jobs("web"));
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].process, "clean");
  EXPECT_EQ(found[0].attempts, 4);
  EXPECT_EQ(found[1].why, "month's end");
  EXPECT_TRUE(found[1].running());
  EXPECT_EQ(found[1].deployment, 7);
  report.run = 2;
  report.state = "ok";
  report.succeeded_at = report.ended_at = "2026-11-24T09:10:00.000000Z";
  ASSERT_TRUE(store->set_job(report, event("job.ended", "web")));
  found = must(store->jobs("web"));
  ASSERT_EQ(found.size(), 2u) << "one row a job";
  EXPECT_EQ(found[1].run, 2);
  EXPECT_FALSE(found[1].running());
  EXPECT_EQ(found[1].succeeded_at, report.succeeded_at);
}

TEST_F(JobsTest, GoWithTheirApp) {
  open();
  must(store->ensure_app("web"));
  ASSERT_TRUE(store->set_job({.app = "web", .process = "report", .run = 1, .release = "v1", .state = "ok"}, std::nullopt));
  ASSERT_TRUE(store->remove_app("web", false, event("operator.remove", "web")));
  EXPECT_TRUE(must(store->jobs("web")).empty());
  EXPECT_EQ(store->set_job({.app = "web", .process = "report", .run = 2, .release = "v1", .state = "running"}, std::nullopt).error().code, Errc::not_found);
}

}  // namespace
}  // namespace berth::store
