#include "daemon/deploy/story.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace berth::deploy {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string at(int second) { return fmt::format("2026-11-24T09:00:{:02}.000000Z", second); }

store::Event event(int second, const std::string& kind, boost::json::object data) {
  return {.number = second, .at = at(second), .kind = kind, .app = "web", .data = std::move(data)};
}

store::Event ended(int second, const std::string& reason, int ran_ms = 20) {
  return event(second, "instance.exit", {{"instance", "web/web.1@v3"}, {"reason", reason}, {"ran_ms", ran_ms}});
}

DeploymentStatus failed(const std::string& reason) {
  DeploymentStatus deployment;
  deployment.row = {.id = 7, .app = "web", .release = "v3", .kind = "deploy", .state = "failed", .reason = reason, .by = "root (uid 0)", .why = "a try"};
  deployment.exit = 1;
  deployment.rejected = true;
  deployment.steps = {{"queued", at(0)}, {"fetching", at(1)}, {"unpacking", at(1)}, {"sealed", at(1)}, {"starting", at(2)}, {"failed", at(9)}};
  return deployment;
}

InstanceView instance(const std::string& not_ready) {
  InstanceView view;
  view.status.id = {"web", "web", 1, "v3"};
  view.status.phase = supervise::Phase::running;
  view.status.pid = 42;
  view.status.not_ready = not_ready;
  view.status.started_at = at(3);
  return view;
}

std::vector<std::string> texts(const std::vector<Told>& told) {
  std::vector<std::string> all;
  for (const Told& one : told) all.push_back(one.times > 1 ? fmt::format("{} ({} times)", one.text, one.times) : one.text);
  return all;
}

TEST(Story, TellsTheLastInstanceThatWasKilledAtAStop) {
  const std::string killed = "stopped: it did not end within 2s of being asked to, and was killed";
  EXPECT_EQ(killed_at_a_stop({ended(3, killed), ended(4, killed), ended(5, "stopped"), event(6, "instance.unready", {{"instance", "web/web.1@v3"}, {"reason", killed}})}),
            "web/web.1@v3 was stopped at " + at(4) + ": it did not end within 2s of being asked to, and was killed");
  EXPECT_EQ(killed_at_a_stop({ended(3, "stopped"), ended(4, "exited with 1")}), "");
}

TEST(Story, WhatInstancesDoInTurnsIsToldOnceOfEach) {
  const auto of_second = [](int second) { return event(second, "instance.exit", {{"instance", "web/web.2@v3"}, {"reason", "exited with 1"}, {"ran_ms", second}}); };
  const auto told = timeline(nullptr, {ended(3, "exited with 1"), of_second(4), ended(5, "exited with 1"), of_second(6), ended(7, "exited with 2"), ended(8, "exited with 1"),
                                       event(9, "operator.restart", {{"by", "ann"}}), ended(10, "exited with 1")});
  EXPECT_THAT(texts(told), ElementsAre("web/web.1@v3 exited with 1, after 20ms (3 times)", "web/web.2@v3 exited with 1, after 4ms (2 times)", "web/web.1@v3 exited with 2, after 20ms",
                                       "restart by ann", "web/web.1@v3 exited with 1, after 20ms"));
  EXPECT_EQ(told[0].until, at(8));
  EXPECT_EQ(told[1].until, at(6));
}

TEST(Story, IsToldInTheOrderOfTimeAndWhatIsRepeatedOnce) {
  const auto deployment = failed("web@v3: web/web.1 exited with 1 (3 times)");
  const auto told = timeline(&deployment, {ended(3, "exited with 1", 20), ended(4, "exited with 1", 31), ended(6, "exited with 1"), event(8, "slot.sealed", {{"release", "v3"}}),
                                       ended(9, "stopped")});
  EXPECT_THAT(texts(told), ElementsAre("deployment 7 of web@v3 was asked for by root (uid 0): a try", "fetching", "starting",
                                       "web/web.1@v3 exited with 1, after 20ms (3 times)", "failed: web/web.1 exited with 1 (3 times)"));
  EXPECT_EQ(told[3].at, at(3));
  EXPECT_EQ(told[3].until, at(6));
}

