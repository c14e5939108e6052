#include "cli/operator_verbs_fixture.h"

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include <gmock/gmock.h>

#include "core/json/json.h"

namespace berth::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

TEST_F(OperatorVerbs, OperatorsVerbsAskForWhatWasSaid) {
  const std::tuple<std::vector<std::string>, std::string, std::string> table[] = {
      {{"restart", "web/worker.2", "--no-wait", "--reason", "stuck"}, "POST /v1/apps/web/restart", R"({"process": "worker", "number": 2, "reason": "stuck"})"},
      {{"stop", "web"}, "POST /v1/apps/web/stop", "{}"},
      {{"start", "web/web", "--no-wait"}, "POST /v1/apps/web/start", R"({"process": "web"})"},
      {{"scale", "web/web=4"}, "POST /v1/apps/web/scale", R"({"process": "web", "instances": 4})"},
      {{"pin", "web@v1"}, "POST /v1/apps/web/pin", R"({"release": "v1"})"},
      {{"unpin", "web@v1"}, "POST /v1/apps/web/unpin", R"({"release": "v1"})"},
      {{"hold", "web", "--reason", "an audit"}, "POST /v1/apps/web/hold", R"({"reason": "an audit"})"},
      {{"resume", "web"}, "POST /v1/apps/web/resume", "{}"},
      {{"mark", "web@v3", "bad", "--reason", "slow"}, "POST /v1/apps/web/mark", R"({"release": "v3", "as": "bad", "reason": "slow"})"},
      {{"mark", "web@v3", "good"}, "POST /v1/apps/web/mark", R"({"release": "v3", "as": "good"})"},
      {{"node", "reload", "--reason", "a new sink"}, "POST /v1/reload", R"({"reason": "a new sink"})"},
      {{"node", "drain", "--reason", "a new kernel"}, "POST /v1/node/drain", R"({"reason": "a new kernel"})"},
      {{"node", "resume"}, "POST /v1/node/resume", "{}"},
      {{"gc", "web"}, "POST /v1/gc", R"({"app": "web"})"},
      {{"gc"}, "POST /v1/gc", "{}"},
      {{"gc", "--reason", "the disk is full"}, "POST /v1/gc", R"({"reason": "the disk is full"})"},
  };
  for (const auto& [arguments, call, body] : table) {
    daemon.on(call, "{}");
    EXPECT_EQ(berth(arguments).exit, 0) << call;
    const auto asked = daemon.asked().back();
    EXPECT_EQ(asked.method + " " + asked.path, call);
    EXPECT_EQ(json::parse(asked.body).value(), json::parse(body).value()) << call;
  }
}

TEST_F(OperatorVerbs, SeveralProcessesAreScaledOneAfterTheOther) {
  daemon.on("POST /v1/apps/web/scale", "{}");
  const Ran ran = berth({"scale", "web/web=4", "web/worker=0", "--reason", "a sale"});
  EXPECT_EQ(ran.exit, 0);
  EXPECT_THAT(ran.out + ran.err, AllOf(HasSubstr("web/web is scaled to 4,"), HasSubstr("web/worker is scaled to 0,")));
  auto asked = daemon.asked();
  std::erase_if(asked, [](const FakeDaemon::Asked& one) { return one.method != "POST"; });
  ASSERT_EQ(asked.size(), 2u);
  EXPECT_EQ(json::parse(asked[0].body).value(), json::parse(R"({"process": "web", "instances": 4, "reason": "a sale"})").value());
  EXPECT_EQ(json::parse(asked[1].body).value(), json::parse(R"({"process": "worker", "instances": 0, "reason": "a sale"})").value());
  const auto before = daemon.asked().size();
  EXPECT_EQ(berth({"scale", "web/web=4", "web/worker"}).exit, 2);
  EXPECT_EQ(daemon.asked().size(), before) << "all of it is read before anything is asked for";
}

TEST_F(OperatorVerbs, AStopInABakeSaysWhatBecomesOfIt) {
  daemon.on("POST /v1/apps/web/stop", "{}");
  const auto deployment = [&](const char* state, const char* from) {
    daemon.on("GET /v1/apps/web", fmt::format(R"({{"app": "web", "deployment": {{"id": 7, "release": "v2", "state": "{}", "from": "{}"}}}})", state, from));
    return berth({"stop", "web"}).out + berth({"stop", "web"}).err;
  };
  EXPECT_THAT(deployment("baking", "v1"), testing::HasSubstr("Its deployment 7 of v2 was in its bake, which waits and begins again with 'berth start web'; 'berth deploy web@v1 --force' goes back to v1 and starts it.\n"));
  EXPECT_THAT(deployment("baking", ""), testing::HasSubstr("begins again with 'berth start web'.\n"));
  EXPECT_THAT(deployment("queued", "v1"), testing::Not(testing::HasSubstr("bake")));
}

