#include "cli/deployment.h"

#include <fmt/core.h>
#include <gmock/gmock.h>

#include "cli/api_client.h"
#include "cli/status_text.h"
#include "core/json/json.h"
#include "core/logs/record_time.h"

namespace berth::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

const WallTime kNow = std::chrono::time_point_cast<WallTime::duration>(*logs::parse_rfc3339("2026-11-24T09:00:00Z"));

Deployment deployment(const char* json) {
  return read_deployment(json::parse(json).value());
}

TEST(DeploymentText, ShowsBytesAsABarAndInstancesAndTheBakesRest) {
  auto d = deployment(R"({"id": 7, "app": "web", "release": "v2", "state": "fetching", "exit": -1, "progress": {"bytes_done": 2000, "bytes_total": 4000}})");
  EXPECT_EQ(live_text(d, kNow, 60), "web@v2 fetching [############............] 2.0 kB of 4.0 kB");
  TransferRate rate;
  const TransferRate::Clock::time_point begin{std::chrono::seconds(1000)};
  for (int i = 0; i <= 4; ++i) rate.saw(static_cast<std::uint64_t>(i) * 500, begin + i * std::chrono::seconds(10));
  EXPECT_EQ(live_text(d, kNow, 70, rate), "web@v2 fetching [########........] 2.0 kB of 4.0 kB, 50 B/s, 40s left");
  EXPECT_EQ(live_text(d, kNow, 40, rate), "web@v2 fetching 2.0 kB of 4.0 kB, 50 B/s, 40s left") << "of a narrow terminal the bar goes first";
  d = deployment(R"({"app": "web", "release": "v2", "state": "starting", "exit": -1, "progress": {"instances_ready": 1, "instances_wanted": 2}})");
  EXPECT_EQ(live_text(d, kNow, 80), "web@v2 starting, 1 of 2 instances ready …");
  d = deployment(R"({"app": "web", "release": "v2", "state": "baking", "exit": -1, "bake_until": "2026-11-24T09:00:22.5Z"})");
  EXPECT_EQ(live_text(d, kNow, 80), "web@v2 baking, 23s left …");
  d = deployment(R"({"app": "web", "release": "v2", "state": "canary", "exit": -1, "bake_until": "2026-11-24T09:00:22.5Z",
      "progress": {"instances_ready": 1, "instances_wanted": 1}})");
  EXPECT_EQ(live_text(d, kNow, 80), "web@v2 canary, 23s left, 1 of 1 instances ready …");
  d = deployment(R"({"app": "web", "release": "v2", "state": "switching", "exit": -1, "progress": {"instances_ready": 3, "instances_wanted": 4}})");
  EXPECT_EQ(live_text(d, kNow, 80), "web@v2 switching, 3 of 4 instances ready …");
}

TEST(DeploymentText, OfAStepHasNoCountThatIsOfAnotherMoment) {
  const auto d = deployment(R"({"app": "web", "release": "v2", "state": "baking", "exit": -1, "progress": {"instances_ready": 2, "instances_wanted": 3}})");
  EXPECT_EQ(step_text(d, {.state = "switching", .at = "2026-11-24T09:00:00Z"}), "web@v2: switching");
}

TEST(DeploymentText, OfAFailureTellsWhyTheLastLinesAndTheWayOut) {
  const auto d = deployment(R"({"id": 7, "app": "web", "release": "v3", "state": "failed", "from": "v2", "exit": 1,
      "reason": "web.1 exited with 1", "last_lines": ["boom\u001b[2J"]})");
  const std::string text = result_text(d, false);
  EXPECT_THAT(text, HasSubstr("web@v3 failed: web.1 exited with 1\n"));
  EXPECT_THAT(text, HasSubstr("  | boom\\x1b[2J\n"));
  EXPECT_THAT(text, HasSubstr("web still runs v2."));
  EXPECT_THAT(text, HasSubstr("berth logs web"));
  EXPECT_EQ(exit_of(d), Exit::failed);
}

TEST(DeploymentText, OfANodeElsewhereAdvisesWhatIsForThatNode) {
  const auto d = deployment(R"({"id": 7, "app": "web", "release": "v3", "state": "failed", "from": "v2", "exit": 1, "last_lines": ["see: berth status"]})");
  EXPECT_THAT(result_text(d, false, "edge-1"), AllOf(HasSubstr("  | see: berth status\n"), HasSubstr("See: berth logs web@v3 --node edge-1; berth history web --node edge-1.")));
}