TEST(Story, TellsOfAnInstanceThatHadToBeKilledWhenItWasStopped) {
  const std::string how = "stopped: it did not end within 2s of being asked to, and was killed";
  EXPECT_THAT(texts(timeline(nullptr, {ended(3, how)})), ElementsAre("web/web.1@v3 " + how));
}

TEST(Story, HasWhatProbesWereAnsweredAndWhatHooksAndOperatorsDid) {
  const auto told = timeline(nullptr, {event(1, "instance.unready", {{"instance", "web/web.1@v3"}, {"reason", "readiness probe: 503 from /healthz"}}),
                                   event(2, "instance.ready", {{"instance", "web/web.1@v3"}}), event(3, "hook.ended", {{"hook", "pre-start"}, {"release", "v3"}, {"result", "exited with 1"}}),
                                   event(4, "operator.restart", {{"by", "root (uid 0)"}, {"why", "a try"}}), event(5, "deployment.note", {{"note", "n"}})});
  EXPECT_THAT(texts(told), ElementsAre("web/web.1@v3 was no longer ready: readiness probe: 503 from /healthz", "web/web.1@v3 was ready again", "pre-start hook of v3: exited with 1",
                                       "restart by root (uid 0): a try", "note: n"));
}

TEST(Story, OnlyWhatShouldServeIsInTrouble) {
  auto view = instance("readiness probe: 503 from /healthz");
  EXPECT_TRUE(is_troubled(view, "v3"));
  EXPECT_FALSE(is_troubled(view, "v2"));
  view.status.judged = false;
  EXPECT_FALSE(is_troubled(view, "v3"));
  view.status.crash_loop = true;
  EXPECT_TRUE(is_troubled(view, "v3"));
  view = instance("");
  view.status.ready = true;
  EXPECT_FALSE(is_troubled(view, "v3"));
}

TEST(Story, SaysWhatIsWrongWithAnInstanceAndSinceWhen) {
  auto view = instance("readiness probe: 503 from /healthz");
  EXPECT_EQ(trouble_text(view), "web/web.1 is not ready: readiness probe: 503 from /healthz");
  EXPECT_EQ(trouble_at(view, {}), at(3));
  EXPECT_EQ(trouble_at(view, {event(5, "instance.unready", {{"instance", "web/web.1@v3"}}), event(8, "instance.unready", {{"instance", "web/web.2@v3"}})}), at(5));
  view.status.crash_loop = true;
  view.status.restarts = 12;
  view.status.last_exit = supervise::Exit{.reason = "exited with 1", .at = at(4)};
  EXPECT_EQ(trouble_text(view), "web/web.1 ends again and again: exited with 1 (12 restarts)");
  EXPECT_EQ(trouble_at(view, {}), at(4));
}

TEST(Story, OfADeploymentAdvisesByItsReason) {
  const std::pair<const char*, const char*> table[] = {
      {"not ready within 1m: web/web.1: readiness probe: 503 from /healthz", "answers its readiness probe badly"},
      {"not ready within 1m: web/web.1: readiness probe: nothing listens at 127.0.0.1:20001", "listen on $PORT"},
      {"web@v3: its pre-start hook exited with 1", "the last lines are the hook's"},
      {"web@v3: secret TOKEN (file:/x): open /x: No such file", "put it there"},
      {"web/web.1 exited with 1, in its bake", "after the switch"},
  };
  for (const auto& [reason, words] : table) {
    Story story{.about = Story::About::deployment, .app = "web", .active = "v2"};
    story.deployment = failed(reason);
    story.deployment->last_lines = {"boom"};
    EXPECT_THAT(advise(story, "v1"), AllOf(Contains(HasSubstr(words)), Contains(HasSubstr("berth logs web@v3")), Contains(HasSubstr("berth deploy web@v3 --force")))) << reason;
    story.deployment->rejected = false;
    const bool by_hook = std::string_view(reason).contains("hook");
    EXPECT_THAT(advise(story, "v1").back(), HasSubstr(by_hook ? "berth deploy web@v3   # once its hook can end well" : "berth deploy web@v3   # once what was missing is there"));
    story.over = true;
    EXPECT_THAT(advise(story, "v1"), IsEmpty()) << "what helped then is done";
  }
}