TEST_F(OperatorVerbs, WhatWasSoIsToldToBeSoAlready) {
  const std::string unchanged = R"({"changed": false, "event": 0})", changed = R"({"changed": true, "event": 9})";
  daemon.on("GET /v1/apps/web", R"json({"app": "web", "active": "v2", "stopped": true, "stopped_by": "ann (uid 7)", "stopped_at": "2026-11-24T09:00:00Z", "stopped_why": "a new disk",
    "rejected": [{"release": "v3", "reason": "marked bad by ann (uid 7)", "at": "2026-11-24T09:00:00Z"}]})json");
  daemon.on("POST /v1/apps/web/stop", unchanged);
  EXPECT_THAT(berth({"stop", "web"}).out, testing::MatchesRegex("web is stopped already, by ann \\(uid 7\\), .* ago: a new disk\\.\n"));
  EXPECT_EQ(berth({"stop", "web/web.1"}).out, "web/web.1 is stopped already.\n");
  daemon.on("POST /v1/apps/web/stop", changed);
  EXPECT_THAT(berth({"stop", "web", "--reason", "noise"}).out, testing::MatchesRegex("web is stopped\\. It was already, by ann \\(uid 7\\), .* ago: a new disk; this takes the place of that\\.\n"));
  EXPECT_EQ(berth({"stop", "web/web.1"}).out, "web/web.1 is stopped.\n");

  daemon.on("POST /v1/apps/web/mark", unchanged);
  EXPECT_THAT(berth({"mark", "web@v3", "bad"}).out, testing::ContainsRegex("^web@v3 is rejected already, .* ago \\(marked bad by ann \\(uid 7\\)\\): it is not deployed"));
  daemon.on("POST /v1/apps/web/mark", changed);
  EXPECT_THAT(berth({"mark", "web@v3", "bad", "--reason", "slow"}).out, testing::ContainsRegex("It was already, .* ago \\(marked bad by ann \\(uid 7\\)\\); this takes the place of that"));
  EXPECT_THAT(berth({"mark", "web@v2", "bad"}).out, Not(HasSubstr("already")));

  daemon.on("GET /v1/status", R"json({"drained": {"at": "2026-11-24T09:00:00Z", "by": "ann (uid 7)", "why": "a new kernel"}, "apps": []})json");
  daemon.on("POST /v1/node/drain", unchanged);
  EXPECT_THAT(berth({"node", "drain"}).out, testing::MatchesRegex("The node is drained already, by ann \\(uid 7\\), .* ago: a new kernel\\.\n"));
  daemon.on("POST /v1/node/drain", changed);
  EXPECT_THAT(berth({"node", "drain"}).out, HasSubstr("The node is drained: no app runs"));

  daemon.on("POST /v1/imports", R"({"app": "web", "release": "v3", "bytes": 10, "already": true})");
  EXPECT_THAT(berth({"import", "/etc/passwd"}).out, HasSubstr("web@v3: verified, 10 B; it was on this node already\n"));
  daemon.on("POST /v1/imports", R"({"app": "web", "release": "v3", "bytes": 10, "already": false})");
  EXPECT_THAT(berth({"import", "/etc/passwd"}).out, HasSubstr("web@v3: verified and loaded, 10 B\n"));
}

TEST_F(OperatorVerbs, WhatTakesLongIsWaitedForAsLongAsIsSaid) {
  const std::pair<std::vector<std::string>, std::string> table[] = {
      {{"stop", "web"}, "POST /v1/apps/web/stop"}, {{"scale", "web/web=4"}, "POST /v1/apps/web/scale"}, {{"remove", "web"}, "DELETE /v1/apps/web"}, {{"gc"}, "POST /v1/gc"},
      {{"verify"}, "POST /v1/verify"},             {{"node", "drain"}, "POST /v1/node/drain"},          {{"import", "/etc/passwd"}, "POST /v1/imports"},
  };
  for (const auto& [arguments, call] : table) {
    daemon.on(call, std::vector<FakeDaemon::Answer>{{.status = 200, .body = "{}", .after = std::chrono::seconds(20)}});
    auto all = arguments;
    all.insert(all.end(), {"--timeout", "300ms"});
    const Ran ran = berth(all);
    EXPECT_EQ(ran.exit, 9) << call << ran.err;
    EXPECT_THAT(ran.err, HasSubstr("berthd has not done it within 300ms, and goes on with it")) << call;
    EXPECT_EQ(ran.out, "") << call;
    all.back() = "0s";
    EXPECT_EQ(berth(all).exit, 2) << call;
  }
}