TEST(DeploymentText, OfARevertTellsWhatRunsNowAndHowToForce) {
  const auto d = deployment(R"({"app": "web", "release": "v3", "state": "reverted", "from": "v2", "exit": 5, "rejected": true, "reason": "not ready"})");
  EXPECT_THAT(result_text(d, false), HasSubstr("web runs v2 again."));
  EXPECT_THAT(result_text(d, false), HasSubstr("--force"));
  const auto first = deployment(R"({"app": "web", "release": "v1", "state": "failed", "from": "", "exit": 1})");
  EXPECT_THAT(result_text(first, false), HasSubstr("web has no active release."));
}

TEST(DeploymentText, OfSuccessIsALine) {
  const auto d = deployment(
      R"({"app": "web", "release": "v2", "state": "active", "exit": 0, "created_at": "2026-11-24T08:59:00Z", "ended_at": "2026-11-24T08:59:33.2Z"})");
  EXPECT_EQ(result_text(d, false), "web@v2 is active (took 33.2s).\n");
}

TEST(DeploymentText, TellsOfHooksAndWhatThereIsToKnow) {
  const auto d = deployment(R"({"app": "web", "release": "v2", "state": "starting", "exit": -1, "notes": ["data were copied"], "hooks": [
      {"hook": "pre-start", "release": "v2", "began_at": "2026-11-24T09:00:00Z", "ended_at": "2026-11-24T09:00:01.500Z", "result": "ok", "attempts": 1},
      {"hook": "pre-stop", "release": "v1", "began_at": "2026-11-24T09:00:00Z", "ended_at": "2026-11-24T09:00:01Z", "result": "exited with 1", "attempts": 1},
      {"hook": "ready-to-switch", "release": "v2", "began_at": "2026-11-24T09:00:02Z", "ended_at": "2026-11-24T09:00:02Z", "result": "postponed", "attempts": 3}]})");
  EXPECT_EQ(hooks_text(d), "hooks: pre-start 1.5s, pre-stop of v1 exited with 1, ready-to-switch (3 times) postponed");
  EXPECT_THAT(live_text(d, kNow, 80), HasSubstr("starting, postponed by its ready-to-switch hook"));
  const auto running =
      deployment(R"({"app": "web", "release": "v2", "state": "preparing", "exit": -1, "hooks": [{"hook": "pre-start", "release": "v2", "ended_at": ""}]})");
  EXPECT_THAT(live_text(running, kNow, 80), HasSubstr("preparing, in its pre-start hook"));
  const auto active = deployment(R"({"app": "web", "release": "v2", "state": "active", "exit": 0, "notes": ["data were copied"]})");
  EXPECT_THAT(result_text(active, false), HasSubstr("Note: data were copied.\n"));
  EXPECT_EQ(hooks_text(active), "");
}

TEST(DeploymentText, NamesTheReleaseOnceSaysThatItIsRejectedAndShowsItsLines) {
  const auto failed = deployment(R"({"app": "web", "release": "v2", "state": "failed", "exit": 1, "from": "v1", "rejected": true,
      "reason": "web@v2: web/production@v2: not ready within 1m: web/web.1", "last_lines": ["x"]})");
  const std::string text = result_text(failed, false);
  EXPECT_THAT(text, HasSubstr("web@v2 failed: not ready within 1m: web/web.1\n"));
  EXPECT_THAT(text, HasSubstr("web@v2 is rejected here until it is deployed with --force."));
  EXPECT_THAT(text, AllOf(HasSubstr("Last lines of web@v2:\n  | x\n"), HasSubstr("See: berth logs web@v2; berth history web.")));
  const auto first = deployment(R"({"app": "web", "release": "v2", "state": "failed", "exit": 1, "reason": "the network", "last_lines": ["x"]})");
  EXPECT_THAT(result_text(first, false), AllOf(HasSubstr("Last lines of web@v2:"), Not(HasSubstr("rejected"))));
}

TEST(DeploymentText, OfAnAppThatWasStoppedDoesNotSayThatItRuns) {
  const auto failed = deployment(R"({"app": "web", "release": "v2", "state": "failed", "exit": 1, "from": "v1", "stopped": true, "reason": "the network"})");
  EXPECT_THAT(result_text(failed, false), AllOf(HasSubstr("web is stopped, as before."), Not(HasSubstr("still runs"))));
}

