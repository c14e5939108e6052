#include "cli/daemon_verbs_fixture.h"

#include <algorithm>
#include <string>

#include <fmt/core.h>
#include <gmock/gmock.h>

#include "core/json/json.h"

namespace berth::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

TEST_F(DaemonVerbs, ARefusalEndsWithTheProblemsExit) {
  const std::tuple<int, std::string, int> table[] = {{404, "not_found", 3}, {409, "conflict", 8}, {422, "usage", 2}, {403, "permission", 7}, {422, "trust", 4}};
  for (const auto& [status, code, exit] : table) {
    daemon.on("POST /v1/apps/web/deployments", fmt::format(R"({{"code": "{}", "exit": {}, "detail": "web v2: because"}})", code, exit), status);
    const Ran ran = berth({"deploy", "web@v2"});
    EXPECT_EQ(ran.exit, exit);
    EXPECT_EQ(ran.err, "berth: web v2: because\n");
    EXPECT_EQ(ran.out, "");
  }
}

TEST_F(DaemonVerbs, RunWaitsForTheEndOfTheJobAndEndsAsItDid) {
  const auto job = [](const char* state, const char* more = "") { return fmt::format(R"({{"process": "report", "run": 5, "release": "v2", "state": "{}"{}}})", state, more); };
  daemon.on("POST /v1/apps/web/jobs/report/run", job("running"), 202);
  daemon.on("GET /v1/apps/web/jobs/report", {{200, job("running")}, {200, job("ok", R"(, "result": "ok")")}});
  Ran ran = berth({"run-job", "web/report", "--reason", "now"});
  EXPECT_EQ(ran.exit, 0);
  EXPECT_EQ(ran.out, "web/report ended well.\n");
  const auto asked = daemon.asked();
  EXPECT_EQ(json::parse(asked[0].body).value(), json::parse(R"({"reason": "now"})").value());
  EXPECT_EQ(asked[1].query.at("run"), "5");

  daemon.on("GET /v1/apps/web/jobs/report", job("failed", R"(, "result": "exited with 7", "attempts": 3, "last_lines": ["no database"])"));
  ran = berth({"run-job", "web/report"});
  EXPECT_EQ(ran.exit, 1);
  EXPECT_THAT(ran.err, HasSubstr("web/report exited with 7 (tried 3 times)\n  no database"));

  daemon.on("GET /v1/apps/web/jobs/report", job("running"));
  ran = berth({"run-job", "web/report", "--timeout", "10ms"});
  EXPECT_EQ(ran.exit, 9);
  EXPECT_THAT(ran.err, HasSubstr("berth stop web/report ends it"));
  const auto before = daemon.asked().size();
  EXPECT_EQ(berth({"run-job", "web/report", "--no-wait"}).exit, 0);
  EXPECT_EQ(daemon.asked().size(), before + 1);
}

TEST_F(DaemonVerbs, StatusListsAppsWithoutColoursInAPipe) {
  daemon.on("GET /v1/status", R"({"node": "edge-1", "environment": "qa", "version": "0.1.0", "ready": true, "limits_enforced": true, "apps": [
    {"app": "web", "active": "v2", "health": "healthy", "processes": [{"process": "web", "wanted": 2, "ready": 2}]}]})");
  const Ran ran = berth({"status"});
  EXPECT_EQ(ran.exit, 0);
  EXPECT_THAT(ran.out, HasSubstr("edge-1 (qa), berthd 0.1.0"));
  EXPECT_THAT(ran.out, HasSubstr("web  v2       healthy  2/2"));
  EXPECT_THAT(ran.out, Not(HasSubstr("\x1b")));
  EXPECT_EQ(berth({"status", "nope"}).exit, 3);
}