TEST_F(OperatorVerbs, AStopOfASingleInstanceTellsWhoStoppedItBefore) {
  const auto with = [this](const char* second) {
    daemon.on("GET /v1/apps/web", fmt::format(R"json({{"app": "web", "active": "v2", "stopped": false, "instances": [
      {{"instance": "web/web.1", "process": "web", "number": 1, "release": "v2", "stopped": true, "stopped_by": "ann (uid 7)", "stopped_at": "2026-11-24T09:00:00Z", "stopped_why": "noisy"}},
      {{"instance": "web/web.2", "process": "web", "number": 2, "release": "v2", "stopped": {}, "stopped_by": "bob (uid 8)", "stopped_at": "2026-11-24T09:00:00Z", "stopped_why": ""}}]}})json", second));
  };
  with("false");
  daemon.on("POST /v1/apps/web/stop", R"({"app": "web", "process": "web", "number": 1, "changed": false, "event": 0})");
  EXPECT_THAT(berth({"stop", "web/web.1"}).out, testing::MatchesRegex("web/web\\.1 is stopped already, by ann \\(uid 7\\), .* ago: noisy\\.\n"));
  daemon.on("POST /v1/apps/web/stop", R"({"app": "web", "process": "web", "changed": true, "event": 7})");
  EXPECT_EQ(berth({"stop", "web/web"}).out, "web/web is stopped.\n") << "one of the two ran";
  with("true");
  EXPECT_THAT(berth({"stop", "web/web", "--reason", "loud"}).out, testing::MatchesRegex("web/web is stopped\\. It was already, by ann \\(uid 7\\), .* ago: noisy; this takes the place of that\\.\n"));
}

TEST_F(OperatorVerbs, AScaleToTheReleasesOwnNumberIsToldAsNone) {
  daemon.on("POST /v1/apps/web/scale", "{}");
  daemon.on("GET /v1/apps/web", R"({"app": "web", "processes": [{"process": "web", "wanted": 1, "by_spec": 1}]})");
  EXPECT_EQ(berth({"scale", "web/web=1"}).out, "web/web has 1 instance, as its release says.\n");
  EXPECT_EQ(berth({"scale", "web/web=2"}).out, "web/web is scaled to 2, until a release says another number.\n");
}

TEST_F(OperatorVerbs, WhoSeesSomeAppsAloneIsToldSoByAnEmptyHistory) {
  daemon.on("GET /v1/deployments", R"({"deployments": [], "next": null})");
  daemon.on("GET /v1/status", R"({"limited_to": ["web", "api"]})");
  EXPECT_EQ(berth({"history"}).out, "No deployments yet of the apps that you may see: this node shows you web, api alone.\n");
  daemon.on("GET /v1/status", R"({"limited_to": []})");
  EXPECT_EQ(berth({"history"}).out, "No deployments yet.\n");
}

TEST_F(OperatorVerbs, AReloadThatDoesNotTakeAllOverSaysSoInOneLine) {
  daemon.on("POST /v1/reload", R"({"files": ["berthd.toml"], "until_restart": ["[[follow]]"]})");
  const Ran some = berth({"node", "reload"});
  EXPECT_EQ(some.out, "");
  EXPECT_EQ(some.err, "berth: the configuration was read again; what changed in [[follow]] counts after a restart ('systemctl restart berthd'), which stops no app\n");
  daemon.on("POST /v1/reload", R"({"files": ["berthd.toml"], "until_restart": []})");
  EXPECT_EQ(berth({"node", "reload"}).out, "The configuration was read again, and counts.\n");
}