TEST(DeploymentText, OfARevertSaysThatTheReleaseIsRejectedWhereItIs) {
  const auto cut_off = deployment(R"({"app": "web", "release": "v2", "state": "reverted", "exit": 5, "from": "v1", "reason": "berthd ended while it replaced instances"})");
  EXPECT_THAT(result_text(cut_off, false), AllOf(HasSubstr("web runs v1 again."), Not(HasSubstr("rejected"))));
  const auto bad = deployment(R"({"app": "web", "release": "v2", "state": "reverted", "exit": 5, "from": "v1", "rejected": true, "reason": "it died"})");
  EXPECT_THAT(result_text(bad, false), HasSubstr("web@v2 is rejected here until it is deployed with --force."));
}

TEST(DeploymentText, OfHistoryTellsHowLongEachStepTook) {
  const auto d = deployment(R"({"state": "active", "exit": 0, "ended_at": "2026-11-24T09:00:33Z", "steps": [{"state": "queued", "at": "2026-11-24T09:00:00Z"},
      {"state": "fetching", "at": "2026-11-24T09:00:00.040Z"}, {"state": "baking", "at": "2026-11-24T09:00:03Z"}, {"state": "active", "at": "2026-11-24T09:00:33Z"}]})");
  EXPECT_EQ(steps_text(d), "queued 40ms → fetching 2.9s → baking 30.0s → active");
}

TEST(DeploymentText, ReadsWhatADaemonOfAnotherVersionSays) {
  const auto d = deployment(R"({"id": "seven", "steps": 3, "progress": null, "new": [1]})");
  EXPECT_EQ(d.id, 0);
  EXPECT_TRUE(d.steps.empty());
  EXPECT_FALSE(d.ended());
}

TEST(ProblemError, TakesCodeAndDetail_AndTheExitWhereTheyDiffer) {
  EXPECT_EQ(problem_error(404, R"({"code": "not_found", "exit": 3, "detail": "web v9: none"})").code, Errc::not_found);
  EXPECT_EQ(problem_error(404, R"({"code": "not_found", "exit": 3, "detail": "web v9: none"})").message, "web v9: none");
  EXPECT_EQ(problem_error(409, R"({"code": "not_a_code", "exit": 8})").code, Errc::conflict);
  EXPECT_EQ(exit_code(problem_error(400, R"({"code": "io", "exit": 4})").code), Exit::trust);
  EXPECT_EQ(problem_error(502, "<html>").code, Errc::protocol);
}

const char* kStatus = R"({"node": "edge-1", "environment": "production", "version": "0.1.0", "since": "2026-11-21T09:00:00Z", "ready": true,
  "repository": {"url": "https://r.example", "last_success": "2026-11-24T08:57:00Z", "last_error": "", "roles": [
     {"role": "timestamp", "version": 4, "expires": "2026-11-24T08:00:00Z"}, {"role": "root", "version": 1, "expires": "2027-11-24T08:00:00Z"}]},
  "disk": {"free_bytes": 1000, "reserve_bytes": 2000, "logs": {"free_bytes": 1999, "reserve_bytes": 2000}}, "limits_enforced": false,
  "apps": [
   {"app": "api", "active": "v2", "health": "healthy", "since": "2026-11-24T08:57:00Z", "processes": [{"process": "web", "wanted": 2, "ready": 2, "public_port": 8080}], "instances": []},
   {"app": "zoo", "active": "v9", "health": "down", "problem": "no instance is ready", "since": "2026-11-24T08:59:00Z",
    "processes": [{"process": "web", "wanted": 1, "ready": 0}],
    "rejected": [{"release": "v10", "reason": "never ready", "at": "2026-11-24T08:00:00Z"}],
    "instances": [{"instance": "zoo/web.1", "release": "v9", "phase": "running", "pid": 42, "ready": false, "not_ready": "503 from /healthz", "restarts": 3,
                   "started_at": "2026-11-24T08:59:30Z", "crash_loop": true, "unenforced_limits": ["MemoryMax", "TasksMax"], "last_exit": {"reason": "exited with 1", "at": "2026-11-24T08:59:30Z"}}]}]})";

