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

constexpr const char* kFailed = R"json({"app": "web", "active": "v2", "about": "deployment", "why": "web@v3 failed: not ready within 3s: web/web.1: readiness probe: 503 from /healthz",
  "deployment": {"id": 7, "app": "web", "release": "v3", "state": "failed", "ended_at": "2026-11-24T09:01:00Z"}, "instances": [],
  "events": [{"at": "2026-11-24T09:00:00.1Z", "until": "", "times": 1, "kind": "deployment.state", "text": "deployment 7 of web@v3 was asked for by root (uid 0)"},
             {"at": "2026-11-24T09:00:02.5Z", "until": "2026-11-24T09:00:09.5Z", "times": 3, "kind": "instance.exit", "text": "web/web.1@v3 exited with 1, after 20ms"}],
  "lines_of": "web@v3", "last_lines": ["boom\u001b[2J"], "next": ["berth logs web@v3   # all that it printed"]})json";

TEST(StoryText, IsOneScreenInTheOrderOfTime) {
  EXPECT_EQ(told(kFailed), R"json(web@v3 failed: not ready within 3s: web/web.1: readiness probe: 503 from /healthz (4m ago)
web runs v2.
What happened on 2026-11-24
  09:00:00  deployment 7 of web@v3 was asked for by root (uid 0)
  09:00:02  web/web.1@v3 exited with 1, after 20ms (3 times until 09:00:09)
Last lines of web@v3
  | boom\x1b[2J
What to do next
  berth logs web@v3   # all that it printed
)json");
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
What happened on 2026-11-24
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