TEST_F(OperatorVerbs, HoldTellsWhoseHoldItTakesThePlaceOf) {
  daemon.on("POST /v1/apps/web/hold", "{}");
  daemon.on("GET /v1/apps/web", R"({"app": "web", "held": "", "held_by": "", "held_at": "", "held_firmly": false})");
  EXPECT_EQ(berth({"hold", "web", "--reason", "bob's"}).out, "web is held: deployments of it are refused until 'berth resume web'.\n");
  daemon.on("GET /v1/apps/web", R"json({"app": "web", "held": "a migration", "held_by": "alice (uid 7)", "held_at": "2026-11-24T09:00:00Z", "held_firmly": true})json");
  EXPECT_THAT(berth({"hold", "web", "--reason", "bob's"}).out, testing::MatchesRegex(".* That takes the place of what it was held for before: a migration \\(by alice \\(uid 7\\), .* ago\\).\n"));
  EXPECT_THAT(berth({"hold", "web"}).out, testing::MatchesRegex("web is held already: a migration \\(by alice \\(uid 7\\), .* ago\\). A --reason would take the place of that.\n"));
  daemon.on("GET /v1/apps/web", R"json({"app": "web", "held": "no reason was given", "held_by": "alice (uid 7)", "held_at": "2026-11-24T09:00:00Z", "held_firmly": true})json");
  EXPECT_THAT(berth({"hold", "web", "--reason", "bob's"}).out, testing::MatchesRegex(".* It was held already, without a reason \\(by alice \\(uid 7\\), .* ago\\); this takes the place of that\\.\n"));
  daemon.on("GET /v1/apps/web", R"({"app": "web", "held": "v2 was reverted", "held_by": "", "held_at": "", "held_firmly": false})");
  EXPECT_THAT(berth({"hold", "web"}).out, testing::EndsWith(" That takes the place of what it was held for before: v2 was reverted.\n")) << "which a newer release would have ended";
}

TEST_F(OperatorVerbs, WhatIsNotHereIsNotHeldAndWhoFollowsItIsTold) {
  daemon.on("POST /v1/apps/web/hold", R"({"code": "not_found", "exit": 3, "detail": "app web was removed"})", 404);
  daemon.on("GET /v1/status", R"({"apps": [], "follows": [{"app": "web", "channel": "stable", "wanted": "v8"}]})");
  const Ran ran = berth({"hold", "web"});
  EXPECT_EQ(ran.exit, 3);
  EXPECT_THAT(ran.err, HasSubstr("app web was removed. web follows stable (v8): the next poll deploys it again; take its [[follow]] out of berthd.toml"));
  daemon.on("GET /v1/status", R"({"apps": [], "follows": []})");
  EXPECT_THAT(berth({"hold", "web"}).err, testing::EndsWith("app web was removed\n"));
}

TEST_F(OperatorVerbs, WhatCannotBeMarkedHeldOrDrainedIsAUsageError) {
  const std::tuple<std::vector<std::string>, std::string> table[] = {
      {{"mark", "web", "bad"}, "say which release"},   {{"mark", "web@v3"}, "good|bad is missing"}, {{"mark", "web@v3", "ugly"}, "neither 'good' nor 'bad'"},
      {{"hold", "web@v3"}, "names more than an app"}, {{"status", "web/web.1"}, "berth status: 'web/web.1' names more than an app; use 'berth status web'"}, {{"hold"}, "APP is missing"},                {{"node"}, "name a verb: enrol, csr, drain, resume"},
      {{"node", "drain", "web"}, "unexpected argument"},
  };
  for (const auto& [arguments, why] : table) {
    const Ran ran = berth(arguments);
    EXPECT_EQ(ran.exit, 2) << why;
    EXPECT_THAT(ran.err, HasSubstr(why));
  }
  EXPECT_THAT(daemon.asked(), testing::IsEmpty());
}

TEST_F(OperatorVerbs, CancelOfAnAppMeansWhatIsUnderWayOfIt) {
  const std::string baking = a_deployment("baking", -1, R"(, "decided": true)"), ended = a_deployment("active", 0);
  std::string queued = a_deployment("queued", -1);
  queued.replace(queued.find("7"), 1, "9");
  daemon.on("GET /v1/deployments", R"({"deployments": [)" + queued + "," + baking + "," + ended + "]}");
  daemon.on("POST /v1/deployments/9/cancel", queued);
  daemon.on("GET /v1/deployments/9", a_deployment("cancelled", 8));
  const Ran ran = berth({"cancel", "web", "--reason", "a typo"});
  EXPECT_EQ(ran.exit, 0) << ran.err;
  EXPECT_EQ(ran.out, "Deployment 9 of web@v2 is cancelled.\n");
  EXPECT_EQ(daemon.asked()[0].query.at("app"), "web");
  EXPECT_EQ(json::parse(daemon.asked()[1].body).value(), json::parse(R"({"reason": "a typo"})").value());
  daemon.on("GET /v1/deployments/9", a_deployment("active", 0));
  EXPECT_EQ(berth({"cancel", "9"}).exit, 8) << "it was decided before";

  daemon.on("GET /v1/deployments", R"({"deployments": [)" + baking + "]}");
  daemon.on("POST /v1/deployments/7/cancel", R"({"code": "conflict", "exit": 8, "detail": "it is decided already"})", 409);
  EXPECT_EQ(berth({"cancel", "web"}).exit, 8) << "berthd says what to do instead";
}