TEST(StatusText, PutsWhatIsWrongFirst) {
  const auto status = json::parse(kStatus).value();
  const std::string apps = apps_text(status, {.now = kNow});
  EXPECT_LT(apps.find("zoo"), apps.find("api"));
  EXPECT_THAT(apps, HasSubstr("no instance is ready; zoo/web.1 keeps ending early (exited with 1): crash looping"));
  EXPECT_THAT(apps, HasSubstr("3m"));
  EXPECT_THAT(apps, HasSubstr("8080"));
}

TEST(StatusText, TellsWhoIsNotReadyAndWhatWasScaled) {
  const auto status = json::parse(R"({"apps": [{"app": "web", "active": "v1", "health": "down",
      "processes": [{"process": "job", "wanted": 0, "by_spec": 2, "ready": 0},
      {"process": "web", "wanted": 1, "by_spec": 1, "ready": 0}],
      "instances": [{"instance": "web/web.1", "release": "v1", "phase": "running", "ready": false, "not_ready": "503 from /healthz"}]}]})").value();
  EXPECT_THAT(apps_text(status, {.now = kNow}), HasSubstr("web/web.1: 503 from /healthz; web/job is scaled to 0 (its release says 2)"));
}

TEST(StatusText, TellsWhoStoppedWhatOnItsOwn) {
  const auto stopped = [](const char* instance, const char* release, const char* by, const char* why) {
    return fmt::format(R"({{"instance": "web/{0}", "process": "{1}", "release": "{2}", "phase": "ended", "ready": false, "not_ready": "it was stopped by hand",
                            "stopped": true, "stopped_by": "{3}", "stopped_at": "2026-11-24T08:58:00Z", "stopped_why": "{4}"}})",
                       instance, std::string(instance).substr(0, std::string(instance).find('.')), release, by, why);
  };
  const auto text = [](const std::string& instances) {
    return apps_text(json::parse(R"({"apps": [{"app": "web", "active": "v2", "health": "degraded", "processes": [{"process": "web", "wanted": 2, "ready": 1}, {"process": "worker", "wanted": 3, "ready": 0}],
      "instances": [)" + instances + "]}]}").value(), {.now = kNow});
  };
  EXPECT_THAT(text(stopped("web.2", "v2", "root (uid 0)", "noisy")), HasSubstr("  web/web.2 stopped by root (uid 0) 2m ago: noisy\n"));
  EXPECT_THAT(text(stopped("web.1", "v2", "root (uid 0)", "") + "," + stopped("web.2", "v2", "root (uid 0)", "")), HasSubstr("  web/web stopped by root (uid 0) 2m ago\n"));
  EXPECT_THAT(text(stopped("worker.1", "v2", "a", "") + "," + stopped("worker.3", "v2", "a", "") + "," + stopped("worker.2", "v2", "b", "")),
              HasSubstr("  2 instances of web/worker stopped by a 2m ago; web/worker.2 stopped by b 2m ago\n"));
  EXPECT_THAT(text(stopped("web.1", "v2", "", "")), HasSubstr("  web/web.1 stopped by hand 2m ago\n")) << "by a berthd that did not write it down";
  EXPECT_THAT(text(stopped("web.1", "v1", "a", "")), Not(HasSubstr("stopped by")));
}

std::string note_in(const char* app) {
  json::array apps;
  apps.push_back(json::parse(app).value());
  const json::object status{{"apps", std::move(apps)}};
  return apps_text(status, {.now = kNow});
}

TEST(StatusText, TellsOfRestartsWhileTheyAreNews) {
  EXPECT_THAT(note_in(R"({"app": "shop", "active": "v2", "health": "healthy", "instances": [
      {"instance": "shop/web.1", "release": "v2", "ready": true, "restarts": 8, "last_exit": {"reason": "exited with 3", "at": "2026-11-24T08:59:48Z"}},
      {"instance": "shop/web.2", "release": "v2", "ready": true, "restarts": 4, "last_exit": {"reason": "exited with 4", "at": "2026-11-24T08:49:59Z"}},
      {"instance": "shop/web.3", "release": "v2", "ready": true, "restarts": 0, "last_exit": null}]})"),
              AllOf(HasSubstr("shop/web.1 restarted 8 times, last 12s ago: exited with 3"), Not(HasSubstr("exited with 4"))));
  EXPECT_THAT(note_in(R"({"app": "shop", "active": "v2", "health": "healthy", "instances": [
      {"instance": "shop/web.1", "release": "v2", "restarts": 1, "last_exit": {"reason": "exited with 3", "at": "2026-11-24T08:58:00Z"}},
      {"instance": "shop/web.2", "release": "v2", "restarts": 2, "last_exit": {"reason": "killed", "at": "2026-11-24T08:59:00.5Z"}}]})"),
              HasSubstr("restarted 3 times, last 59s ago: shop/web.2 killed"));
  EXPECT_THAT(note_in(R"({"app": "shop", "active": "v2", "instances": [{"instance": "shop/web.1", "restarts": 9, "crash_loop": true,
      "last_exit": {"reason": "exited with 3", "at": "2026-11-24T08:59:48Z"}}]})"),
              AllOf(HasSubstr("crash looping"), Not(HasSubstr("restarted")))) << "once is enough";
}

