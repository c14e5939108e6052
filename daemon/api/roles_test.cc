#include <algorithm>
#include <set>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/io/on_loop.h"
#include "core/json/json.h"
#include "daemon/api/api.h"
#include "daemon/api/fake_operations.h"
#include "daemon/api/routes.h"

namespace berth::api {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

/// What becomes of a call by a client whose role is enough.
enum class Then {
  done,
  refused,   ///< 403
  unknown    ///< 404
};

/// A call, and who may make it with a certificate: the least role, and what becomes of it for a client who is limited to the app `web`.
struct Row {
  const char *method, *pattern, *body;
  Role least;
  Then own, other;  ///< where the call is about `web`, and about `blog`
  bool only_on_node = false;
};

// The table is written down a second time, so that a route which is added, or a role that is changed, has to be thought of twice.
const Row kRows[] = {
    {"GET", "/v1/status", "", Role::viewer, Then::done, Then::done},
    {"GET", "/v1/apps/{app}", "", Role::viewer, Then::done, Then::refused},
    {"GET", "/v1/apps/{app}/why", "", Role::viewer, Then::done, Then::refused},
    {"DELETE", "/v1/apps/{app}", "", Role::admin, Then::done, Then::refused},
    {"POST", "/v1/apps/{app}/deployments", R"({"release": "v2"})", Role::deployer, Then::done, Then::refused},
    {"POST", "/v1/apps/{app}/plan", R"({"release": "v2"})", Role::deployer, Then::done, Then::refused},
    {"POST", "/v1/apps/{app}/revert", "{}", Role::deployer, Then::done, Then::refused},
    {"POST", "/v1/apps/{app}/revert/plan", "{}", Role::deployer, Then::done, Then::refused},
    {"POST", "/v1/apps/{app}/hold", "{}", Role::operator_, Then::done, Then::refused},
    {"POST", "/v1/apps/{app}/resume", "{}", Role::operator_, Then::done, Then::refused},
    {"POST", "/v1/apps/{app}/mark", R"({"release": "v3", "as": "bad"})", Role::operator_, Then::done, Then::refused},
    {"POST", "/v1/apps/{app}/stop", "{}", Role::operator_, Then::done, Then::refused},
    {"POST", "/v1/apps/{app}/start", "{}", Role::operator_, Then::done, Then::refused},
    {"POST", "/v1/apps/{app}/restart", "{}", Role::operator_, Then::done, Then::refused},
    {"POST", "/v1/apps/{app}/scale", R"({"process": "web", "instances": 2})", Role::operator_, Then::done, Then::refused},
    {"POST", "/v1/apps/{app}/exec", R"({"command": ["ls"]})", Role::operator_, Then::done, Then::refused},
    {"POST", "/v1/apps/{app}/exec/files", R"({"command": ["ls"]})", Role::operator_, Then::done, Then::refused, true},
    {"GET", "/v1/apps/{app}/jobs/{process}", "", Role::viewer, Then::done, Then::refused},
    {"POST", "/v1/apps/{app}/jobs/{process}/run", "{}", Role::operator_, Then::done, Then::refused},
    {"POST", "/v1/apps/{app}/pin", R"({"release": "v1"})", Role::deployer, Then::done, Then::refused},
    {"POST", "/v1/apps/{app}/unpin", R"({"release": "v1"})", Role::deployer, Then::done, Then::refused},
    {"GET", "/v1/apps/{app}/releases", "", Role::viewer, Then::done, Then::refused},
    {"GET", "/v1/apps/{app}/logs", "", Role::viewer, Then::done, Then::refused},
    {"GET", "/v1/deployments", "", Role::viewer, Then::done, Then::done},
    {"GET", "/v1/deployments/{id}", "", Role::viewer, Then::done, Then::unknown},
    {"POST", "/v1/deployments/{id}/cancel", "{}", Role::deployer, Then::done, Then::unknown},
    {"POST", "/v1/node/drain", "{}", Role::operator_, Then::refused, Then::refused},
    {"POST", "/v1/node/resume", "{}", Role::operator_, Then::refused, Then::refused},
    {"POST", "/v1/reload", "{}", Role::admin, Then::refused, Then::refused},
    {"POST", "/v1/webhooks/{webhook}/test", "{}", Role::operator_, Then::refused, Then::refused},
    {"GET", "/v1/repository/apps", "", Role::viewer, Then::done, Then::done},
    {"GET", "/v1/events", "", Role::viewer, Then::done, Then::done},
    {"POST", "/v1/gc", "{}", Role::admin, Then::refused, Then::refused},
    {"POST", "/v1/gc", R"({"dry_run": true})", Role::viewer, Then::refused, Then::refused},
    {"POST", "/v1/imports", R"({"path": "/srv/web.berth"})", Role::admin, Then::refused, Then::refused, true},
    {"POST", "/v1/verify", R"({"app": "{app}"})", Role::operator_, Then::done, Then::refused},
    {"GET", "/metrics", "", Role::viewer, Then::refused, Then::refused},
    {"GET", "/metrics/apps", "", Role::viewer, Then::refused, Then::refused},
    {"GET", "/sd", "", Role::viewer, Then::refused, Then::refused},
    {"GET", "/status", "", Role::viewer, Then::refused, Then::refused},
    {"GET", "/page", "", Role::viewer, Then::refused, Then::refused},
    {"GET", "/page/files/{file}", "", Role::viewer, Then::refused, Then::refused},
    {"GET", "/page/status", "", Role::viewer, Then::refused, Then::refused},
    {"GET", "/page/events", "", Role::viewer, Then::refused, Then::refused},
    {"GET", "/healthz", "", Role::viewer, Then::done, Then::done},
    {"GET", "/readyz", "", Role::viewer, Then::done, Then::done},
};

std::string with(std::string text, const std::string& from, const std::string& to) {
  if (const auto at = text.find(from); at != std::string::npos) text.replace(at, from.size(), to);
  return text;
}

class RolesTest : public testing::Test {
 protected:
  static io::ServerRequest request(const Row& row, const std::string& app) {
    io::ServerRequest request;
    request.method = row.method;
    request.path = with(with(with(with(row.pattern, "{app}", app), "{id}", "7"), "{process}", "report"), "{webhook}", "chat");
    request.path = with(request.path, "{file}", "page.js");
    request.body = with(row.body, "{app}", app);
    if (!request.body.empty()) request.headers["content-type"] = "application/json";
    if (request.path.ends_with("/exec")) request.headers.insert({{"connection", "Upgrade"}, {"upgrade", "berth-exec"}});
    return request;
  }
  io::ServerReply ask(io::ServerRequest request) { return io::on_loop(loop, api.on_tls(std::move(request))); }
  io::ServerReply get(const std::string& path, std::map<std::string, std::string> query = {}) {
    io::ServerRequest request;
    request.method = "GET";
    request.path = path;
    request.query = std::move(query);
    return ask(std::move(request));
  }
  void be(Role role, std::vector<std::string> apps = {}) {
    node.who = {.name = "ci.example.org (certificate, from 10.0.0.7)", .role = role, .apps = std::move(apps), .on_node = false};
  }