TEST_F(OperatorVerbs, CancelSaysWhereThereIsNothingToCancel) {
  daemon.on("GET /v1/deployments", R"({"deployments": [)" + a_deployment("active", 0) + "]}");
  Ran ran = berth({"cancel", "web"});
  EXPECT_EQ(ran.exit, 8);
  EXPECT_THAT(ran.err, HasSubstr("no deployment of web is under way; 'berth history web'"));
  daemon.on("GET /v1/deployments", R"({"deployments": []})");
  EXPECT_EQ(berth({"cancel", "nope"}).exit, 3);
  for (const char* wrong : {"web@v2", "0", "7x"}) {
    ran = berth({"cancel", wrong});
    EXPECT_EQ(ran.exit, 2) << wrong;
    EXPECT_THAT(ran.err, HasSubstr("neither the number of a deployment nor an app")) << wrong;
  }
}

TEST_F(OperatorVerbs, WhatThereWasNothingToDoForSaysSo) {
  daemon.on("GET /v1/apps/web", R"({"app": "web", "active": "v2", "held": "", "pinned": ["v1"], "rejected": [{"release": "v3"}], "stopped": false, "instances": [
      {"instance": "web/web.1", "process": "web", "number": 1, "release": "v2", "pid": 4242}, {"instance": "web/job.1", "process": "job", "number": 1, "release": "v2", "pid": 0}]})");
  for (const char* verb : {"unpin", "pin", "resume", "mark", "start"}) daemon.on(std::string("POST /v1/apps/web/") + verb, "{}");
  const std::tuple<std::vector<std::string>, std::string> table[] = {
      {{"unpin", "web@v2"}, "web@v2 was not pinned: it may be collected already.\n"}, {{"unpin", "web@v1"}, "web@v1 may be collected again.\n"},
      {{"pin", "web@v1"}, "web@v1 is pinned already.\n"},                            {{"resume", "web"}, "web was not held: deployments act on it already.\n"},
      {{"mark", "web@v2", "good"}, "web@v2 was not rejected: it may be deployed already.\n"}, {{"mark", "web@v3", "good"}, "web@v3 may be deployed again.\n"},
      {{"start", "web/web", "--no-wait"}, "web/web runs already.\n"},                             {{"start", "web", "--no-wait"}, "web is started.\n"},
  };
  for (const auto& [arguments, says] : table) EXPECT_EQ(berth(arguments).out, says);
  EXPECT_EQ(daemon.asked().back().method, "POST") << "it is asked for all the same";
}

TEST_F(OperatorVerbs, ResumingANodeThatWasNotDrainedSaysSo) {
  daemon.on("POST /v1/node/resume", "{}");
  daemon.on("GET /v1/status", R"({"drained": null})");
  EXPECT_EQ(berth({"node", "resume"}).out, "The node was not drained: it is at work already.\n");
  daemon.on("GET /v1/status", R"json({"drained": {"by": "root (uid 0)"}})json");
  EXPECT_EQ(berth({"node", "resume"}).out, "The node is at work again.\n");
  EXPECT_EQ(daemon.asked().back().method, "POST");
}

TEST_F(OperatorVerbs, MarkingAReleaseBadThatIsNowhereWarns) {
  daemon.on("POST /v1/apps/web/mark", "{}");
  daemon.on("GET /v1/apps/web/releases", R"({"releases": [{"release": "v2"}], "repository_error": ""})");
  EXPECT_EQ(berth({"mark", "web@v2", "bad"}).err, "");
  Ran ran = berth({"mark", "web@v22", "bad"});
  EXPECT_EQ(ran.exit, 0);
  EXPECT_THAT(ran.err, HasSubstr("web@v22 is neither on this node nor in its repository"));
  daemon.on("GET /v1/apps/web/releases", R"({"releases": [{"release": "v2"}], "repository_error": "timed out"})");
  EXPECT_EQ(berth({"mark", "web@v22", "bad"}).err, "") << "who cannot see it does not say that it is not there";
}

}  // namespace
}  // namespace berth::cli