TEST(Story, AReleaseThatThereIsNotIsToldApart) {
  store::DeploymentRow row{.id = 7, .app = "web", .release = "7v", .state = "failed", .ended_at = at(2), .detail = {{"exit", 3}}};
  EXPECT_TRUE(is_of_nothing(row));
  store::DeploymentRow crashed = row;
  crashed.id = 6;
  crashed.detail["exit"] = 1;
  EXPECT_FALSE(is_of_nothing(crashed));
  EXPECT_EQ(failure_to_tell({row, crashed}, false)->id, 6) << "it says more of an app that does not run, also where something was mistyped since";
  EXPECT_EQ(failure_to_tell({row, crashed}, true)->id, 6);
  EXPECT_EQ(failure_to_tell({row}, false)->id, 7) << "there is nothing else to tell";
  EXPECT_EQ(failure_to_tell({row}, true), nullptr);
  EXPECT_EQ(failure_to_tell({}, false), nullptr);
}

TEST(Story, OfAFailureIsOverWhenTheReleaseOfALaterDeploymentBecameActive) {
  const auto row = [](std::int64_t id, const char* state, bool decided) { return store::DeploymentRow{.id = id, .app = "web", .release = "v3", .state = state, .decided = decided}; };
  const auto failed = row(7, "failed", false);
  EXPECT_FALSE(is_over(failed, {failed, row(6, "active", true)}));
  EXPECT_FALSE(is_over(failed, {row(9, "starting", false), row(8, "cancelled", false), failed}));
  EXPECT_FALSE(is_over(failed, {row(8, "starting", true), failed})) << "with recreate it is decided before it runs";
  EXPECT_TRUE(is_over(failed, {row(8, "baking", true), failed}));
  EXPECT_TRUE(is_over(failed, {row(9, "cancelled", false), row(8, "active", true), failed}));
}

TEST(Story, OfInstancesHasThoseThatCameBackNotLongAgo) {
  const auto now = *logs::parse_rfc3339("2026-11-24T09:05:00Z");
  auto view = instance("");
  view.status.ready = true;
  EXPECT_FALSE(came_back(view, "v3", now));
  view.status.restarts = 1;
  view.status.last_exit = supervise::Exit{.reason = "exited with 4", .at = at(2), .kind = "exit"};
  EXPECT_TRUE(came_back(view, "v3", now));
  EXPECT_FALSE(is_troubled(view, "v3"));
  EXPECT_EQ(trouble_text(view), "web/web.1 ended and was started again: exited with 4 (1 restart)");
  EXPECT_FALSE(came_back(view, "v2", now));
  EXPECT_FALSE(came_back(view, "v3", now + std::chrono::minutes(6)));
  Story story{.about = Story::About::instances, .app = "web", .active = "v3"};
  story.instances = {view};
  EXPECT_THAT(advise(story, ""), ElementsAre(HasSubstr("berth logs web/web.1 --previous")));
  view.status.last_exit->kind.clear();
  EXPECT_FALSE(came_back(view, "v3", now)) << "somebody restarted it";
}

