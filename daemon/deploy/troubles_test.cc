#include "daemon/deploy/troubles.h"

#include <gtest/gtest.h>

#include "core/logs/record_time.h"

namespace berth::deploy {
namespace {

using namespace std::chrono_literals;

const Moment kNow{1000h};

TEST(Troubles, AreCountedByReleaseAndKindFromAMomentOn) {
  TroubleRecord record;
  record.add(Trouble::ended, "v1", false, kNow - 2min);
  record.add(Trouble::ended, "v1", false, kNow - 50s);
  record.add(Trouble::oom, "v1", false, kNow - 40s);
  record.add(Trouble::ended, "v2", true, kNow - 30s);
  record.add(Trouble::ended, "v1", false, kNow - 20s);
  const TroubleCounts counts = record.since("v1", kNow - 1min);
  EXPECT_EQ(counts, (TroubleCounts{.times = {2, 1, 0, 0}, .crash_loop = false}));
  EXPECT_TRUE(record.since("v2", kNow - 1min).crash_loop);
  EXPECT_EQ(record.since("v3", kNow - 1h), TroubleCounts()) << "one that never ran is compared with nothing";
  EXPECT_FALSE(record.since("v3", kNow - 1h).any());
}

TEST(Troubles, AreKeptWithABound) {
  TroubleRecord record;
  for (int i = 0; i < 5000; ++i) record.add(Trouble::unready, "v1", false, kNow);
  EXPECT_EQ(record.since("v1", kNow - 1s).of(Trouble::unready), 1024);
}

TEST(Troubles, TellEndsApartByTheirCause) {
  EXPECT_EQ(trouble_of({.reason = "oom", .kind = "oom"}), Trouble::oom);
  EXPECT_EQ(trouble_of({.reason = "liveness probe failed: timeout", .kind = "liveness"}), Trouble::liveness);
  for (const char* kind : {"exit", "signal", "not_started", "unknown", ""}) EXPECT_EQ(trouble_of({.kind = kind}), Trouble::ended) << kind;
}

TEST(Troubles, AreToldByEventsOfABerthdBefore) {
  const auto since = *logs::parse_rfc3339("2026-11-24T09:00:00Z");
  const auto told = [since](const char* kind, boost::json::object data, const char* at = "2026-11-24T09:00:01.000000Z", const char* release = "v1") {
    return trouble_told({.number = 1, .at = at, .kind = kind, .app = "web", .data = std::move(data)}, release, since);
  };
  const boost::json::object crash{{"instance", "web/web.1@v1"}, {"reason", "exited with 1"}, {"cause", "exit"}};
  EXPECT_EQ(told("instance.exit", crash), Trouble::ended);
  EXPECT_EQ(told("instance.exit", crash, "2026-11-24T08:59:59.999999Z"), std::nullopt) << "too long ago";
  EXPECT_EQ(told("instance.exit", crash, "2026-11-24T09:00:01.000000Z", "v2"), std::nullopt) << "another release's";
  EXPECT_EQ(told("instance.exit", {{"instance", "web/web.1@v1"}, {"cause", "oom"}}), Trouble::oom);
  EXPECT_EQ(told("instance.exit", {{"instance", "web/web.1@v1"}, {"cause", "liveness"}}), Trouble::liveness);
  EXPECT_EQ(told("instance.exit", {{"instance", "web/web.1@v1"}, {"reason", "stopped"}}), std::nullopt) << "somebody stopped it";
  EXPECT_EQ(told("instance.exit", {{"instance", "web/web.1@v1"}, {"cause", "exit"}, {"exited_at", "2026-11-24T08:00:00.123Z"}}), std::nullopt)
      << "told when berthd came back, and long ago";
  EXPECT_EQ(told("instance.unready", {{"instance", "web/web.1@v1"}, {"release", "v1"}}), Trouble::unready);
  EXPECT_EQ(told("instance.ready", {{"instance", "web/web.1@v1"}, {"release", "v1"}}), std::nullopt);
  EXPECT_EQ(told("instance.exit", {{"cause", "exit"}, {"instance", 7}}), std::nullopt);
}

TEST(Troubles, OfACanaryMayBeItsShareOfThoseBeforeRoundedUp) {
  EXPECT_EQ(allowed_times(0, 1, 3), 0);
  EXPECT_EQ(allowed_times(1, 1, 3), 1);
  EXPECT_EQ(allowed_times(7, 1, 3), 3);
  EXPECT_EQ(allowed_times(7, 3, 3), 7);
  EXPECT_EQ(allowed_times(7, 6, 3), 7);
  EXPECT_EQ(allowed_times(7, 1, 0), 7);
}

TEST(Troubles, AreWrittenDownAndRead) {
  const BakeTroubles troubles{.state = "baking", .counts = {.times = {3, 0, 1, 2}, .crash_loop = true}, .last_exits = {{"web/web.1@v2", "2026-11-24T09:00:00.123Z"}}};
  const BakeTroubles read = bake_troubles_in(to_json(troubles));
  EXPECT_EQ(read.state, troubles.state);
  EXPECT_EQ(read.counts, troubles.counts);
  EXPECT_EQ(read.last_exits, troubles.last_exits);
  EXPECT_EQ(bake_troubles_in({{"state", 1}, {"counts", "x"}, {"last_exits", {{"a", 1}}}}).counts, TroubleCounts());
}

}  // namespace
}  // namespace berth::deploy
