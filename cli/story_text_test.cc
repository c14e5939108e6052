#include "cli/story_text.h"

#include <fmt/core.h>
#include <gmock/gmock.h>

#include "core/json/json.h"
#include "core/logs/record_time.h"

namespace berth::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

std::string told(const std::string& story, int width = 0) {
  const WallTime now = std::chrono::time_point_cast<WallTime::duration>(*logs::parse_rfc3339("2026-11-24T09:05:00Z"));
  return story_text(json::parse(story).value(), {.now = now, .colour = false, .width = width});
}

constexpr const char* kFailed = R"json({"app": "web", "active": "v2", "health": "healthy", "since": "2026-11-24T08:05:00Z", "stopped": "", "over": false, "notes": ["n"], "about": "deployment", "why": "web@v3 failed: not ready within 3s: web/web.1: readiness probe: 503 from /healthz",
  "deployment": {"id": 7, "app": "web", "release": "v3", "state": "failed", "ended_at": "2026-11-24T09:01:00Z"}, "instances": [],
  "events": [{"at": "2026-11-24T09:00:00.1Z", "until": "", "times": 1, "kind": "deployment.state", "text": "deployment 7 of web@v3 was asked for by root (uid 0)"},
             {"at": "2026-11-24T09:00:02.5Z", "until": "2026-11-24T09:00:09.5Z", "times": 3, "kind": "instance.exit", "text": "web/web.1@v3 exited with 1, after 20ms"}],
  "lines_of": "web@v3", "last_lines": ["boom\u001b[2J"], "next": ["berth logs web@v3   # all that it printed"]})json";

TEST(StoryText, IsOneScreenInTheOrderOfTime) {
  EXPECT_EQ(told(kFailed), R"json(web@v3 failed: not ready within 3s: web/web.1: readiness probe: 503 from /healthz (4m ago)
web runs v2 (healthy, active for 1h).
Note: n.
What happened on 2026-11-24, UTC
  09:00:00  deployment 7 of web@v3 was asked for by root (uid 0)
  09:00:02  web/web.1@v3 exited with 1, after 20ms (3 times until 09:00:09)
Last lines of web@v3
  | boom\x1b[2J
What to do next
  berth logs web@v3   # all that it printed
)json");
}

TEST(StoryText, HasWhatWasPrintedAmongWhatHappened) {
  const std::string story = R"json({"app": "web", "active": "v2", "about": "deployment", "why": "web@v3 failed", "deployment": null, "instances": [], "jobs": [], "notes": [],
  "events": [{"at": "2026-11-24T09:00:00.1Z", "until": "", "times": 1, "kind": "deployment.state", "text": "starting"},
             {"at": "2026-11-24T09:00:02.500Z", "until": "2026-11-24T09:00:09.5Z", "times": 3, "kind": "instance.exit", "text": "web/web.1@v3 exited with 1"},
             {"at": "2026-11-24T09:00:10Z", "until": "", "times": 1, "kind": "deployment.state", "text": "failed"}],
  "lines_of": "web@v3", "last_lines": ["begins", "no database\u001b[2J", "no database"],
  "lines": [{"at": "2026-11-24T09:00:00.000001Z", "text": "begins"}, {"at": "2026-11-24T09:00:02.400000Z", "text": "no database\u001b[2J"}, {"at": "2026-11-24T09:00:02.500000Z", "text": "no database"}], "next": []})json";
  EXPECT_EQ(told(story), R"json(web@v3 failed
web runs v2.
What happened on 2026-11-24, UTC; | is what web@v3 printed last
  09:00:00  | begins
  09:00:00  starting
  09:00:02  | no database\x1b[2J
  09:00:02  web/web.1@v3 exited with 1 (3 times until 09:00:09)
  09:00:02  | no database
  09:00:10  failed
)json");
}