TEST(StatusText, TellsHowTheLastDeploymentEndedWhileThatIsNews) {
  const auto app = [](const char* state, int exit, const char* ended, const char* more = "") {
    return fmt::format(R"({{"app": "shop", "active": "v4", "health": "healthy", "last_deployment": {{"id": 9, "app": "shop", "release": "v5", "state": "{}", "exit": {},
      "reason": "shop@v5: never ready", "ended_at": "{}"}}{}}})", state, exit, ended, more);
  };
  EXPECT_THAT(note_in(app("reverted", 5, "2026-11-24T08:55:00Z").c_str()), HasSubstr("last deployment v5 reverted 5m ago: never ready"));
  EXPECT_THAT(note_in(app("failed", 1, "2026-11-24T08:00:01Z").c_str()), HasSubstr("last deployment v5 failed 59m ago: never ready"));
  EXPECT_THAT(note_in(app("failed", 1, "2026-11-24T07:59:59Z").c_str()), Not(HasSubstr("last deployment"))) << "an hour is over";
  EXPECT_THAT(note_in(app("active", 0, "2026-11-24T08:55:00Z").c_str()), Not(HasSubstr("last deployment")));
  EXPECT_THAT(note_in(app("superseded", 8, "2026-11-24T08:55:00Z").c_str()), Not(HasSubstr("last deployment"))) << "what took its place tells more";
  EXPECT_THAT(note_in(app("failed", 1, "2026-11-24T08:55:00Z", R"(, "deployment": {"id": 10, "app": "shop", "release": "v6", "state": "fetching", "exit": -1})").c_str()),
              AllOf(HasSubstr("deployment 10: shop@v6 fetching"), Not(HasSubstr("last deployment"))));
}

TEST(DeploymentText, OfWhatNeverRanDoesNotLeadToItsLogs) {
  const auto unknown = deployment(R"({"id": 7, "app": "nosuch", "release": "v1", "state": "failed", "exit": 3, "reason": "nosuch@v1: there is no such release",
      "steps": [{"state": "queued", "at": ""}, {"state": "fetching", "at": ""}, {"state": "failed", "at": ""}]})");
  EXPECT_THAT(result_text(unknown, false), AllOf(HasSubstr("See: berth apps"), Not(HasSubstr("berth logs"))));
  const auto older = deployment(R"({"id": 7, "app": "web", "release": "v9", "from": "v1", "state": "failed", "exit": 3,
      "steps": [{"state": "queued", "at": ""}, {"state": "fetching", "at": ""}, {"state": "failed", "at": ""}]})");
  EXPECT_THAT(result_text(older, false), AllOf(HasSubstr("web still runs v1. See: berth releases web"), Not(HasSubstr("berth logs"))));
  const auto ran = deployment(R"({"id": 7, "app": "web", "release": "v9", "from": "v1", "state": "failed", "exit": 1, "last_lines": ["no database"]})");
  EXPECT_THAT(result_text(ran, false), HasSubstr("berth logs web@v9"));
}

