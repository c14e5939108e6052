#include <fstream>
#include <iterator>
#include <sstream>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/api/api_fixture.h"
#include "daemon/api/problem.h"
#include "daemon/api/routes.h"

namespace berth::api {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class ApiTest : public ApiFixture {};

TEST_F(ApiTest, EveryChangeReachesItsOperation) {
  const struct {
    const char *method, *path, *body, *call;
  } cases[] = {
      {"POST", "/v1/apps/web/deployments", R"({"release": "v2"})", "deploy web@v2 env= force=false key= by=root (uid 0) why="},
      {"POST", "/v1/apps/web/deployments", R"({"release": "v2", "force": true, "environment": "production", "reason": "why not"})",
       "deploy web@v2 env=production force=true key= by=root (uid 0) why=why not"},
      {"POST", "/v1/apps/web/plan", R"({"release": "v2", "force": true})", "plan web@v2 env= force=true"},
      {"POST", "/v1/apps/web/revert", R"({"to": "v1", "reason": "bad"})", "revert web to=v1 keep_data=false why=bad"},
      {"POST", "/v1/apps/web/revert", R"({"keep_data": true})", "revert web to= keep_data=true why="},
      {"POST", "/v1/apps/web/revert", "", "revert web to= keep_data=false why="},
      {"POST", "/v1/apps/web/revert/plan", "", "plan revert web to= keep_data=false"},
      {"POST", "/v1/apps/web/revert/plan", R"({"to": "v1", "keep_data": true})", "plan revert web to=v1 keep_data=true"},
      {"POST", "/v1/deployments/7/cancel", "{}", "cancel 7 why="},
      {"POST", "/v1/apps/web/resume", R"({"reason": "fixed"})", "resume web why=fixed"},
      {"POST", "/v1/apps/web/hold", R"({"reason": "an audit"})", "hold web why=an audit"},
      {"POST", "/v1/apps/web/mark", R"({"release": "v3", "as": "bad", "reason": "slow"})", "mark web@v3 good=false why=slow"},
      {"POST", "/v1/apps/web/mark", R"({"release": "v3", "as": "good"})", "mark web@v3 good=true why="},
      {"POST", "/v1/node/drain", R"({"reason": "a new kernel"})", "drain node why=a new kernel"},
      {"POST", "/v1/node/resume", "", "resume node why="},
      {"POST", "/v1/apps/web/stop", "{}", "stop web/-.0 why="},
      {"POST", "/v1/apps/web/stop", R"({"process": "worker", "number": 2, "reason": "noisy"})", "stop web/worker.2 why=noisy"},
      {"POST", "/v1/apps/web/start", R"({"process": "worker"})", "start web/worker.0 why="},
      {"POST", "/v1/apps/web/restart", "{}", "restart web/-.0 why="},
      {"POST", "/v1/apps/web/scale", R"({"process": "web", "instances": 4})", "scale web/web=4 why="},
      {"POST", "/v1/apps/web/scale", R"({"process": "web", "instances": 0})", "scale web/web=0 why="},
      {"POST", "/v1/apps/web/exec/files", R"({"command": ["bin/console", "$HOME"], "process": "web", "release": "v2", "term": "xterm", "reason": "a look"})",
       "exec web/web@v2 'bin/console' '$HOME' term=xterm uid=4294967295 why=a look"},
      {"POST", "/v1/apps/web/jobs/report/run", R"({"reason": "now"})", "run job web/report why=now"},
      {"GET", "/v1/apps/web/jobs/report", "", "job web/report run=0 0ms"},
      {"POST", "/v1/apps/web/pin", R"({"release": "v1"})", "pin web@v1 true"},
      {"POST", "/v1/apps/web/unpin", R"({"release": "v1"})", "pin web@v1 false"},
      {"DELETE", "/v1/apps/web", "", "remove web purge=false why="},
      {"POST", "/v1/gc", R"({"app": "web"})", "collect web"},
      {"POST", "/v1/gc", R"({"app": "web", "dry_run": true})", "collect web dry"},
      {"POST", "/v1/gc", "", "collect "},
      {"POST", "/v1/imports", R"({"path": "/srv/web.berth", "reason": "r"})", "import /srv/web.berth allow_expired=false why=r"},
      {"POST", "/v1/verify", "", "verify app= release= all=false"},
      {"POST", "/v1/verify", R"({"app": "web", "release": "v1"})", "verify app=web release=v1 all=false"},
      {"POST", "/v1/verify", R"({"all": true})", "verify app= release= all=true"},
      {"GET", "/v1/apps/web", "", "status web"},
      {"GET", "/v1/apps/web/why", "", "story web"},
      {"GET", "/v1/apps/web/releases", "", "releases web"},
      {"GET", "/v1/repository/apps", "", "repository apps"},
      {"GET", "/v1/deployments/7", "", "deployment 7"},
      {"GET", "/v1/deployments", "", "deployments app= most=21"},
  };
  for (const auto& one : cases) {
    operations.calls.clear();
    const auto reply = ask(one.method, one.path, one.body);
    EXPECT_LT(reply.status, 300) << one.method << " " << one.path << ": " << reply.body;
    EXPECT_THAT(operations.calls, ElementsAre(one.call)) << one.method << " " << one.path;
  }
}

/// An event as the history has it.
store::Event event(std::int64_t number, std::string kind, std::string app, std::string by) {
  return {.number = number, .at = "2026-11-24T09:00:00.000000Z", .kind = std::move(kind), .app = std::move(app), .data = {{"by", std::move(by)}}};
}

TEST_F(ApiTest, AChangeAnswersWhatItWasOfAndWhichEventTellsOfIt) {
  node.told = {event(7, "operator.hold", "web", "root (uid 0)")};
  const struct {
    const char *method, *path, *body, *kind, *app, *answer;
  } cases[] = {
      {"POST", "/v1/apps/web/hold", "", "operator.hold", "web", R"({"app":"web","changed":true,"event":10})"},
      {"POST", "/v1/apps/web/resume", "", "operator.resume", "web", R"({"app":"web","changed":true,"event":10})"},
      {"POST", "/v1/apps/web/mark", R"({"release": "v3", "as": "bad"})", "operator.mark", "web", R"({"app":"web","as":"bad","changed":true,"event":10,"release":"v3"})"},
      {"POST", "/v1/apps/web/pin", R"({"release": "v3"})", "operator.pin", "web", R"({"app":"web","changed":true,"event":10,"release":"v3"})"},
      {"POST", "/v1/apps/web/unpin", R"({"release": "v3"})", "operator.unpin", "web", R"({"app":"web","changed":true,"event":10,"release":"v3"})"},
      {"POST", "/v1/apps/web/stop", R"({"process": "web", "number": 2})", "operator.stop", "web", R"({"app":"web","changed":true,"event":10,"number":2,"process":"web"})"},
      {"POST", "/v1/apps/web/start", "", "operator.start", "web", R"({"app":"web","changed":true,"event":10})"},
      {"POST", "/v1/apps/web/restart", R"({"process": "web"})", "operator.restart", "web", R"({"app":"web","changed":true,"event":10,"process":"web"})"},
      {"POST", "/v1/apps/web/scale", R"({"process": "web", "instances": 4})", "operator.scale", "web", R"({"app":"web","changed":true,"event":10,"instances":4,"process":"web"})"},
      {"DELETE", "/v1/apps/web", "", "operator.remove", "web", R"({"app":"web","changed":true,"event":10,"purged":false})"},
      {"POST", "/v1/node/drain", "", "operator.node_drain", "", R"({"changed":true,"event":10})"},
      {"POST", "/v1/node/resume", "", "operator.node_resume", "", R"({"changed":true,"event":10})"},
  };
  for (const auto& one : cases) {
    operations.on_change = [&] {  // others are at work as well
      node.told = {event(7, one.kind, one.app, "root (uid 0)"), event(8, "node.started", "", "root (uid 0)"), event(9, one.kind, one.app, "carol (uid 1000)"),
                   event(10, one.kind, one.app, "root (uid 0)"), event(11, one.kind, one.app, "root (uid 0)")};
    };
    node.told = {event(7, one.kind, one.app, "root (uid 0)")};
    const auto changed = ask(one.method, one.path, one.body);
    EXPECT_EQ(*json::parse(changed.body), *json::parse(one.answer)) << one.path << ": " << changed.body;
    operations.on_change = {};
    node.told = {event(7, one.kind, one.app, "root (uid 0)")};
    const auto same = ask(one.method, one.path, one.body);
    EXPECT_EQ(member(same, "changed") + member(same, "event"), "false0") << one.path << ": what was so before is not told twice";
  }
}

TEST_F(ApiTest, ADeploymentThatBeginsIsAcceptedAndOneThatWasNotNeededIsDone) {
  EXPECT_EQ(ask("POST", "/v1/apps/web/deployments", R"({"release": "v2"})").status, 202);
  operations.one.already = true;
  const auto reply = ask("POST", "/v1/apps/web/deployments", R"({"release": "v2"})");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(member(reply, "already"), "true");
}

TEST_F(ApiTest, TheIdempotencyKeyIsPassedOn) {
  auto deploy = request("POST", "/v1/apps/web/deployments", R"({"release": "v2"})");
  deploy.headers["idempotency-key"] = "job-7";
  ask(deploy);
  EXPECT_THAT(operations.calls.at(0), HasSubstr("key=job-7"));
  for (const std::string& key : {std::string(), std::string("a b"), std::string(256, 'k')}) {
    deploy.headers["idempotency-key"] = key;
    EXPECT_EQ(ask(deploy).status, 400);
  }
  EXPECT_EQ(operations.calls.size(), 1u);
}

TEST_F(ApiTest, WhatIsWrongWithARequestIsSaidAndNothingIsDone) {
  const std::string long_reason = R"({"reason": ")" + std::string(1001, 'x') + R"("})";
  const struct {
    const char *method, *path, *body, *why;
  } cases[] = {
      {"POST", "/v1/apps/web/deployments", "", "'release' is missing"},
      {"POST", "/v1/apps/web/deployments", "{", "body"},
      {"POST", "/v1/apps/web/deployments", "[]", "not an object"},
      {"POST", "/v1/apps/web/deployments", R"({"release": "v2", "forse": true})", "forse"},
      {"POST", "/v1/apps/web/deployments", R"({"release": "v2", "force": "yes"})", "force"},
      {"POST", "/v1/apps/web/deployments", R"({"release": "v2", "release": "v3"})", "twice"},
      {"POST", "/v1/apps/web/deployments", R"({"release": "../v2"})", "no id of a release"},
      {"POST", "/v1/apps/web/deployments", R"({"release": "v2", "environment": "Production"})", "environment"},
      {"POST", "/v1/apps/Web/deployments", R"({"release": "v2"})", "no name of an app"},
      {"POST", "/v1/apps/web/plan", R"({"release": ".."})", "no id of a release"},
      {"POST", "/v1/apps/web/revert", R"({"to": ".."})", "no id of a release"},
      {"POST", "/v1/apps/web/revert/plan", R"({"to": ".."})", "no id of a release"},
      {"POST", "/v1/apps/web/stop", R"({"number": 2})", "needs a 'process'"},
      {"POST", "/v1/apps/web/stop", R"({"process": "web", "number": 0})", "number"},
      {"POST", "/v1/apps/web/scale", R"({"process": "web"})", "'instances' is missing"},
      {"POST", "/v1/apps/web/scale", R"({"process": "web", "instances": -1})", "instances"},
      {"POST", "/v1/apps/web/scale", R"({"process": "web", "instances": 257})", "instances"},
      {"POST", "/v1/apps/web/exec", R"({"command": ["ls"], "number": 1})", "needs a 'process'"},
      {"POST", "/v1/apps/web/exec", R"({"command": ["ls"], "terminal": true, "rows": 65536})", "rows"},
      {"POST", "/v1/apps/web/exec/files", R"({"command": ["ls"], "terminal": true})", "terminal"},
      {"POST", "/v1/apps/web/exec/files", R"({"command": []})", "names no program"},
      {"POST", "/v1/apps/web/exec", "{}", "'command' is missing"},
      {"POST", "/v1/apps/web/exec", R"({"command": []})", "names no program"},
      {"POST", "/v1/apps/web/exec", R"({"command": ["ls", 1]})", "something else than text"},
      {"POST", "/v1/apps/web/exec", R"({"command": ["ls", "a\u0000b"]})", "something else than text"},
      {"POST", "/v1/apps/web/exec", R"({"command": ["ls"], "term": "../x"})", "no kind of a terminal"},
      {"POST", "/v1/apps/web/exec", R"({"command": ["ls"], "process": "Web"})", "no name of a process"},
      {"POST", "/v1/apps/web/jobs/report/run", R"({"now": true})", "now"},
      {"POST", "/v1/apps/web/jobs/Report/run", "", "no name of a process"},
      {"POST", "/v1/apps/web/pin", "{}", "'release' is missing"},
      {"POST", "/v1/apps/web/mark", R"({"release": "v3"})", "'as' is missing"},
      {"POST", "/v1/apps/web/mark", R"({"release": "v3", "as": "ugly"})", "neither 'good' nor 'bad'"},
      {"POST", "/v1/apps/web/mark", R"({"release": "..", "as": "bad"})", "no id of a release"},
      {"POST", "/v1/apps/web/hold", R"({"until": "Friday"})", "until"},
      {"POST", "/v1/node/drain", R"({"app": "web"})", "app"},
      {"POST", "/v1/webhooks/Chat/test", "", "no name of a webhook"},
      {"POST", "/v1/apps/web/resume", long_reason.c_str(), "1000 bytes"},
      {"POST", "/v1/apps/web/hold", R"({"reason": "a\nb"})", "more than a line"},
      {"POST", "/v1/deployments/0/cancel", "", "no number of a deployment"},
      {"POST", "/v1/deployments/x/cancel", "", "no number of a deployment"},
      {"POST", "/v1/gc", R"({"app": "W"})", "no name of an app"},
      {"POST", "/v1/gc", R"({"dry_run": 1})", "dry_run"},
      {"POST", "/v1/imports", R"({"path": "web.berth"})", "whole path"},
      {"POST", "/v1/verify", R"({"release": "v1"})", "needs 'app'"},
      {"POST", "/v1/verify", R"({"app": "web", "release": "../v1"})", "no id of a release"},
  };
  for (const auto& one : cases) {
    const auto reply = ask(one.method, one.path, one.body);
    EXPECT_EQ(reply.status, 400) << one.path << " " << one.body;
    EXPECT_EQ(reply.content_type, "application/problem+json");
    EXPECT_EQ(member(reply, "code"), "usage");
    EXPECT_EQ(member(reply, "exit"), "2");
    EXPECT_THAT(member(reply, "detail"), HasSubstr(one.why)) << one.path << " " << one.body;
  }
  EXPECT_THAT(operations.calls, IsEmpty());
}

TEST_F(ApiTest, UnknownParametersOfAQueryAreRefused) {
  const std::pair<const char*, std::map<std::string, std::string>> cases[] = {
      {"/v1/status", {{"x", "1"}}},         {"/v1/apps/web", {{"x", "1"}}},        {"/v1/deployments", {{"limit", "0"}}},
      {"/v1/deployments", {{"limit", "x"}}}, {"/v1/deployments", {{"app", "Web"}}}, {"/v1/deployments/7", {{"until", "later"}}},
      {"/v1/deployments/7", {{"wait", "-1"}}}, {"/v1/deployments/7", {{"after", "foo"}}}, {"/v1/events", {{"from", "0"}}},      {"/v1/events", {{"limit", "1001"}}},
      {"/v1/apps/web/releases", {{"x", "1"}}}, {"/v1/repository/apps", {{"x", "1"}}}, {"/v1/deployments/7", {{"after", "A B"}}}};
  for (const auto& [path, query] : cases) EXPECT_EQ(ask(path, query).status, 400) << path;
  EXPECT_THAT(operations.calls, IsEmpty());
}

TEST_F(ApiTest, TakesEveryDocumentedStateForTheOneThatIsWaitedFor) {
  std::ifstream file(BERTH_SOURCE "/docs/openapi.yaml");
  const std::string contract(std::istreambuf_iterator<char>(file), {});
  const auto begin = contract.find("enum: [", contract.find("    DeploymentState:")) + 7;
  std::istringstream words(contract.substr(begin, contract.find(']', begin) - begin));
  int states = 0;
  for (std::string state; std::getline(words >> std::ws, state, ','); ++states) EXPECT_EQ(ask("/v1/deployments/7", {{"after", state}}).status, 200) << state;
  EXPECT_EQ(states, 16);
}

TEST_F(ApiTest, TheNewestEventsAreReadFromWhereTheyBegin) {
  for (int i = 1; i <= 500; ++i) node.told.push_back({.number = i, .at = "2026-11-24T09:00:00.000000Z", .kind = "k", .app = i % 2 == 0 ? "web" : "api"});
  ask("/v1/events", {{"last", "10"}});
  ask("/v1/events", {{"last", "300"}, {"app", "web"}});
  ask("/v1/events", {{"last", "300"}, {"limit", "20"}});
  EXPECT_THAT(node.calls, ElementsAre("first of newest 10 of []", "events from=491 most=10 app=", "first of newest 300 of [web]", "events from=2 most=300 app=web", "first of newest 300 of []",
                                      "events from=201 most=20 app="));
  EXPECT_EQ(ask("/v1/events", {{"last", "3"}, {"from", "2"}}).status, 400);
  EXPECT_EQ(ask("/v1/events", {{"last", "1000001"}}).status, 400);
}

TEST_F(ApiTest, WhoReadsEventsMayWaitForTheNextOne) {
  node.told = {{.number = 1, .at = {}, .kind = "k", .app = "web"}};
  node.on_wait = [&] {
    if (node.waited == 3) node.told.push_back({.number = 2, .at = {}, .kind = "k", .app = "api"});
    if (node.waited == 5) node.told.push_back({.number = 3, .at = {}, .kind = "k", .app = "web"});
  };
  EXPECT_THAT(ask("/v1/events", {{"from", "2"}, {"wait", "60s"}, {"app", "web"}}).body, AllOf(HasSubstr(R"("number":3)"), Not(HasSubstr(R"("number":2)"))));
  EXPECT_EQ(node.waited, 5);
  EXPECT_EQ(member(ask("/v1/events", {{"from", "9"}, {"wait", "20ms"}}), "events"), "[]");
}

TEST_F(ApiTest, WaitsForADeploymentAMinuteAtMost) {
  ask("/v1/deployments/7", {{"wait", "30"}});
  ask("/v1/deployments/7", {{"wait", "3600"}, {"until", "switched"}, {"after", "fetching"}});
  ask("/v1/deployments/7", {{"wait", "0"}, {"until", "ended"}});
  EXPECT_THAT(operations.calls, ElementsAre("wait 7 30000ms decided=false after=", "wait 7 60000ms decided=true after=fetching", "deployment 7"));
  operations.calls.clear();
  for (const char* wait : {"60s", "1h", "500ms", "0s"}) ask("/v1/deployments/7", {{"wait", wait}});
  ask("/v1/apps/web/jobs/report", {{"wait", "5s"}});
  EXPECT_THAT(operations.calls, ElementsAre("wait 7 60000ms decided=false after=", "wait 7 60000ms decided=false after=", "wait 7 500ms decided=false after=", "deployment 7", "job web/report run=0 5000ms"));
  for (const char* wait : {"", "60x", "1.5s", "s", "60 s", "25h", "86401", "-1s"}) EXPECT_EQ(ask("/v1/deployments/7", {{"wait", wait}}).status, 400) << wait;
}

TEST_F(ApiTest, DeploymentsArePagedByTheNumberThatTheAnswerNames) {
  for (const std::int64_t id : {9, 8, 6, 5, 2}) {
    deploy::DeploymentStatus each;
    each.row.id = id;
    each.row.app = "web";
    operations.listed.push_back(each);
  }
  const auto ids = [](const io::ServerReply& reply) {
    std::string text;
    const auto answer = json::parse(reply.body).value();
    for (const auto& each : answer.at("deployments").as_array()) text += json::text(each.at("id")) + " ";
    return text;
  };
  const auto first = ask("/v1/deployments", {{"app", "web"}, {"limit", "2"}});
  EXPECT_EQ(ids(first) + member(first, "next"), "9 8 8");
  const auto second = ask("/v1/deployments", {{"app", "web"}, {"limit", "2"}, {"before", member(first, "next")}});
  EXPECT_EQ(ids(second) + member(second, "next"), "6 5 5");
  const auto last = ask("/v1/deployments", {{"app", "web"}, {"limit", "2"}, {"before", member(second, "next")}});
  EXPECT_EQ(ids(last) + member(last, "next"), "2 null");
  EXPECT_EQ(member(ask("/v1/deployments", {{"limit", "5"}}), "next"), "null") << "just as many as there are";
  operations.calls.clear();
  EXPECT_EQ(ask("/v1/deployments", {{"since", "2026-11-24T09:00:00+01:00"}, {"until", "2026-11-25"}}).status, 200);
  EXPECT_THAT(operations.calls, ElementsAre("deployments app= most=21 since=2026-11-24T08:00:00.000000Z until=2026-11-25T00:00:00.000000Z"));
  for (const auto& query : std::vector<std::map<std::string, std::string>>{{{"before", "0"}}, {{"before", "x"}}, {{"since", "soon"}}, {{"until", "soon"}}, {{"since", "2026-11-25"}, {"until", "2026-11-24"}}})
    EXPECT_EQ(ask("/v1/deployments", query).status, 400) << query.begin()->first;
}

TEST_F(ApiTest, ListsAreBounded) {
  ask("/v1/deployments", {{"app", "web"}, {"limit", "100"}});
  EXPECT_THAT(operations.calls, ElementsAre("deployments app=web most=101"));
  const auto reply = ask("/v1/events", {{"from", "5"}, {"limit", "10"}, {"app", "web"}});
  EXPECT_THAT(node.calls, ElementsAre("events from=5 most=10 app=web"));
  EXPECT_EQ(member(reply, "events"), R"([{"number":1,"at":"2026-11-24T09:00:00.000000Z","kind":"node.started","app":"","data":{"version":"0.1.0"}}])");
}

TEST_F(ApiTest, AWebhookIsTestedByItsName) {
  EXPECT_EQ(ask(request("POST", "/v1/webhooks/chat/test", R"({"reason": "a new chat"})")).status, 200);
  EXPECT_THAT(node.calls, ElementsAre("test webhook chat why=a new chat", "events from=2 most=1000 app="));
  const auto unknown = ask(request("POST", "/v1/webhooks/none/test"));
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(member(unknown, "detail"), "there is no webhook 'none'");
}

TEST_F(ApiTest, AReloadTellsWhatWaitsForARestartAndEndsConnectionsOnlyAfterItsAnswer) {
  bool ended = false;
  node.then = [&ended] { ended = true; };
  auto reply = ask(request("POST", "/v1/reload", R"({"reason": "a new sink"})"));
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(member(reply, "files"), R"(["/etc/berth/berthd.toml"])");
  EXPECT_EQ(member(reply, "until_restart"), R"(["[repository]"])");
  EXPECT_THAT(node.calls, ElementsAre("reload by=root (uid 0) why=a new sink"));
  EXPECT_FALSE(ended);
  ASSERT_TRUE(reply.then);
  reply.then();
  EXPECT_TRUE(ended);
  node.wrong_config = "the configuration is wrong: berthd.toml:4:1: unknown key 'levl'";
  const auto refused = ask(request("POST", "/v1/reload", ""));
  EXPECT_EQ(refused.status, 409);
  EXPECT_EQ(member(refused, "detail"), node.wrong_config);
}

TEST_F(ApiTest, RemoveTakesItsOptionsFromTheQuery) {
  auto remove = request("DELETE", "/v1/apps/web");
  remove.query = {{"purge", "true"}, {"reason", "moved"}};
  EXPECT_EQ(ask(remove).status, 200);
  EXPECT_THAT(operations.calls, ElementsAre("remove web purge=true why=moved"));
  remove.query = {{"purge", "yes"}};
  EXPECT_EQ(ask(remove).status, 400);
}

TEST_F(ApiTest, FailuresAreProblemsWithTheirStatusAndExit) {
  const struct {
    Errc code;
    int status, exit;
  } cases[] = {
      {Errc::usage, 400, 2},   {Errc::not_found, 404, 3}, {Errc::exists, 409, 8},      {Errc::trust, 422, 4},       {Errc::protocol, 502, 1},
      {Errc::refused, 503, 1}, {Errc::timeout, 504, 1},   {Errc::unreachable, 503, 1}, {Errc::permission, 403, 7},  {Errc::conflict, 409, 8},
      {Errc::no_space, 507, 1}, {Errc::cancelled, 409, 8}, {Errc::io, 500, 1},          {Errc::internal, 500, 1},
  };
  for (const auto& one : cases) {
    operations.error = Error{one.code, "web v9: because"};
    const auto reply = ask("POST", "/v1/apps/web/deployments", R"({"release": "v9"})");
    EXPECT_EQ(reply.status, one.status) << to_string(one.code);
    EXPECT_EQ(reply.content_type, "application/problem+json");
    EXPECT_EQ(reply.body, json::text(json::object{{"type", "about:blank"},
                                                  {"title", std::string(to_string(one.code))},
                                                  {"status", one.status},
                                                  {"detail", "web v9: because"},
                                                  {"code", std::string(to_string(one.code))},
                                                  {"exit", one.exit}}) + "\n");
  }
}

TEST_F(ApiTest, WhatIsNotThereAndWhatIsNotTakenAreToldApart) {
  EXPECT_EQ(ask("GET", "/").status, 404);
  EXPECT_EQ(ask("GET", "/v1/apps").status, 404);
  EXPECT_EQ(ask("GET", "/v1/apps/web/").status, 404);
  EXPECT_EQ(ask("GET", "/v2/status").status, 404);
  const auto reply = ask("PUT", "/v1/apps/web");
  EXPECT_EQ(reply.status, 405);
  EXPECT_EQ(reply.headers.at("allow"), "GET, HEAD, DELETE");
  EXPECT_EQ(ask("GET", "/v1/gc").headers.at("allow"), "POST");
  EXPECT_EQ(ask("HEAD", "/v1/status").status, 200);
}

TEST_F(ApiTest, OnlyOperatorsAreAnswered) {
  node.who = {.name = "www-data (uid 33)", .role = Role::anybody, .apps = {}};
  for (const Route& route : routes()) {
    const auto reply = ask(std::string(route.method), std::string(route.pattern));
    EXPECT_EQ(reply.status, 403) << route.pattern;
    EXPECT_EQ(member(reply, "exit"), "7");
    EXPECT_THAT(member(reply, "detail"), HasSubstr("www-data (uid 33)"));
  }
  EXPECT_THAT(operations.calls, IsEmpty());
}

TEST_F(ApiTest, TheNetworkSeesMetricsAndHealthAlone) {
  const auto wants_host = [](const Route& route) { return route.pattern.starts_with("/page") || route.pattern == "/status"; };
  for (const Route& route : routes()) {
    const bool open = route.role == Role::anybody;
    EXPECT_EQ(on_network(std::string(route.method), std::string(route.pattern)).status, open ? wants_host(route) ? 403 : 200 : 404) << route.pattern;
  }
  EXPECT_EQ(on_network("POST", "/metrics").status, 405);
  EXPECT_THAT(operations.calls, IsEmpty());
}

TEST_F(ApiTest, TheGlanceAtTheNodeTellsNoPathsPeopleAndTexts) {
  deploy::AppStatus app;
  app.row = {.app = "web", .active = "v2", .previous = "v1", .held = {.why = "an audit", .by = "root"}};
  app.health = "degraded";
  app.problem = "something secret";
  deploy::InstanceView view;
  view.status.id = {"web", "web", 1, "v2"};
  view.status.pid = 42;
  view.status.not_ready = "503 from /secret";
  app.instances = {view};
  operations.apps = {app};
  node.node.node = "edge-1";
  auto glance = request("GET", "/status");
  glance.headers["host"] = "localhost";
  const auto reply = io::on_loop(loop, api.on_network(glance));
  EXPECT_THAT(reply.body, testing::AllOf(HasSubstr(R"("node":"edge-1")"), HasSubstr(R"("health":"degraded")"), HasSubstr(R"("held":true,"troubled":true)"),
                                         HasSubstr(R"("process":"web","number":1,"release":"v2","up":true,"ready":false)")));
  EXPECT_THAT(reply.body, testing::Not(testing::AnyOf(HasSubstr("secret"), HasSubstr("audit"), HasSubstr("root"), HasSubstr("/var"))));
}

TEST_F(ApiTest, AppsMetricsAreAtOnePlaceAndFoundByPrometheus) {
  for (int i = 0; i < 30'000; ++i) node.told_by_apps += fmt::format("a{{number=\"{}\"}} 1\n", i);
  const auto reply = on_network("GET", "/metrics/apps");
  ASSERT_TRUE(reply.stream);
  EXPECT_EQ(io::on_loop(loop, text_of(reply)), node.told_by_apps);
  EXPECT_THAT(reply.content_type, HasSubstr("version=0.0.4"));
  operations.targets = {{.id = {"web", "web", 1, "v2"}, .path = "/metrics", .to = {.address = "127.0.0.1", .port = 20001}}};
  const auto found = on_network("GET", "/sd");
  EXPECT_EQ(found.content_type, "application/json");
  EXPECT_THAT(found.body, HasSubstr(R"([{"targets":["127.0.0.1:20001"],)"));
}

TEST_F(ApiTest, ReadinessIsTheDeployers) {
  EXPECT_EQ(ask("GET", "/readyz").status, 200);
  operations.is_ready = false;
  EXPECT_EQ(ask("GET", "/readyz").status, 503);
  EXPECT_THAT(ask("GET", "/readyz").body, HasSubstr("not ready: "));
  EXPECT_EQ(ask("GET", "/healthz").status, 200);
}

TEST_F(ApiTest, ChangesWaitUntilBerthdHasTakenOverWhatRuns) {
  operations.is_ready = false;
  EXPECT_EQ(ask("POST", "/v1/apps/web/restart").status, 200);
  EXPECT_THAT(node.calls, ElementsAre("until ready", "events from=2 most=1000 app=web"));
  EXPECT_EQ(ask("GET", "/v1/status").status, 200) << "who looks does not wait";
  node.becomes_ready = false;
  operations.calls.clear();
  const auto reply = ask("POST", "/v1/apps/web/restart");
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(member(reply, "code"), "conflict");
  EXPECT_THAT(operations.calls, IsEmpty());
}

TEST_F(ApiTest, MetricsAreInPrometheusFormat) {
  const auto reply = ask("GET", "/metrics");
  EXPECT_EQ(reply.body, "berth_ready 1\n");
  EXPECT_THAT(reply.content_type, HasSubstr("version=0.0.4"));
}

TEST(Caller, RootIsAnAdminAndNamesItself) {
  const Caller caller = identify({.uid = 0, .gid = 0}, {});
  EXPECT_EQ(caller.role, Role::admin);
  EXPECT_EQ(caller.name, "root (uid 0)");
}

TEST(Caller, OthersHaveTheRoleOfTheFirstOfTheirGroups) {
  const gid_t daemons = group_named("daemon").value();
  const std::vector<Group> groups{{daemons, Role::admin, {}}, {7000, Role::operator_, {"web"}}, {7001, Role::viewer, {}}, {static_cast<gid_t>(-1), Role::admin, {}}};
  const auto role = [&](gid_t gid, std::vector<gid_t> more) { return identify({.uid = 4'000'000, .gid = gid, .groups = std::move(more)}, groups).role; };
  EXPECT_EQ(identify({.uid = 4'000'000, .gid = 4'000'000}, {}).role, Role::anybody);
  EXPECT_EQ(role(4'000'000, {}), Role::anybody);
  EXPECT_EQ(role(4'000'000, {0, 7002}), Role::anybody) << "nor by the group of root";
  EXPECT_EQ(role(daemons, {}), Role::admin);
  EXPECT_EQ(role(4'000'000, {7001}), Role::viewer);
  EXPECT_EQ(role(7001, {7000}), Role::operator_) << "the first of berthd.toml, not of the peer";
  EXPECT_EQ(role(7001, {7000, daemons}), Role::admin);
  EXPECT_THAT(identify({.uid = 4'000'000, .gid = 4'000'000, .groups = {7000}}, groups).apps, ElementsAre("web"));
  EXPECT_EQ(identify({.uid = 4'000'000, .gid = 0}, {}).name, "uid 4000000");
  const Caller daemon = identify({.uid = 1, .gid = 65534}, groups);
  EXPECT_EQ(daemon.role, Role::anybody) << "who is in it by /etc/passwd, and has left it";
  EXPECT_EQ(daemon.name, "daemon (uid 1)");
  EXPECT_TRUE(daemon.on_node);
  EXPECT_EQ(identify({.uid = static_cast<uid_t>(-1), .gid = daemons}, groups).role, Role::anybody) << "a peer that is unknown";
  EXPECT_EQ(identify({.uid = 0, .gid = 0, .groups = {7001}}, groups).role, Role::admin) << "root is no less for being in one";
  EXPECT_FALSE(group_named("no-such-group"));
}

}  // namespace
}  // namespace berth::api