TEST(StoryText, HasNoMoreLinesAmongWhatHappenedThanFitAScreen) {
  std::string lines, plain;
  for (int i = 0; i < 20; ++i) {
    lines += fmt::format(R"({}{{"at": "2026-11-24T09:00:{:02}Z", "text": "line {}."}})", i == 0 ? "" : ",", i, i);
    plain += fmt::format(R"({}"line {}.")", i == 0 ? "" : ",", i);
  }
  const std::string story = R"({"app": "web", "about": "instances", "why": "w", "events": [{"at": "2026-11-24T09:00:05Z", "text": "e", "kind": "k", "times": 1, "until": ""}], "lines_of": "web", "last_lines": [)" + plain + R"(], "lines": [)" + lines + "]}";
  const std::string text = told(story);
  EXPECT_THAT(text, AllOf(HasSubstr("| line 19."), HasSubstr("| line 14."), Not(HasSubstr("| line 13.")), Not(HasSubstr("Last lines of"))));
  EXPECT_LT(text.find("e\n"), text.find("line 14."));
  std::string unknown = story;
  for (std::size_t at = 0; (at = unknown.find("\"at\": \"2026-11-24T09:00:19Z\"")) != std::string::npos;) unknown.replace(at, 28, "\"at\": \"\"");
  EXPECT_THAT(told(unknown), AllOf(HasSubstr("Last lines of web\n"), HasSubstr("  | line 19.\n"))) << "of an older berthd";
}

TEST(StoryText, OfAFailureThatIsOverFirstSaysHowThingsAreNow) {
  std::string story = kFailed;
  story.replace(story.find("\"over\": false"), 13, "\"over\": true");
  EXPECT_THAT(told(story), testing::StartsWith("web runs v2 (healthy, active for 1h).\nIts last failure, which is over: web@v3 failed: not ready within 3s"));
}

TEST(StoryText, OfAnAppThatIsStoppedSaysSoAndWhoDidIt) {
  const std::string stopped = R"json({"app": "web", "active": "v2", "health": "stopped", "stopped": "stopped (by root (uid 0) since 2026-11-24T09:00:00Z: a new disk)", "about": "nothing", "why": ""})json";
  EXPECT_THAT(told(stopped), AllOf(testing::StartsWith("web is stopped (by root (uid 0) since 2026-11-24T09:00:00Z: a new disk); v2 is its active release: 'berth start web' starts it.\n"),
                                   HasSubstr("Nothing is wrong with web")));
  EXPECT_THAT(told(R"json({"app": "web", "active": "v2", "stopped": "drained (by root (uid 0))", "about": "deployment", "why": "web@v3 failed"})json"),
              testing::StartsWith("web@v3 failed\nThis node is drained (by root (uid 0)), and web does not run; v2 is its active release: 'berth node resume' starts it.\n"));
}

TEST(StoryText, OfANodeElsewhereAdvisesWhatIsForThatNode) {
  StatusView view{.now = {}, .colour = false, .width = 0};
  view.node = "edge-1";
  const auto story = json::parse(R"json({"app": "web", "active": "v2", "about": "deployment", "why": "web@v3 failed", "lines_of": "web@v3", "last_lines": ["'berth status'"],
    "next": ["berth logs web@v3   # all that it printed", "publish a better release; v3 is rejected here until 'berth deploy web@v3 --force'"]})json").value();
  EXPECT_THAT(story_text(story, view), AllOf(HasSubstr("\n  berth logs web@v3 --node edge-1   # all that it printed\n"), HasSubstr("until 'berth deploy web@v3 --force --node edge-1'\n"),
                                             HasSubstr("  | 'berth status'\n")));
}