  /// Asks for `row` about `app`, and looks that what is refused did nothing.
  void expect(const Row& row, const std::string& app, Then then) {
    operations.calls.clear();
    operations.one.row.app = app;
    const auto reply = ask(request(row, app));
    const std::string what = fmt::format("{} {} of {} by {} {}: {}", row.method, row.pattern, app, to_string(node.who.role), node.who.apps.size(), reply.body);
    if (then == Then::done) {
      EXPECT_LT(reply.status, 300) << what;
      return;
    }
    EXPECT_EQ(reply.status, then == Then::refused ? 403 : 404) << what;
    EXPECT_THAT(reply.content_type, "application/problem+json") << what;
    for (const auto& call : operations.calls) EXPECT_EQ(call, "deployment 7") << what << ": nothing but whose it is was looked up";
  }

  io::Loop loop;
  FakeOperations operations;
  FakeNode node;
  Api api{operations, node};
};

TEST_F(RolesTest, EveryRouteIsInTheTable) {
  std::set<std::string> known, there;
  for (const Row& row : kRows) known.insert(fmt::format("{} {}", row.method, row.pattern));
  for (const Route& route : routes()) there.insert(fmt::format("{} {}", route.method, route.pattern));
  EXPECT_EQ(known, there) << "who may make the call that was added?";
}

TEST_F(RolesTest, EveryRouteTimesEveryRoleTimesItsOwnAndOthersApps) {
  for (const Row& row : kRows) {
    for (const Role role : {Role::anybody, Role::viewer, Role::deployer, Role::operator_, Role::admin}) {
      const bool enough = role >= row.least && role != Role::anybody && !row.only_on_node;
      be(role);
      for (const char* app : {"web", "blog"}) expect(row, app, enough ? Then::done : Then::refused);
      if (role == Role::admin) continue;  // is never limited
      be(role, {"web", "api"});
      expect(row, "web", enough ? row.own : Then::refused);
      expect(row, "blog", enough ? row.other : Then::refused);
    }
  }
}

TEST_F(RolesTest, OnTheNodeAnAdminMayDoEverything) {
  for (const Row& row : kRows) {
    const auto reply = io::on_loop(loop, api.on_socket(request(row, "web")));
    EXPECT_LT(reply.status, 300) << row.method << " " << row.pattern << ": " << reply.body;
  }
}

TEST_F(RolesTest, ARefusalSaysWhichRoleIsNeededAndWhoAsked) {
  be(Role::viewer);
  const auto reply = ask(request({"POST", "/v1/apps/{app}/deployments", R"({"release": "v2"})", {}, {}, {}}, "web"));
  EXPECT_THAT(reply.body, AllOf(HasSubstr("ci.example.org (certificate, from 10.0.0.7) is a viewer here"), HasSubstr("needs the role deployer"), HasSubstr(R"("exit":7)")));
  EXPECT_THAT(reply.body, HasSubstr("and 'berth deploy web' (POST /v1/apps/web/deployments) needs the role"));
  EXPECT_THAT(ask(request({"POST", "/v1/apps/{app}/plan", R"({"release": "v2"})", {}, {}, {}}, "web")).body, HasSubstr("and 'berth deploy --plan web' (POST /v1/apps/web/plan) needs"));
  EXPECT_THAT(ask(request({"POST", "/v1/apps/{app}/revert/plan", "{}", {}, {}, {}}, "web")).body, HasSubstr("and 'berth revert --plan web' (POST /v1/apps/web/revert/plan) needs"));
  be(Role::operator_);
  EXPECT_THAT(ask(request({"DELETE", "/v1/apps/{app}", "", {}, {}, {}}, "web")).body, HasSubstr("is an operator here, and 'berth remove web' (DELETE /v1/apps/web) needs the role admin"));
  be(Role::viewer);
  EXPECT_THAT(ask(request({"POST", "/v1/reload", "{}", {}, {}, {}}, "web")).body, HasSubstr("and 'berth node reload' (POST /v1/reload) needs the role admin"));
  EXPECT_THAT(ask(request({"POST", "/v1/node/drain", "{}", {}, {}, {}}, "web")).body, HasSubstr("and 'berth node drain' (POST /v1/node/drain) needs the role operator"));
  EXPECT_THAT(ask(request({"POST", "/v1/gc", "{}", {}, {}, {}}, "web")).body, HasSubstr("is a viewer here, and 'berth gc' (POST /v1/gc) needs the role admin, but for --dry-run"));
  be(Role::deployer, {"blog"});
  EXPECT_THAT(ask(request({"POST", "/v1/apps/{app}/deployments", R"({"release": "v2"})", {}, {}, {}}, "web")).body, HasSubstr("is limited to blog, and sees nothing of web"));
  be(Role::admin);
  EXPECT_THAT(ask(request({"POST", "/v1/apps/{app}/exec/files", R"({"command": ["ls"]})", {}, {}, {}}, "web")).body, HasSubstr("for callers on the node alone"));
  be(Role::anybody);
  EXPECT_THAT(get("/v1/status").body, HasSubstr("no [[api.client]] of its berthd.toml fits a name of that certificate"));
}

TEST_F(RolesTest, WhoIsLimitedIsToldNoPathsOfLogs) {
  node.feed.reset();
  node.no_logs = "web/wroker: no logs below /var/log/berth/web (there are: web/web.1)";
  be(Role::viewer);
  EXPECT_THAT(get("/v1/apps/web/logs", {{"process", "wroker"}}).body, HasSubstr("below /var/log/berth/web"));
  be(Role::viewer, {"web"});
  const auto reply = get("/v1/apps/web/logs", {{"process", "wroker"}});
  EXPECT_EQ(reply.status, 404);
  EXPECT_THAT(reply.body, AllOf(HasSubstr("web/wroker: this node has no such logs; 'berth status web'"), Not(HasSubstr("/var/log"))));
}

TEST_F(RolesTest, WhatOperatorsSaidADeployerDoesNotGoOver) {
  const Row deploy{"POST", "/v1/apps/{app}/deployments", R"({"release": "v2", "force": true})", {}, {}, {}};
  const Row plan{"POST", "/v1/apps/{app}/plan", R"({"release": "v2", "force": true})", {}, {}, {}};
  be(Role::deployer);
  EXPECT_EQ(ask(request(deploy, "web")).status, 403);
  EXPECT_EQ(ask(request(plan, "web")).status, 403) << "it would promise what is refused";
  EXPECT_THAT(operations.calls, IsEmpty());
  be(Role::operator_, {"web"});
  EXPECT_EQ(ask(request(deploy, "web")).status, 202);
  EXPECT_EQ(ask(request(plan, "web")).status, 200);

  const Row back{"POST", "/v1/apps/{app}/revert", "{}", {}, {}, {}}, to_v2{"POST", "/v1/apps/{app}/revert", R"({"to": "v2"})", {}, {}, {}},
      to_bad{"POST", "/v1/apps/{app}/revert", R"({"to": "v3"})", {}, {}, {}};
  const auto reverts = [&] { return std::ranges::count_if(operations.calls, [](const std::string& call) { return call.starts_with("revert "); }); };
  deploy::AppStatus status;
  status.row.app = "web";
  status.rejected = {{.release = "v3", .manifest_sha256 = {}, .reason = "marked bad by root (uid 0)", .at = "2026-11-24T09:00:00Z"}};
  operations.apps = {status};
  be(Role::deployer);
  const auto bad = ask(request(to_bad, "web"));
  EXPECT_EQ(bad.status, 403);
  EXPECT_THAT(bad.body, AllOf(HasSubstr("web@v3 is rejected on this node since 2026-11-24T09:00:00Z (marked bad by root (uid 0))"), HasSubstr("needs the role operator")));
  const Row planned{"POST", "/v1/apps/{app}/revert/plan", R"({"to": "v3"})", {}, {}, {}}, planned_back{"POST", "/v1/apps/{app}/revert/plan", "{}", {}, {}, {}};
  EXPECT_EQ(ask(request(planned, "web")).status, 403) << "it would promise what is refused";
  EXPECT_EQ(ask(request(planned_back, "web")).status, 200);
  EXPECT_EQ(reverts(), 0);
  EXPECT_EQ(ask(request(back, "web")).status, 202);
  EXPECT_EQ(ask(request(to_v2, "web")).status, 202);
  operations.apps.front().row.held = {.why = "reverted", .by = "root (uid 0)", .firm = false};
  EXPECT_EQ(ask(request(to_v2, "web")).status, 202) << "the hold of a revert before";
  EXPECT_EQ(reverts(), 3);
  operations.apps.front().row.held.firm = true;
  for (const Row& row : {back, to_v2, to_bad}) {
    const auto held = ask(request(row, "web"));
    EXPECT_EQ(held.status, 403) << row.body;
    EXPECT_THAT(held.body, HasSubstr("web is held (by root (uid 0)"));
  }
  EXPECT_EQ(reverts(), 3);
  be(Role::operator_, {"web"});
  for (const Row& row : {back, to_v2, to_bad}) EXPECT_EQ(ask(request(row, "web")).status, 202) << row.body;
}

TEST_F(RolesTest, ChangesAreInTheHistoryWithTheCertificatesName) {
  be(Role::deployer, {"web"});
  ask(request({"POST", "/v1/apps/{app}/deployments", R"({"release": "v2", "reason": "a fix"})", {}, {}, {}}, "web"));
  EXPECT_THAT(operations.calls, ElementsAre("deploy web@v2 env= force=false key= by=ci.example.org (certificate, from 10.0.0.7) why=a fix"));
}

TEST_F(RolesTest, ListsShowAClientsOwnAppsAlone) {
  be(Role::viewer, {"web", "api"});
  for (const char* app : {"web", "blog", "api"}) {
    deploy::AppStatus status;
    status.row.app = app;
    operations.apps.push_back(status);
    operations.in_repository[app] = {"v1"};
    node.node.follows.push_back({.app = app, .channel = "stable"});
    node.node.left.push_back({app, true, true});
  }
  node.node.sinks.push_back({.name = "of-all"});
  node.node.webhooks.push_back({.name = "also-of-all"});
  node.node.config_refused = {.at = "then", .reason = "[[follow]] of blog is wrong"};
  EXPECT_THAT(get("/v1/status").body, AllOf(HasSubstr(R"("app":"web")"), HasSubstr(R"("app":"api")"), Not(HasSubstr("blog")), Not(HasSubstr("of-all"))));
  EXPECT_THAT(get("/v1/status").body, HasSubstr(R"("limited_to":["web","api"])"));
  node.node.repository = "https://r.of-the-node.example";
  node.node.root = node.node.ca_file = node.node.certificate_file = node.node.key_file = "/etc/of-the-node/file";
  node.node.trust.last_error = "r.of-the-node.example: connection refused";
  node.node.events_intrusion = "somebody of-the-node wrote 8 bytes";
  node.node.trust.roles = {{.role = "timestamp", .version = 4, .expires = {}}};
  node.node.paths = {.state = "/var/of-the-node", .logs = "/var/of-the-node/logs", .run = "/run/of-the-node"};
  node.node.config_file = "/etc/of-the-node/berthd.toml";
  node.node.remote_api = {.listen = "0.0.0.0:9465", .problem = "/etc/of-the-node/api.pem: no certificate"};
  node.node.metrics_listener = {.listen = "0.0.0.0:9464", .problem = "/etc/of-the-node/metrics.pem: no certificate"};
  node.node.drained = {.at = "2026-11-24T09:00:00Z", .by = "boss of-the-node", .why = "a disk of-the-node"};
  const auto status = get("/v1/status").body;
  EXPECT_THAT(status, AllOf(Not(HasSubstr("of-the-node")), HasSubstr(R"("role":"timestamp")"), HasSubstr(R"("drained":{"at":"2026-11-24T09:00:00Z","by":"","why":""})")));
  EXPECT_THAT(status, HasSubstr(R"("paths":{"state":"","logs":"","run":"","config":""})"));
  EXPECT_THAT(get("/v1/repository/apps").body, AllOf(HasSubstr("web"), HasSubstr("api"), Not(HasSubstr("blog"))));
  be(Role::viewer);
  EXPECT_THAT(get("/v1/status").body, AllOf(HasSubstr("blog"), HasSubstr("\"of-all"), HasSubstr("also-of-all"), HasSubstr("https://r.of-the-node.example"), HasSubstr("boss of-the-node"), HasSubstr("somebody of-the-node"), HasSubstr(R"("limited_to":[])")));
}

TEST_F(RolesTest, DeploymentsOfSeveralAppsAreAskedForByApp) {
  be(Role::viewer, {"web", "api"});
  EXPECT_EQ(get("/v1/deployments", {{"limit", "1"}}).status, 200);
  EXPECT_THAT(operations.calls, ElementsAre("deployments app=web most=2", "deployments app=api most=2")) << "one more than is shown, which tells whether there are more";
  EXPECT_EQ(get("/v1/deployments", {{"app", "blog"}}).status, 403);
  operations.calls.clear();
  EXPECT_EQ(get("/v1/deployments", {{"app", "web"}}).status, 200);
  EXPECT_THAT(operations.calls, ElementsAre("deployments app=web most=21"));
  for (const std::int64_t id : {9, 8, 7, 6}) {
    operations.listed.emplace_back();
    operations.listed.back().row.id = id;
    operations.listed.back().row.app = id == 8 ? "blog" : id == 7 ? "web" : "api";
  }
  const auto page = get("/v1/deployments", {{"limit", "2"}});
  EXPECT_THAT(page.body, AllOf(HasSubstr("\"id\":9"), Not(HasSubstr("blog")), HasSubstr("\"id\":7"), HasSubstr("\"next\":7")));
  EXPECT_THAT(get("/v1/deployments", {{"limit", "2"}, {"before", "7"}}).body, AllOf(HasSubstr("\"id\":6"), HasSubstr("\"next\":null")));
}

TEST_F(RolesTest, EventsAreThoseOfAClientsAppsInTheirOrder) {
  be(Role::viewer, {"web", "api"});
  node.told = {{.number = 1, .kind = "node.started", .app = {}}, {.number = 2, .kind = "k", .app = "web"}, {.number = 3, .kind = "k", .app = "blog"},
               {.number = 4, .kind = "k", .app = "api"},         {.number = 5, .kind = "k", .app = "web"}};
  const auto numbers = [&](const io::ServerReply& reply) {
    std::vector<std::int64_t> found;
    const auto body = json::parse(reply.body);
    for (const auto& event : body->as_object().at("events").as_array()) found.push_back(event.as_object().at("number").as_int64());
    return found;
  };
  EXPECT_THAT(numbers(get("/v1/events")), ElementsAre(2, 4, 5));
  EXPECT_THAT(numbers(get("/v1/events", {{"limit", "2"}})), ElementsAre(2, 4));
  EXPECT_THAT(numbers(get("/v1/events", {{"from", "5"}})), ElementsAre(5));
  EXPECT_THAT(numbers(get("/v1/events", {{"last", "2"}})), ElementsAre(4, 5));
  EXPECT_THAT(numbers(get("/v1/events", {{"last", "3"}})), ElementsAre(2, 4, 5));
  EXPECT_EQ(get("/v1/events", {{"app", "blog"}, {"last", "2"}}).status, 403);
  EXPECT_EQ(get("/v1/events", {{"app", "blog"}}).status, 403);
}

TEST_F(RolesTest, ALimitedClientVerifiesItsOwnAppsAlone) {
  be(Role::operator_, {"web"});
  const Row verify{"POST", "/v1/verify", "{}", {}, {}, {}};
  EXPECT_EQ(ask(request(verify, "web")).status, 403) << "all of them";
  EXPECT_THAT(operations.calls, IsEmpty());
}

TEST_F(RolesTest, MembersOfGroupsOfTheNodeHaveNoMoreThanTheirRole) {
  for (const Row& row : kRows) {
    for (const Role role : {Role::viewer, Role::deployer, Role::operator_, Role::admin}) {
      node.who = {.name = "alice (uid 1000)", .role = role, .apps = {}, .on_node = true};
      const auto reply = io::on_loop(loop, api.on_socket(request(row, "web")));
      EXPECT_EQ(reply.status == 403, role < row.least) << row.method << " " << row.pattern << " by a " << to_string(role) << ": " << reply.body;
      if (reply.status == 403) {
        EXPECT_THAT(reply.body, HasSubstr("see [[api.local]] of this node's berthd.toml"));
      }
      if (role == Role::admin) continue;
      node.who.apps = {"web"};
      operations.one.row.app = "blog";
      const auto of_another = io::on_loop(loop, api.on_socket(request(row, "blog")));
      const Then then = role < row.least ? Then::refused : row.other;
      EXPECT_EQ(of_another.status == 403, then == Then::refused) << row.method << " " << row.pattern << " of blog by one of web: " << of_another.body;
      EXPECT_EQ(of_another.status == 404, then == Then::unknown) << row.method << " " << row.pattern << " of blog by one of web: " << of_another.body;
    }
  }
}

TEST_F(RolesTest, WebPagesAreNotAnswered) {
  be(Role::admin);
  const Row restart{"POST", "/v1/apps/{app}/restart", "{}", {}, {}, {}};
  auto from_page = request(restart, "web");
  from_page.headers["origin"] = "https://evil.example";
  EXPECT_EQ(ask(from_page).status, 403);
  for (const char* site : {"cross-site", "same-site", "something new"}) {
    auto looked_at = request({"GET", "/v1/apps/{app}", "", {}, {}, {}}, "web");
    looked_at.headers["sec-fetch-site"] = site;
    EXPECT_EQ(ask(looked_at).status, 403) << site << ", as an image of a page";
    auto forwarded = request(restart, "web");
    forwarded.headers["sec-fetch-site"] = site;
    EXPECT_EQ(io::on_loop(loop, api.on_socket(forwarded)).status, 403) << site << ", by a socket that was forwarded to a port";
  }
  for (const char* site : {"none", "same-origin"}) {
    auto typed_in = request({"GET", "/v1/apps/{app}", "", {}, {}, {}}, "web");
    typed_in.headers["sec-fetch-site"] = site;
    EXPECT_EQ(ask(typed_in).status, 200) << site;
  }
  operations.calls.clear();
  EXPECT_EQ(io::on_loop(loop, api.on_socket(from_page)).status, 403);
  for (const char* type : {"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonx", ""}) {
    auto form = request(restart, "web");
    form.headers["content-type"] = type;
    EXPECT_EQ(ask(form).status, 403) << type;
  }
  auto untyped = request(restart, "web");
  untyped.headers.erase("content-type");
  EXPECT_EQ(ask(untyped).status, 403);
  EXPECT_THAT(operations.calls, IsEmpty());
  untyped.body.clear();
  EXPECT_EQ(ask(untyped).status, 200);
  auto typed = request(restart, "web");
  typed.headers["content-type"] = "application/json; charset=utf-8";
  EXPECT_EQ(ask(typed).status, 200);
}

io::Peer holder(std::vector<std::string> dns, std::vector<std::string> uris = {}, std::vector<std::string> emails = {}) {
  return {.address = "10.0.0.7", .names = io::VerifiedNames{.dns = std::move(dns), .uris = std::move(uris), .emails = std::move(emails), .until = {}}};
}

TEST(Clients, AreKnownByAnyNameOfTheirCertificateAndTheFirstThatFitsCounts) {
  const std::vector<Client> clients{{"ci.example.org", Role::deployer, {"web"}}, {"*.ops.example.org", Role::operator_, {}}, {"spiffe://example.org/watch", Role::viewer, {}},
                                    {"boss@example.org", Role::admin, {}},       {"Boss.example.org", Role::admin, {}}};
  const auto role = [&](const io::Peer& peer) { return identify_client(peer, clients).role; };
  const Caller ci = identify_client(holder({"other.example.org", "CI.example.org"}), clients);
  EXPECT_EQ(ci.role, Role::deployer);
  EXPECT_EQ(ci.name, "CI.example.org (certificate, from 10.0.0.7)");
  EXPECT_THAT(ci.apps, ElementsAre("web"));
  EXPECT_FALSE(ci.on_node);
  EXPECT_EQ(role(holder({"boss.example.org", "ci.example.org"})), Role::deployer) << "the first of berthd.toml, not of the certificate";
  EXPECT_EQ(role(holder({"a.ops.example.org"})), Role::operator_);
  EXPECT_EQ(role(holder({}, {"spiffe://example.org/watch"})), Role::viewer);
  EXPECT_EQ(role(holder({}, {}, {"boss@example.org"})), Role::admin);
  for (const char* name : {"ops.example.org", "a.b.ops.example.org", "aops.example.org", ".ops.example.org", "*.ops.example.org", "*.example.org", "ci.example.org.", "xci.example.org",
                           "boss@example.org", "spiffe://example.org/watch", ""})
    EXPECT_EQ(role(holder({name})), Role::anybody) << name;
  EXPECT_EQ(role(holder({}, {"spiffe://example.org/watch/"})), Role::anybody);
  EXPECT_EQ(role(holder({}, {"spiffe://example.org/WATCH"})), Role::anybody);
  EXPECT_EQ(role(holder({}, {"ci.example.org"}, {"ci.example.org"})), Role::anybody) << "another kind of name";
  EXPECT_EQ(role({.uid = 0, .gid = 0}), Role::anybody) << "no certificate";
  EXPECT_EQ(identify_client(holder({}, {}, {"x@example.org"}), clients).name, "x@example.org (certificate, from 10.0.0.7)");
}

}  // namespace
}  // namespace berth::api
