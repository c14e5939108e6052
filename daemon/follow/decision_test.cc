#include "daemon/follow/decision.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/logs/record_time.h"
#include "daemon/config/values.h"

namespace berth::follow {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;
using Kind = Decision::Kind;

const auto kNow = std::chrono::system_clock::from_time_t(1'795'510'800);  // 2026-11-24T09:00:00Z

std::string ago(std::chrono::seconds age) { return logs::format_rfc3339(std::chrono::time_point_cast<std::chrono::nanoseconds>(kNow - age), 6); }

deploy::DeploymentStatus deployment(const std::string& release, const std::string& state, std::chrono::seconds age = 1h, const std::string& by = kFollow) {
  deploy::DeploymentStatus one;
  one.row = {.id = 7, .app = "web", .release = release, .kind = "deploy", .state = state, .reason = "because", .by = by};
  const bool ended = state == "active" || state == "failed" || state == "reverted" || state == "cancelled" || state == "superseded" || state == "interrupted";
  if (ended) one.row.ended_at = ago(age);
  one.exit = !ended ? -1 : state == "active" ? 0 : 1;
  return one;
}

deploy::AppStatus app(const std::string& active) {
  deploy::AppStatus status;
  status.row = {.app = "web", .active = active};
  return status;
}

Decision decided(const Present& present) { return decide("web", "v2", present, 1min, {}, kNow); }

TEST(Decision, AFreshNodeConverges) { EXPECT_EQ(decided({}).kind, Kind::deploy); }

TEST(Decision, WhatIsWantedAndActiveIsSettledWhateverElseIsSaidOfTheApp) {
  auto there = app("v2");
  there.row.held.why = "because";
  EXPECT_EQ(decided({.app = there, .deployments = {deployment("v2", "active")}}).kind, Kind::settled);
}

TEST(Decision, AnotherReleaseIsMoved) { EXPECT_EQ(decided({.app = app("v1"), .deployments = {deployment("v1", "active")}}).kind, Kind::deploy); }

TEST(Decision, WhatRunsIsMovedInItsWindowsAlone) {
  ::setenv("TZ", "UTC0", 1);
  const auto windows = [](const char* text) { return std::vector{*config::parse_window(text)}; };
  const Present runs{.app = app("v1"), .deployments = {deployment("v1", "active")}};
  EXPECT_EQ(decide("web", "v2", runs, 1min, windows("Tue 08:00-10:00"), kNow).kind, Kind::deploy);
  const auto closed = decide("web", "v2", runs, 1min, windows("Tue 09:01-10:00"), kNow);
  EXPECT_EQ(closed.kind, Kind::closed);
  EXPECT_EQ(closed.at, kNow + 1min);
  EXPECT_EQ(closed.why, "it waits for its window (Tue 09:01-10:00), which opens at 2026-11-24T09:01:00Z; 'berth deploy web@v2' does not");
  EXPECT_EQ(decide("web", "v2", {}, 1min, windows("Tue 09:01-10:00"), kNow).kind, Kind::deploy) << "there is nothing yet that it would disturb";
  EXPECT_EQ(decide("web", "v1", runs, 1min, windows("Tue 09:01-10:00"), kNow).kind, Kind::settled);
  auto held = runs;
  held.app->row.stopped = true;
  EXPECT_EQ(decide("web", "v2", held, 1min, windows("Tue 09:01-10:00"), kNow).kind, Kind::left_alone) << "what a window does not end is said first";
  ::unsetenv("TZ");
}

TEST(Decision, WhatOperatorsDecidedCountsMore) {
  auto was_active = deployment("v2", "superseded");
  was_active.row.decided = true;
  const auto expect = [&](deploy::AppStatus status, const std::string& why) {
    const Decision decision = decided({.app = std::move(status), .deployments = {deployment("v1", "active"), was_active}});
    EXPECT_EQ(decision.kind, Kind::left_alone);
    EXPECT_THAT(decision.why, HasSubstr(why));
  };
  auto held = app("v1");
  held.row.held.why = "reverted by root";
  expect(held, "held (reverted by root): 'berth resume web', or a newer release");
  auto stopped = app("v1");
  stopped.row.stopped = true;
  expect(stopped, "'berth start web'");
  auto pinned = app("v1");
  pinned.slots = {{.app = "web", .release = "v1", .pinned = true}};
  expect(pinned, "v1 is pinned: 'berth unpin web@v1'");
  auto rejected = app("v1");
  rejected.rejected = {{"v2", "", "it died", ""}};
  expect(rejected, "v2 is rejected here (it died)");
}

TEST(Decision, AReleaseThatWasNeverActiveHereEndsAHold) {
  auto held = app("v1");
  held.row.held.why = "reverted by root";
  auto undone = deployment("v2", "reverted");
  undone.row.decided = true;  // with `recreate`, before its hook failed
  EXPECT_EQ(decided({.app = held, .deployments = {deployment("v1", "active"), deployment("v3", "reverted"), undone}}).kind, Kind::deploy);
}

TEST(Decision, WhatAnOperatorHoldsIsLeftAloneWhateverIsWanted) {
  auto held = app("v1");
  held.row.held = {.why = "an audit", .by = "root (uid 0)", .at = "2026-11-24T09:00:00Z", .firm = true};
  const Decision decision = decided({.app = held, .deployments = {deployment("v1", "active")}});
  EXPECT_EQ(decision.kind, Kind::left_alone);
  EXPECT_EQ(decision.why, "it is held (by root (uid 0) since 2026-11-24T09:00:00Z: an audit): 'berth resume web' lets it follow");
}

TEST(Decision, WhatARevertLeftIsRejectedTooSoThatToResumeIsNotAdvised) {
  auto was_active = deployment("v2", "active");
  was_active.row.decided = true;
  auto left = app("v1");
  left.row.held = {.why = "v2 was reverted by hand", .by = "root (uid 0)"};
  left.rejected = {{"v2", "", "v2 was reverted by hand", ""}};
  EXPECT_EQ(decided({.app = left, .deployments = {deployment("v1", "active"), was_active}}).why,
            "v2 is rejected here (v2 was reverted by hand), and the app is held: point the channel to a release that was never active here, or 'berth deploy web@v2 --force'");
  left.row.held.firm = true;
  EXPECT_THAT(decided({.app = left}).why, AllOf(HasSubstr("'berth resume web', and point the channel to another release"), HasSubstr("'berth deploy web@v2 --force'")));
}

TEST(Decision, PinsAndRejectionsOfOtherReleasesDoNotMatter) {
  auto status = app("v1");
  status.slots = {{.app = "web", .release = "v0", .pinned = true}, {.app = "web", .release = "v2", .pinned = true}, {.app = "web", .release = "v1"}};
  status.rejected = {{"v3", "", "it died", ""}};
  EXPECT_EQ(decided({.app = status}).kind, Kind::deploy);
}

TEST(Decision, ADeploymentUnderWayIsWaitedForUnlessItIsAnOlderWishOfItsOwn) {
  EXPECT_EQ(decided({.app = app("v1"), .deployments = {deployment("v2", "fetching")}}).kind, Kind::under_way);
  EXPECT_EQ(decided({.deployments = {deployment("v2", "queued")}}).kind, Kind::under_way);
  EXPECT_EQ(decided({.app = app("v1"), .deployments = {deployment("v9", "fetching", 1h, "root (uid 0)")}}).kind, Kind::under_way);
  EXPECT_EQ(decided({.app = app("v2"), .deployments = {deployment("v9", "fetching", 1h, "root (uid 0)")}}).kind, Kind::under_way);
  EXPECT_EQ(decided({.app = app("v1"), .deployments = {deployment("v9", "baking")}}).kind, Kind::deploy);
  EXPECT_EQ(decided({.app = app("v1"), .deployments = {deployment("v9", "reverting")}}).kind, Kind::under_way);
  EXPECT_THAT(decided({.deployments = {deployment("v2", "queued")}}).why, HasSubstr("deployment 7 of v2 is queued"));
}

TEST(Decision, WhatSomebodyCancelledOrBerthdGaveUpStaysSo) {
  for (const char* state : {"cancelled", "interrupted"}) {
    const Decision decision = decided({.app = app("v1"), .deployments = {deployment("v2", state), deployment("v1", "active")}});
    EXPECT_EQ(decision.kind, Kind::left_alone);
    EXPECT_THAT(decision.why, HasSubstr(state));
    EXPECT_EQ(decided({.app = app("v1"), .deployments = {deployment("v1", "active"), deployment("v2", state)}}).kind, Kind::deploy) << "another came after it";
  }
}

TEST(Decision, WhatADrainCancelledIsTakenUpAgain) {
  auto drained = deployment("v2", "cancelled");
  drained.row.reason = std::string("cancelled by ") + deploy::kDrain;
  EXPECT_EQ(decided({.app = app("v1"), .deployments = {drained, deployment("v1", "active")}}).kind, Kind::deploy);
}

TEST(Decision, WhatFailedIsTriedAgainLaterAndLater) {
  const auto after = [](int failures, std::chrono::seconds age) {
    std::vector<deploy::DeploymentStatus> all(static_cast<std::size_t>(failures), deployment("v2", "failed", age));
    all.push_back(deployment("v1", "active", 24h));
    return decided({.app = app("v1"), .deployments = all});
  };
  EXPECT_EQ(after(1, 59s).kind, Kind::later);
  EXPECT_THAT(after(1, 0s).why, HasSubstr("after 2026-11-24T09:01:00Z: because"));
  EXPECT_EQ(after(1, 60s).kind, Kind::deploy);
  EXPECT_EQ(after(3, 239s).kind, Kind::later);
  EXPECT_EQ(after(3, 240s).kind, Kind::deploy);
  EXPECT_EQ(after(49, 59min).kind, Kind::later);
  EXPECT_EQ(after(49, 1h).kind, Kind::deploy);
}

TEST(Decision, WhatWasRevertedAndIsNotRejectedIsTriedAgainLater) {
  const auto after = [](std::chrono::seconds age) {
    return decided({.app = app("v1"), .deployments = {deployment("v2", "reverted", age), deployment("v2", "failed", age), deployment("v1", "active", 24h)}});
  };
  EXPECT_EQ(after(119s).kind, Kind::later);
  EXPECT_THAT(after(0s).why, HasSubstr("was reverted, the next is tried after 2026-11-24T09:02:00Z"));
  EXPECT_EQ(after(120s).kind, Kind::deploy);
}

TEST(Decision, AFailureThatIsStillToComeIsOfAClockThatWasAheadAndIsNotWaitedFor) {
  EXPECT_EQ(decided({.app = app("v1"), .deployments = {deployment("v2", "failed", -24h * 365)}}).kind, Kind::deploy);
  EXPECT_EQ(decided({.app = app("v1"), .deployments = {deployment("v2", "failed", -30s)}}).kind, Kind::later) << "a clock that was set back by a little";
}

TEST(Decision, FailuresOfOtherReleasesDoNotCount) {
  EXPECT_EQ(decided({.app = app("v1"), .deployments = {deployment("v3", "failed", 1s), deployment("v2", "failed", 2s)}}).kind, Kind::deploy);
}

TEST(WaitAfterFailures, IsNoShorterThanTheInterval) {
  EXPECT_EQ(wait_after_failures(1min, 1), 1min);
  EXPECT_EQ(wait_after_failures(1min, 2), 2min);
  EXPECT_EQ(wait_after_failures(1min, 1000), 1h);
  EXPECT_EQ(wait_after_failures(24h, 3), 24h);
}

}  // namespace
}  // namespace berth::follow