TEST(Story, AdvisesNothingByNames) {
  const auto advice = [](const std::string& app, const std::string& reason) {
    Story story{.about = Story::About::deployment, .app = app, .active = "v2"};
    story.deployment = failed(reason);
    story.deployment->row.app = app;
    return advise(story, "v1");
  };
  const std::size_t without = advice("web", "web@v3: something").size();
  const std::pair<const char*, const char*> table[] = {
      {"bloom", "bloom@v3: bloom/web.1 exited with 1"}, {"zoom", "not ready within 1m: zoom/web.1: it has not said so"}, {"bakery", "bakery/oven.1 exited with 1"},
      {"oom", "oom@v3: oom/web.1 exited with 1"},       {"bake", "bake@v3: bake/bake.1@v3 exited with 1"},              {"half-bake", "half-bake/web.1 exited with 1"},
      {"oom-killer", "oom-killer/oom.1 exited with 1"}, {"web", "web@v3: open /srv/oom/bake: No such file"},
  };
  for (const auto& [app, reason] : table) EXPECT_EQ(advice(app, reason).size(), without) << reason;
  for (const char* reason : {"bakery/web.1 oom", "bakery/web.1 ended (oom)", "bakery/web.1: oom, in its bake", "oom"}) EXPECT_THAT(advice("bakery", reason), Contains(HasSubstr("MemoryMax"))) << reason;
  for (const char* reason : {"zoom/web.1 exited with 1, in its bake", "zoom/web.1 exited with 1 in the canary's bake: more often", "not ready, at the end of its bake."})
    EXPECT_THAT(advice("zoom", reason), Contains(HasSubstr("after the switch"))) << reason;
}

TEST(Story, OfAnInstanceAdvisesToLookAtItsLastRunAndToGoBack) {
  Story story{.about = Story::About::instances, .app = "web", .active = "v3"};
  story.instances = {instance("readiness probe: nothing listens at 127.0.0.1:20001")};
  EXPECT_THAT(advise(story, "v2"), ElementsAre(HasSubstr("listen on $PORT"), HasSubstr("berth logs web/web.1 "), HasSubstr("berth revert web   # goes back to v2"), HasSubstr("berth restart web/web.1")));
  story.instances.front().status.crash_loop = true;
  story.instances.front().status.last_exit = supervise::Exit{.reason = "oom"};
  EXPECT_THAT(advise(story, ""), ElementsAre(HasSubstr("MemoryMax"), HasSubstr("berth logs web/web.1 --previous"), HasSubstr("berth restart")));
}

TEST(Story, OfAJobSaysHowItsLastRunEndedAndHowToRunItAgain) {
  const JobStatus job{.row = {.app = "web", .process = "report", .run = 3, .release = "v3", .state = "failed", .result = "exited with 3", .attempts = 2}};
  EXPECT_EQ(failure_text(job), "web/report exited with 3 (run 3 of the job, after 2 tries)");
  Story story{.about = Story::About::job, .app = "web", .active = "v3"};
  story.jobs = {job};
  EXPECT_THAT(advise(story, "v2"), ElementsAre("berth logs web/report   # all that it printed", "berth run-job web/report   # once what it needs is there"));
  const auto told = timeline(nullptr, {event(1, "job.started", {{"instance", "web/report.3@v3"}, {"by", "root (uid 0)"}}),
                                       event(2, "job.ended", {{"instance", "web/report.3@v3"}, {"state", "failed"}, {"result", "exited with 3"}, {"ran_ms", 1500}}),
                                       event(3, "job.ended", {{"instance", "web/report.4@v3"}, {"state", "ok"}, {"result", "ok"}, {"ran_ms", 15}})});
  EXPECT_THAT(texts(told), ElementsAre("job web/report.3@v3 began, by root (uid 0)", "job web/report.3@v3 exited with 3, after 1.5s", "job web/report.4@v3 ended well, after 15ms"));
}

TEST(Story, OfNothingAdvisesNothing) { EXPECT_THAT(advise({}, "v1"), IsEmpty()); }

TEST(Story, WhatSomebodyEndedIsNoFailure) {
  const auto is = [](const char* state) { return is_failure({.state = state}); };
  EXPECT_TRUE(is("failed") && is("reverted") && is("interrupted"));
  EXPECT_FALSE(is("active") || is("cancelled") || is("superseded") || is("baking"));
}

}  // namespace
}  // namespace berth::deploy
