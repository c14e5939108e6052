#include "daemon/deploy/run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/deploy/trouble_judge.h"

namespace berth::deploy {
namespace {

class RunTest : public testing::Test {
 protected:
  io::Loop loop;
  deploy::Run run{loop.executor(), store::DeploymentRow{.id = 7, .app = "web", .release = "v2", .kind = "deploy", .state = "queued", .from = "v1"}};
};

TEST_F(RunTest, WhatTheRowCannotHoldComesBackFromItsDetail) {
  run.position = {State::starting, true};
  run.course.stop_first = true;
  run.course.gradual = true;
  run.steps = {{"queued", "2026-11-24T09:00:00.000000Z"}, {"starting", "2026-11-24T09:00:01.000000Z"}};
  keep_lines(run, {{.at = "2026-11-24T09:00:01.5Z", .text = "it broke"}});
  run.interruptions = 2;
  run.wanted = 3;
  run.keep_data = true;
  run.notes = {"data were copied"};
  run.hooks = {{.hook = "pre-start", .release = "v2", .began_at = "b", .ended_at = "e", .result = "ok", .attempts = 1},
               {.hook = "post-start", .release = "v2", .began_at = "c", .ended_at = {}, .result = {}, .attempts = 2}};
  run.progress.bytes_total = 4096;
  put_detail(run);
  EXPECT_EQ(run.row.state, "starting");
  EXPECT_TRUE(run.row.decided);

  deploy::Run again(loop.executor(), run.row);
  take_detail(again);
  EXPECT_EQ(again.position, (Position{State::starting, true}));
  EXPECT_TRUE(again.course.stop_first);
  EXPECT_TRUE(again.course.gradual);
  EXPECT_TRUE(again.course.has_previous);
  ASSERT_EQ(again.steps.size(), 2u);
  EXPECT_EQ(again.steps[1].state, "starting");
  EXPECT_EQ(again.steps[1].at, "2026-11-24T09:00:01.000000Z");
  EXPECT_THAT(again.last_lines, testing::ElementsAre("it broke"));
  EXPECT_THAT(again.lines_at, testing::ElementsAre("2026-11-24T09:00:01.5Z"));
  EXPECT_EQ(again.interruptions, 2);
  EXPECT_EQ(status_of(again).bytes_total, 4096u);
  EXPECT_TRUE(again.keep_data);
  EXPECT_EQ(again.notes, run.notes);
  ASSERT_EQ(again.hooks.size(), 2u);
  EXPECT_TRUE(again.hooks[0].succeeded());
  EXPECT_TRUE(again.hooks[1].running()) << "so that whoever returns looks for it";
  EXPECT_EQ(again.hooks[1].attempts, 2);
  EXPECT_EQ(status_of(again.row).hooks.size(), 2u);
}

TEST_F(RunTest, OneThatWasCancelledIsStillSo) {
  run.row.detail["cancelled_by"] = "root (uid 0): a mistake";
  deploy::Run again(loop.executor(), run.row);
  take_detail(again);
  EXPECT_EQ(again.cancelled_by, "root (uid 0): a mistake");
}

TEST_F(RunTest, OnlyAMigrationThatWasBegunIsNotedAndOnce) {
  note_migration(run);
  EXPECT_TRUE(run.notes.empty());
  run.hooks = {{.hook = "pre-start", .release = "v2"}};
  note_migration(run);
  note_migration(run);
  ASSERT_EQ(run.notes.size(), 1u);
  EXPECT_NE(run.notes[0].find("the pre-start hook of web@v2 may have migrated the data"), std::string::npos);
}

TEST_F(RunTest, ADeploymentHasNoExitCodeBeforeItEnded) {
  put_detail(run);
  EXPECT_EQ(status_of(run.row).exit, -1);
  EXPECT_FALSE(status_of(run).ended());
}

TEST_F(RunTest, ARowThatEndedTellsItsExitCode) {
  const std::pair<const char*, int> rows[] = {{"active", 0}, {"failed", 1}, {"reverted", 5}, {"cancelled", 8}, {"superseded", 8}, {"interrupted", 1}};
  for (const auto& [state, exit] : rows) {
    store::DeploymentRow row{.state = state, .ended_at = "2026-11-24T09:00:00.000000Z"};
    EXPECT_EQ(status_of(row).exit, exit) << state;
  }
  store::DeploymentRow refused{.state = "failed", .ended_at = "2026-11-24T09:00:00.000000Z", .detail = {{"exit", 4}}};
  EXPECT_EQ(status_of(refused).exit, 4);
}

TEST_F(RunTest, OnlyWhatComesFromTheRepositoryCanBeRefusedOrMissing) {
  EXPECT_EQ(exit_of_failure({Errc::trust, ""}, true), Exit::trust);
  EXPECT_EQ(exit_of_failure({Errc::not_found, ""}, true), Exit::not_found);
  EXPECT_EQ(exit_of_failure({Errc::unreachable, ""}, true), Exit::failed);
  EXPECT_EQ(exit_of_failure({Errc::not_found, ""}, false), Exit::failed);
}

TEST_F(RunTest, WhatHappenedBeforeItsBakeBeganAgainCountsNoMoreAfterARestartEither) {
  run.troubles = {.state = "baking", .counts = {.times = {3, 0, 1, 0}, .crash_loop = false}, .last_exits = {{"web/web.1@v2", "2026-11-24T09:00:00.123Z"}}};
  run.row.detail["troubles"] = to_json(run.troubles);
  count_troubles_again(run);

  deploy::Run again(loop.executor(), run.row);
  take_detail(again);
  for (const deploy::Run* one : {&run, &again}) {
    EXPECT_FALSE(one->troubles.counts.any());
    EXPECT_EQ(one->troubles.state, "baking");
    EXPECT_EQ(one->troubles.last_exits.at("web/web.1@v2"), "2026-11-24T09:00:00.123Z") << "so that it is not counted a second time";
  }
}

TEST(BakeEnd, IsWhatIsLeftByTheClockThatDoesNotJump) {
  using namespace std::chrono_literals;
  constexpr std::int64_t kYear = 365LL * 24 * 3'600'000;
  store::DeploymentRow row;
  set_bake_end(row, 60s, {.wall = 1'800'000'000'000, .steady = 5'000, .boot = "one"});
  EXPECT_EQ(row.bake_until_ms, 1'800'000'060'000);
  for (const std::int64_t jump : {std::int64_t{0}, kYear, -kYear, std::int64_t{-1'800'000'000'000}})
    EXPECT_EQ(bake_left(row, 60s, {.wall = 1'800'000'020'000 + jump, .steady = 25'000, .boot = "one"}), 40s) << jump;
  EXPECT_EQ(bake_left(row, 60s, {.wall = 1'800'000'000'000, .steady = 99'000, .boot = "one"}), 0s);
}

TEST(End, IsSetOnceAndKnowsWhatIsLeftOfItAlsoWhereTheClockWasSet) {
  using namespace std::chrono_literals;
  constexpr std::int64_t kYear = 365LL * 24 * 3'600'000;
  boost::json::object detail;
  EXPECT_FALSE(left_of(detail, "asking", 60s, {.wall = 0, .steady = 0, .boot = "one"}));
  set_end(detail, "asking", 60s, {.wall = 1'800'000'000'000, .steady = 5'000, .boot = "one"});
  for (const std::int64_t jump : {std::int64_t{0}, kYear, -kYear})
    EXPECT_EQ(left_of(detail, "asking", 60s, {.wall = 1'800'000'020'000 + jump, .steady = 25'000, .boot = "one"}), 40s) << jump;
  EXPECT_EQ(left_of(detail, "asking", 60s, {.wall = 1'800'000'020'000, .steady = 1'000, .boot = "two"}), 40s) << "after a boot";
  EXPECT_EQ(left_of(detail, "asking", 60s, {.wall = 1'800'000'000'000, .steady = 99'000, .boot = "one"}), 0s);
  EXPECT_FALSE(left_of(detail, "another", 60s, {.wall = 0, .steady = 0, .boot = "one"}));
}

TEST(BakeEnd, AfterABootIsOneOfTheWallClockAndNeverLongerThanItIsToBe) {
  using namespace std::chrono_literals;
  store::DeploymentRow row;
  set_bake_end(row, 60s, {.wall = 1'800'000'000'000, .steady = 5'000, .boot = "one"});
  EXPECT_EQ(bake_left(row, 60s, {.wall = 1'800'000'020'000, .steady = 1'000, .boot = "two"}), 40s);
  EXPECT_EQ(bake_left(row, 60s, {.wall = 0, .steady = 1'000, .boot = "two"}), 60s);
  EXPECT_EQ(bake_left(row, 60s, {.wall = 1'800'000'020'000, .steady = 1'000, .boot = ""}), 40s) << "nobody knows which boot it is";
  row.detail.erase("bake_ends");
  EXPECT_EQ(bake_left(row, 60s, {.wall = 1'800'000'020'000, .steady = 1'000, .boot = "one"}), 40s) << "an older berthd wrote it";
}

TEST(BakeEnd, OfOneThatWaitsForItsInstancesIsWhatWasLeftWhenSomebodyLookedOnLast) {
  using namespace std::chrono_literals;
  const BakeClocks ready{.wall = 1'800'000'900'000, .steady = 905'000, .boot = "one"};
  store::DeploymentRow row;
  set_bake_end(row, 60s, {.wall = 1'800'000'000'000, .steady = 5'000, .boot = "one"});
  hold_bake(row);
  EXPECT_EQ(row.bake_until_ms, 0) << "nobody knows when it ends";
  go_on_with_bake(row, 60s, ready);
  EXPECT_EQ(bake_left(row, 60s, ready), 60s) << "nothing of it was seen";
  keep_bake_left(row, 25s);
  hold_bake(row);
  go_on_with_bake(row, 60s, ready);
  EXPECT_EQ(bake_left(row, 60s, ready), 25s);
  EXPECT_EQ(row.bake_until_ms, ready.wall + 25'000);
  hold_bake(row);
  go_on_with_bake(row, 10s, ready);
  EXPECT_EQ(bake_left(row, 10s, ready), 10s);
}

TEST_F(RunTest, ABakeThatWaitsDoesSoAfterARestartTooAndJudgesNothing) {
  using namespace std::chrono_literals;
  run.position = {State::baking, true};
  run.troubles.state = "baking";
  run.row.detail["troubles"] = to_json(run.troubles);
  set_bake_end(run.row, 60s, bake_clocks("one"));
  EXPECT_FALSE(bake_waits(run));
  EXPECT_TRUE(is_judged(run));
  hold_bake(run.row);
  put_detail(run);

  deploy::Run again(loop.executor(), run.row);
  take_detail(again);
  for (const deploy::Run* one : {&run, &again}) {
    EXPECT_TRUE(bake_waits(*one));
    EXPECT_FALSE(is_judged(*one)) << "what its instances do then is a matter of their start";
  }
  go_on_with_bake(again.row, 60s, bake_clocks("two"));
  EXPECT_FALSE(bake_waits(again));
  EXPECT_TRUE(is_judged(again));
}

TEST_F(RunTest, OnlyABakeWaitsForInstances) {
  for (const State state : {State::canary, State::switching, State::reverting}) {
    run.position = {state, state != State::canary};
    EXPECT_FALSE(bake_waits(run)) << to_string(state);
  }
}

}  // namespace
}  // namespace berth::deploy