TEST_F(DaemonVerbs, ARestartReturnsWhenWhatItNamesIsReady) {
  const auto app = [](const char* ready, int limit) {
    return fmt::format(R"({{"app": "web", "active": "v2", "ready_timeout_ms": {}, "instances": [
      {{"instance": "web/web.1", "process": "web", "number": 1, "release": "v2", "phase": "running", "ready": {}, "not_ready": "readiness probe: 503"}},
      {{"instance": "web/web.2", "process": "web", "number": 2, "release": "v2", "phase": "ended", "ready": false, "not_ready": "it was stopped by hand"}},
      {{"instance": "web/web.1", "process": "web", "number": 1, "release": "v1", "phase": "running", "ready": false, "not_ready": "old"}}]}})", limit, ready);
  };
  daemon.on("POST /v1/apps/web/restart", "{}");
  daemon.on("GET /v1/apps/web", {{200, app("false", 60'000)}, {200, app("false", 60'000)}, {200, app("true", 60'000)}});
  EXPECT_EQ(berth({"restart", "web"}).exit, 0);
  EXPECT_EQ(std::ranges::count(daemon.asked(), std::string("/v1/apps/web"), &FakeDaemon::Asked::path), 3);
  daemon.on("GET /v1/apps/web", app("false", 300));
  const Ran ran = berth({"restart", "web"});
  EXPECT_EQ(ran.exit, 1);
  EXPECT_THAT(ran.err, HasSubstr("web is restarted, and is not ready within 300ms: web/web.1: readiness probe: 503; see: berth status web"));
  EXPECT_EQ(berth({"restart", "web", "--no-wait"}).exit, 0);
}

TEST_F(DaemonVerbs, VerifyNamesEachPathThatDriftedAndEndsWithFour) {
  daemon.on("POST /v1/verify", R"({"slots": [{"app": "web", "release": "v2", "paths": 9, "bytes": 100, "drifted": 0, "drift": []},
    {"app": "web", "release": "v1", "paths": 9, "bytes": 100, "drifted": 2, "drift": [{"path": "app/run", "what": "has another content"}]}]})");
  const Ran ran = berth({"verify", "web", "--all"});
  EXPECT_EQ(ran.exit, 4);
  EXPECT_EQ(json::parse(daemon.asked().back().body).value(), json::parse(R"({"app": "web", "all": true})").value());
  EXPECT_THAT(ran.out, AllOf(HasSubstr("web@v2: as it was sealed"), HasSubstr("web@v1: 2 paths are not as sealed"), HasSubstr("  app/run: has another content"),
                             HasSubstr("1 more")));
  daemon.on("POST /v1/verify", R"({"slots": [{"app": "web", "release": "v2", "paths": 9, "bytes": 100, "drifted": 0, "drift": []}]})");
  EXPECT_EQ(berth({"verify", "web@v2"}).exit, 0);
  EXPECT_EQ(berth({"verify", "web@v2", "--all"}).exit, 2);
}

TEST_F(DaemonVerbs, VerifyTellsWhatElseIsOnTheNode) {
  const auto with_others = [this](int others) {
    daemon.on("POST /v1/verify", fmt::format(R"({{"slots": [{{"app": "web", "release": "v2", "paths": 9, "bytes": 100, "drifted": 0, "drift": []}}], "others": {}}})", others));
  };
  with_others(2);
  EXPECT_THAT(berth({"verify"}).out, HasSubstr("\n2 more releases are on the node: 'berth verify --all' compares them, too.\n"));
  EXPECT_THAT(berth({"verify", "web"}).out, HasSubstr("'berth verify web --all' compares them, too."));
  EXPECT_THAT(berth({"verify", "web@v2"}).out, Not(HasSubstr("more"))) << "it is the one that is meant";
  with_others(1);
  EXPECT_THAT(berth({"verify"}).out, HasSubstr("\n1 more release is on the node: 'berth verify --all' compares it, too.\n"));
  with_others(0);
  EXPECT_THAT(berth({"verify"}).out, Not(HasSubstr("more")));
}

TEST_F(DaemonVerbs, RemoveTellsThatDataStaysUnlessPurged) {
  daemon.on("DELETE /v1/apps/web", "{}");
  EXPECT_THAT(berth({"remove", "web"}).out, HasSubstr("data and logs stay"));
  const auto asked = daemon.asked();
  const auto removal = std::ranges::find(asked, std::string("DELETE"), &FakeDaemon::Asked::method);
  ASSERT_NE(removal, asked.end());
  EXPECT_EQ(removal->query.at("purge"), "false");
  EXPECT_FALSE(removal->query.contains("force"));
  EXPECT_EQ(berth({"remove", "web", "--purge", "--yes", "-q"}).exit, 0);
  EXPECT_EQ(daemon.asked().back().query.at("purge"), "true");
}

TEST_F(DaemonVerbs, RevertPlansWithoutBeginningAnything) {
  const std::string plan = R"({"kind": "revert", "app": "web", "release": "v1", "from": "v2", "already": false, "same": null, "others": [], "forcible": false, "notes": [], "build": {}, )";
  daemon.on("POST /v1/apps/web/revert/plan", plan + R"("refusals": [], "exit": 0})");
  const Ran ran = berth({"revert", "web", "--to", "v1", "--keep-data", "--plan", "--reason", "a look"});
  EXPECT_EQ(ran.exit, 0);
  EXPECT_THAT(ran.out, AllOf(HasSubstr("web@v1 would come back in the place of v2."), HasSubstr("Nothing was changed.")));
  EXPECT_EQ(json::parse(daemon.asked()[0].body).value(), json::parse(R"({"to": "v1", "keep_data": true})").value());
  EXPECT_EQ(json::parse(berth({"revert", "web", "--plan", "--json"}).out).value().at("release"), "v1");
  daemon.on("POST /v1/apps/web/revert/plan", plan + R"("refusals": [{"code": "conflict", "detail": "web is stopped", "exit": 8}], "exit": 8})");
  const Ran refused = berth({"revert", "web", "--plan"});
  EXPECT_EQ(refused.exit, 8);
  EXPECT_THAT(refused.err, HasSubstr("it would be refused: web is stopped"));
  EXPECT_THAT(refused.out, Not(HasSubstr("Nothing was changed")));
  EXPECT_EQ(berth({"revert", "web", "--plan", "--no-wait"}).exit, 2);
  for (const auto& one : daemon.asked()) EXPECT_EQ(one.path, "/v1/apps/web/revert/plan");
}

TEST_F(DaemonVerbs, RevertWatchesAndSaysThatTheAppIsHeld) {
  daemon.on("POST /v1/apps/web/revert", R"({"id": 8, "app": "web", "release": "v1", "kind": "revert", "state": "starting", "exit": -1})", 202);
  daemon.on("GET /v1/deployments/8", R"({"id": 8, "app": "web", "release": "v1", "kind": "revert", "state": "active", "exit": 0})");
  daemon.on("GET /v1/apps/web", R"({"app": "web", "active": "v1", "held": "reverted"})");
  const Ran ran = berth({"revert", "web", "--to", "v1"});
  EXPECT_EQ(ran.exit, 0);
  EXPECT_THAT(ran.out, HasSubstr("web@v1 is active"));
  EXPECT_THAT(ran.out, HasSubstr("berth resume web"));
  EXPECT_EQ(json::parse(daemon.asked()[0].body).value(), json::parse(R"({"to": "v1"})").value());
}

TEST_F(DaemonVerbs, WhatIsDecidedIsRevertedAndNotCancelled) {
  daemon.on("POST /v1/apps/web/deployments", deployment("queued", -1), 202);
  daemon.on("GET /v1/deployments/7", deployment("baking", -1, R"(, "decided": true)"));
  EXPECT_THAT(berth({"deploy", "web@v2", "--timeout", "100ms"}).err, AllOf(HasSubstr("berth revert web"), Not(HasSubstr("berth cancel"))));
}

TEST_F(DaemonVerbs, AppsThatWereRemovedAndLeftSomethingAreListed) {
  daemon.on("GET /v1/status", R"({"apps": [{"app": "web", "active": "v2", "health": "healthy"}], "left": [{"app": "old", "data": true, "logs": true}]})");
  daemon.on("GET /v1/repository/apps", R"({"apps": [{"app": "old", "releases": ["v1"]}]})");
  EXPECT_THAT(berth({"apps"}).out, testing::ContainsRegex("old +removed; its data and logs are here +v1"));
  const auto json = json::parse(berth({"apps", "--json"}).out).value();
  EXPECT_EQ(json.at("apps").at(0), json::parse(R"({"app": "old", "active": "", "health": "removed", "releases": ["v1"], "left": ["data", "logs"]})").value());
}

TEST_F(DaemonVerbs, WhoIsLimitedToOtherAppsIsNotToldThatThereAreNone) {
  daemon.on("GET /v1/status", R"({"ready": true, "apps": [], "left": [], "limited_to": ["web"]})");
  daemon.on("GET /v1/repository/apps", R"({"apps": []})");
  EXPECT_EQ(berth({"apps"}).out, "None of the apps that you may see is on the node or in its repository: this node shows you web alone.\n");
  EXPECT_THAT(berth({"status"}).out, AllOf(HasSubstr("None of the apps that you may see is here: this node shows you web alone\n"), Not(HasSubstr("No apps yet"))));
}

TEST_F(DaemonVerbs, ANodeWithoutARepositoryListsItsAppsWithoutAWord) {
  daemon.on("GET /v1/status", R"({"apps": [{"app": "web", "active": "v2", "health": "healthy"}]})");
  daemon.on("GET /v1/repository/apps", R"({"code": "not_found", "exit": 3, "detail": "berthd.toml names no [repository] url"})", 404);
  EXPECT_EQ(berth({"apps"}).err, "");
  daemon.on("GET /v1/repository/apps", R"({"code": "io", "exit": 1, "detail": "timed out"})", 500);
  EXPECT_THAT(berth({"apps"}).err, HasSubstr("timed out"));
}

TEST_F(DaemonVerbs, ReleasesTellsWhatIsWhereAndWhyNot) {
  daemon.on("GET /v1/apps/web/releases", R"({"releases": [
    {"release": "v2", "active": true, "in_repository": true, "on_node": true, "bytes": 1500, "sealed_at": "", "pinned": true, "rejected": ""},
    {"release": "v3", "in_repository": false, "on_node": true, "bytes": 0, "rejected": "never ready"}], "repository_error": "timed out"})");
  const Ran ran = berth({"releases", "web"});
  EXPECT_THAT(ran.out, HasSubstr("active, pinned"));
  EXPECT_THAT(ran.out, HasSubstr("rejected: never ready"));
  EXPECT_THAT(ran.err, HasSubstr("timed out"));
  EXPECT_THAT(ran.out, HasSubstr("v3       ?"));
}

}  // namespace
}  // namespace berth::cli