TEST(DeploymentText, OfWhatIsNotThereLeadsToOneListAlone) {
  const auto unknown = deployment(R"({"id": 7, "app": "web", "release": "v9", "state": "failed", "exit": 3, "reason": "no such release in the repository at file:///r; the newest there: v8; 'berth releases web' lists what there is"})");
  EXPECT_THAT(result_text(unknown, false), AllOf(HasSubstr("'berth releases web' lists what there is"), HasSubstr("web has no active release."), Not(HasSubstr("See:"))));
}

TEST(StatusText, OfTheNodeTellsWhatKeepsReleasesAway) {
  const std::string node = node_text(json::parse(kStatus).value(), {.now = kNow});
  EXPECT_THAT(node, HasSubstr("edge-1 (production), berthd 0.1.0 since 3d"));
  EXPECT_THAT(node, HasSubstr("timestamp metadata expired 1h ago"));
  EXPECT_THAT(node, Not(HasSubstr("root metadata")));
  EXPECT_THAT(node, HasSubstr("less than the reserve"));
  EXPECT_THAT(node, HasSubstr("disk of the logs: 2.0 kB free"));
  EXPECT_THAT(node, HasSubstr("not enforced"));
}

TEST(StatusText, OfASinkThatRefusedEntriesTellsWhyAlsoOnceItTakesThemAgain) {
  const auto node = [](const std::string& sink) {
    return node_text(json::parse(R"({"node": "edge-1", "environment": "production", "version": "0.1.0", "ready": true, "limits_enforced": true, "sinks": [)" + sink + "]}", {}, true).value(), {.now = kNow});
  };
  const std::string kept = R"({"sink": "loki", "kind": "loki", "failing_since": "", "last_error": "", "refused": 23, "refused_at": "2026-11-24T08:55:00Z", "refused_why": "400: too old"})";
  EXPECT_THAT(node(kept), HasSubstr("log sink loki has refused 23 entries, the last time 5m ago: 400: too old\n"));
  EXPECT_THAT(node(R"({"sink": "loki", "kind": "loki", "failing_since": "", "last_error": "too old", "refused": 1})"), HasSubstr("log sink loki has refused 1 entry: too old\n")) << "an older berthd";
}

TEST(StatusText, OfWebhooksTellsWhatIsWrongAlone) {
  const auto node = [](const std::string& webhooks) {
    return node_text(json::parse(R"({"node": "edge-1", "environment": "production", "version": "0.1.0", "ready": true, "limits_enforced": true, "webhooks": [)" + webhooks + "]}", {}, true).value(), {.now = kNow});
  };
  const std::string well = R"({"webhook": "chat", "state": "up to date", "lag_seconds": 0, "failing_since": "", "last_error": "", "dropped": 0})";
  const std::string away = R"({"webhook": "incidents", "state": "failing", "lag_seconds": 120.5, "failing_since": "2026-11-24T08:55:00Z", "last_error": "https://h: timeout", "dropped": 2})";
  const std::string refuses = R"({"webhook": "team", "state": "up to date", "lag_seconds": 0, "failing_since": "", "last_error": "", "dropped": 3, "dropped_at": "2026-11-24T08:55:00Z", "dropped_why": "https://t: it answers 410 Gone"})";
  EXPECT_EQ(node(well), node(""));
  EXPECT_THAT(node(well + "," + away + "," + refuses),
              AllOf(HasSubstr("webhook incidents takes nothing for 5m, 2m behind: https://h: timeout\n"), HasSubstr("webhook incidents will never get 2 events\n"),
                    HasSubstr("webhook team will never get 3 events, the last one 5m ago: https://t: it answers 410 Gone\n"), Not(HasSubstr("chat"))));
}

TEST(DeploymentText, OfANodeElsewhereAllAdviceIsForIt) {
  const auto d = deployment(R"({"id": 7, "app": "web", "release": "1", "from": "v1", "state": "failed", "exit": 3, "reason": "no such release (did you mean web@v1?); 'berth releases web' lists what there is"})");
  EXPECT_THAT(result_text(d, false, "edge-1"), AllOf(HasSubstr("'berth releases web --node edge-1' lists what there is"), Not(HasSubstr("See:"))));
}

constexpr const char* kFollowing = R"({"node": "edge-1", "environment": "production", "version": "0.1.0", "ready": true, "limits_enforced": true,
  "follows": [{"app": "api", "channel": "stable", "wanted": "", "failing_since": "2026-11-24T08:59:00Z", "last_error": "connection refused"},
              {"app": "web", "channel": "stable"}],
  "apps": [
   {"app": "calm", "active": "v3", "health": "healthy", "follow": {"channel": "stable", "wanted": "v3", "last_success": "2026-11-24T08:59:48Z", "note": "x"}},
   {"app": "web", "active": "v2", "health": "healthy", "follow": {"channel": "stable", "wanted": "v3", "note": "it is held by hand"}},
   {"app": "zoo", "active": "v2", "health": "healthy", "follow": {"channel": "", "wanted": "v2", "failing_since": "2026-11-24T08:55:00Z", "last_error": "timeout"}}]})";