TEST(StoryText, OfAJobSaysWhoServesAllTheSame) {
  const std::string story = R"json({"app": "web", "active": "v2", "about": "job", "why": "web/report exited with 3 (run 2 of the job)", "deployment": null, "instances": [],
    "jobs": [{"process": "report", "result": "exited with 3", "ended_at": "2026-11-24T09:03:00Z"}],
    "events": [{"at": "2026-11-24T09:02:59Z", "until": "", "times": 1, "kind": "job.started", "text": "job web/report.2@v2 began, by root (uid 0)"}],
    "lines_of": "web/report@v2", "last_lines": ["no rows"], "next": ["berth run-job web/report   # once what it needs is there"]})json";
  EXPECT_EQ(told(story), R"(web/report exited with 3 (run 2 of the job) (2m ago)
web runs v2 all the same.
What happened on 2026-11-24, UTC
  09:02:59  job web/report.2@v2 began, by root (uid 0)
Last lines of web/report@v2
  | no rows
What to do next
  berth run-job web/report   # once what it needs is there
)");
}

TEST(StoryText, OfSomethingElseNamesAJobThatFailedToo) {
  EXPECT_THAT(told(R"({"app": "web", "active": "v2", "about": "deployment", "why": "web@v3 failed", "deployment": {"app": "web", "release": "v3"},
                       "jobs": [{"process": "report", "result": "exited with 3"}]})"),
              HasSubstr("\nThe job web/report failed, too: exited with 3\n"));
}

TEST(StoryText, OfNothingWrongSaysSo) {
  EXPECT_EQ(told(R"json({"app": "web", "active": "v2", "about": "nothing", "why": "", "deployment": null, "instances": [], "events": [], "last_lines": [], "next": []})json"),
            "Nothing is wrong with web: no deployment of it failed here, none of its instances is in trouble, and no job failed.\n");
}

TEST(StoryText, OfInstancesTellsTheDeploymentThatFailedBeforeToo) {
  const std::string both = told(R"json({"app": "web", "active": "v2", "about": "instances", "why": "web/web.1 ends again and again: oom (9 restarts)",
      "deployment": {"app": "web", "release": "v3", "state": "reverted"}, "instances": [{"instance": "web/web.1", "not_ready": "x"}], "events": [], "last_lines": [], "next": []})json");
  EXPECT_THAT(both, AllOf(HasSubstr("ends again and again: oom"), HasSubstr("Before that, web@v3 reverted: berth history web"), Not(HasSubstr("ago)"))));
}

TEST(StoryText, OfADeploymentTellsWhatIsNotWellNow) {
  const std::string both = told(R"json({"app": "web", "active": "v2", "about": "deployment", "why": "web@v3 failed", "deployment": {"ended_at": ""},
      "instances": [{"instance": "web/web.1", "not_ready": "connection refused"}], "events": [], "last_lines": [], "next": []})json");
  EXPECT_THAT(both, HasSubstr("Now web/web.1 of v2 is not well: connection refused"));
  EXPECT_THAT(told(R"json({"app": "web", "active": "v2", "about": "deployment", "why": "web@v3 failed", "instances": [{"instance": "web/web.1", "not_ready": "", "last_exit": {"reason": "oom"}}]})json"),
              HasSubstr("Now web/web.1 of v2 is not well: it was started again: oom"));
}

TEST(StoryText, LeavesOutTheMiddleOfALongOne) {
  std::string events;
  for (int i = 0; i < 40; ++i)
    events += fmt::format(R"json({}{{"at": "2026-11-24T09:00:{:02}Z", "until": "", "times": 1, "kind": "x", "text": "event {}."}})json", i == 0 ? "" : ",", i, i);
  const std::string screen = told(R"json({"app": "web", "about": "instances", "why": "w", "events": [)json" + events + "]}");
  EXPECT_THAT(screen, AllOf(HasSubstr("event 3."), Not(HasSubstr("event 4.")), HasSubstr("… 28 more"), Not(HasSubstr("event 31.")), HasSubstr("event 32."), HasSubstr("event 39.")));
}

TEST(StoryText, FitsATerminal) { EXPECT_THAT(told(kFailed, 40), HasSubstr("  09:00:00  deployment 7 of web@v3 was …\n")); }

}  // namespace
}  // namespace berth::cli