TEST(StatusText, ShowsWhatIsWantedWhereItIsNotActive) {
  const auto status = json::parse(kFollowing).value();
  const std::string node = node_text(status, {.now = kNow}), apps = apps_text(status, {.now = kNow});
  EXPECT_THAT(node, HasSubstr("api, not on this node yet, follows stable; cannot be asked for 1m: connection refused"));
  EXPECT_THAT(node, Not(HasSubstr("web")));
  EXPECT_THAT(apps, HasSubstr("follows stable, which wants v3: it is held by hand"));
  EXPECT_THAT(apps, HasSubstr("follows one release at v2; cannot be asked for 5m: timeout"));
  EXPECT_THAT(apps, Not(HasSubstr("follows stable at"))) << "what is as it should be needs no note";
  EXPECT_THAT(app_text(status.at("apps").at(0), {.now = kNow}), HasSubstr("follows stable at v3; asked 12s ago"));
  EXPECT_THAT(app_text(status.at("apps").at(1), {.now = kNow}), HasSubstr("which wants v3: it is held"));
}

TEST(StatusText, TellsOfNoDeploymentThatIsOverWhereItFollows) {
  const char* app = R"({{"app": "web", "active": "v6", "health": "healthy", "deployment": {}, "follow": {{"channel": "stable", "wanted": "v1", "note": "deployment 31 of v6 {}"}}}})";
  const auto shown = [&](const char* deployment, const char* note) { return app_text(json::parse(fmt::format(fmt::runtime(app), deployment, note)).value(), {.now = kNow}); };
  EXPECT_THAT(shown("null", "is baking"), AllOf(HasSubstr("which wants v1"), Not(HasSubstr("31")))) << "it was so at the last poll";
  EXPECT_THAT(shown(R"({"id": 31, "app": "web", "release": "v6", "state": "baking"})", "is baking"), HasSubstr("which wants v1: deployment 31 of v6 is baking"));
  EXPECT_THAT(shown("null", "was cancelled: 'berth deploy web@v1' tries it again"), HasSubstr("deployment 31 of v6 was cancelled"));
}

TEST(StatusText, ShowsJobsWithTheirLastRun) {
  const auto status = json::parse(R"({"apps": [{"app": "web", "active": "v2", "health": "healthy", "jobs": [
      {"process": "clean", "run": 0, "runs": "by hand", "state": "never"},
      {"process": "load", "run": 2, "runs": "at deployments", "state": "running", "release": "v2", "attempts": 1, "began_at": "2026-11-24T08:59:48Z"},
      {"process": "report", "run": 3, "runs": "by hand", "state": "failed", "release": "v2", "attempts": 4, "result": "exited with 1",
       "began_at": "2026-11-24T08:50:00Z", "ended_at": "2026-11-24T08:55:00Z", "succeeded_at": "2026-11-24T08:00:00Z"}]}]})").value();
  EXPECT_THAT(apps_text(status, {.now = kNow}), HasSubstr("job load runs, for 12s; job report failed 5m ago: exited with 1"));
  const std::string app = app_text(status.at("apps").at(0), {.now = kNow, .width = 200});
  EXPECT_THAT(app, testing::ContainsRegex("web/clean +not run yet +by hand"));
  EXPECT_THAT(app, testing::ContainsRegex("web/load +v2 +running +12s +1 +at deployments"));
  EXPECT_THAT(app, testing::ContainsRegex("web/report +v2 +failed +5m +4 +1h +by hand +exited with 1"));
}

TEST(StatusText, OfAnAppTellsWhyAnInstanceIsNotReady) {
  const auto status = json::parse(kStatus).value();
  const std::string app = app_text(status.at("apps").at(1), {.now = kNow});
  EXPECT_THAT(app, HasSubstr("zoo@v9 since 1m, down, 0/1 instances ready"));
  EXPECT_THAT(app, HasSubstr("rejected: v10"));
  EXPECT_THAT(app, HasSubstr("503 from /healthz; exited with 1 30s ago; MemoryMax, TasksMax not enforced here"));
}

}  // namespace
}  // namespace berth::cli
