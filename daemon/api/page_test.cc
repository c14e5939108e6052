#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/io/on_loop.h"
#include "core/json/json.h"
#include "daemon/api/api.h"
#include "daemon/api/fake_operations.h"
#include "daemon/api/page_access.h"
#include "daemon/api/to_json.h"
#include "daemon/page/files.h"

namespace berth::api {
namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr const char* kPaths[] = {"/page", "/page/files/page.js", "/page/status", "/page/events"};

class PageTest : public testing::Test {
 protected:
  io::ServerReply ask(const std::string& path, io::Headers headers = {{"host", "127.0.0.1:9464"}}, const std::string& method = "GET") {
    io::ServerRequest request;
    request.method = method;
    request.path = path;
    request.headers = std::move(headers);
    return io::on_loop(loop, api.on_network(std::move(request)));
  }

  io::Loop loop;
  FakeOperations operations;
  FakeNode node;
  Api api{operations, node};
};

TEST_F(PageTest, IsNotThereUnlessItIsWanted) {
  node.has_page = false;
  for (const char* path : kPaths) {
    const auto reply = ask(path);
    EXPECT_EQ(reply.status, 404) << path;
    EXPECT_THAT(reply.body, HasSubstr("[metrics] page = true")) << path;
  }
  EXPECT_THAT(operations.calls, IsEmpty());
  EXPECT_THAT(node.calls, IsEmpty());
}

TEST_F(PageTest, IsGuardedWhateverOfItIsAskedFor) {
  for (const char* path : kPaths) {
    const auto reply = ask(path);
    EXPECT_EQ(reply.status, 200) << path;
    EXPECT_THAT(reply.headers.at("content-security-policy"), AllOf(HasSubstr("default-src 'none'"), HasSubstr("frame-ancestors 'none'"), Not(HasSubstr("unsafe")))) << path;
    EXPECT_EQ(reply.headers.at("x-content-type-options"), "nosniff") << path;
    EXPECT_EQ(reply.headers.at("referrer-policy"), "no-referrer") << path;
    EXPECT_EQ(ask(path, {{"host", "127.0.0.1"}}, "POST").status, 405) << path;
  }
}

TEST_F(PageTest, IsThereUnderNamesOfThisHostAlone) {
  for (const char* host : {"127.0.0.1:9464", "10.0.0.7", "[::1]:9464", "[fd00::7]", "localhost:9464", "LocalHost", "edge-1", "EDGE-1:9464"})
    for (const char* path : kPaths) EXPECT_EQ(ask(path, {{"host", host}}).status, 200) << host << " " << path;
  for (const char* host : {"", "evil.example.org", "evil.example.org:9464", "127.0.0.1.evil.example.org", "edge-1.evil.example.org", "edge-1:x", "edge-1:", "localhost:99999", "[::1",
                           "[::1]x", "[127.0.0.1]", "localhost.", "0x7f000001", "127.1", "127.0.0.1, evil", "127.0.0.1:1:2", "user@localhost", "localhost/x"}) {
    for (const char* path : kPaths) EXPECT_EQ(ask(path, {{"host", host}}).status, 403) << host << " " << path;
  }
  EXPECT_THAT(ask("/page/status", {{"host", "evil.example.org"}}).body, AllOf(HasSubstr("'evil.example.org'"), HasSubstr("localhost")));
  EXPECT_EQ(ask("/page/status", {}).status, 403);
  node.access.names.emplace_back("");
  EXPECT_EQ(ask("/page/status", {{"host", ""}}).status, 403) << "a host without a name is nobody";
}

TEST_F(PageTest, NeitherIsTheSummaryUnderANameOfSomebodyElse) {
  for (const char* host : {"127.0.0.1:9464", "[::1]", "localhost", "edge-1:9464"}) EXPECT_EQ(ask("/status", {{"host", host}}).status, 200) << host;
  for (const bool has_page : {true, false}) {
    node.has_page = has_page;
    for (const char* host : {"evil.example.org", "evil.example.org:9464", ""}) EXPECT_EQ(ask("/status", {{"host", host}}).status, 403) << host;
  }
  EXPECT_THAT(ask("/status", {{"host", "evil.example.org"}}).body, HasSubstr("/status is not at the host 'evil.example.org'"));
  for (const char* path : {"/metrics", "/metrics/apps", "/sd", "/healthz", "/readyz"}) EXPECT_EQ(ask(path, {{"host", "prometheus.example.org"}}).status, 200) << path;
  node.wanted_token = std::make_shared<const crypto::Secret>("0123456789abcdef");
  EXPECT_EQ(ask("/status", {{"host", "edge-1.example.org"}, {"authorization", "Bearer 0123456789abcdef"}}).status, 200) << "no page of somebody else's can show the token";
}

TEST_F(PageTest, IsLedToFromWhereOneMayLookForIt) {
  for (const auto& [path, to] : {std::pair("/", "page"), std::pair("/page/", "../page")}) {
    const auto reply = ask(path);
    EXPECT_EQ(reply.status, 302) << path;
    EXPECT_EQ(reply.headers.at("location"), to);
  }
  EXPECT_EQ(ask("/", {{"host", "evil.example.org"}}).status, 403);
  node.has_page = false;
  EXPECT_EQ(ask("/").status, 404);
}

TEST_F(PageTest, FilesAreKeptByBrowsersUntilTheyAreOthers) {
  for (const char* path : {"/page", "/page/files/page.js", "/page/files/page.css", "/page/files/icon.svg"}) {
    const auto first = ask(path);
    ASSERT_EQ(first.status, 200) << path;
    EXPECT_EQ(first.headers.at("cache-control"), "no-cache");
    const auto again = ask(path, {{"host", "localhost"}, {"if-none-match", first.headers.at("etag")}});
    EXPECT_EQ(again.status, 304) << path;
    EXPECT_THAT(again.body, IsEmpty());
    EXPECT_EQ(ask(path, {{"host", "localhost"}, {"if-none-match", "\"another\""}}).status, 200) << path;
  }
  EXPECT_EQ(ask("/page").content_type, "text/html; charset=utf-8");
  EXPECT_EQ(ask("/page/files/page.js").content_type, "text/javascript; charset=utf-8");
  EXPECT_EQ(ask("/page/files/page.css").content_type, "text/css; charset=utf-8");
  EXPECT_EQ(ask("/page/files/berthd.toml").status, 404);
  EXPECT_EQ(ask("/page/files/").status, 404);
}

TEST_F(PageTest, TellsNoPathsPeopleAndTexts) {
  deploy::AppStatus app;
  app.row = {.app = "web", .active = "v2", .previous = "v1", .held = {.why = "secret", .by = "secret"}};
  app.since = "2026-11-24T09:00:00Z";
  app.health = "deploying";
  app.problem = "secret";
  deploy::DeploymentStatus running;
  running.row = {.id = 7, .app = "web", .release = "v3", .kind = "deploy", .state = "fetching", .reason = "secret", .from = "v2", .by = "secret", .why = "secret"};
  running.bytes_done = 5;
  running.bytes_total = 10;
  running.steps = {{"queued", "2026-11-24T09:00:00Z"}};
  running.last_lines = {"secret"};
  running.hooks = {{.hook = "secret", .result = "secret"}};
  running.notes = {"secret"};
  app.deployment = app.last = running;
  app.slots = {{.app = "web", .release = "v2", .drifted = 1, .drift = "secret", .signed_by = "secret"}};
  app.rejected = {{.release = "v0", .reason = "secret", .at = {}}};
  deploy::InstanceView view;
  view.status.id = {"web", "web", 1, "v2"};
  view.status.not_ready = view.status.says = "secret";
  view.status.started_at = "2026-11-24T09:00:01Z";
  view.status.last_exit = supervise::Exit{.reason = "secret", .at = "2026-11-24T09:00:02Z", .kind = "exit"};
  view.status.probes["readiness"] = {.asked = 4, .failed = 1, .took = std::chrono::milliseconds(500)};
  view.stopped = store::Stop{.at = "secret", .by = "secret", .why = "secret"};
  app.instances = {view};
  app.jobs = {{.row = {.app = "web", .process = "report", .run = 3, .by = "secret", .state = "failed", .result = "secret"}}};
  operations.apps = {app};
  node.node.follows = {{.app = "web", .channel = "stable", .wanted = "v4", .failing_since = "2026-11-24T09:00:03Z", .last_error = "secret", .note = "secret"}};
  node.node.repository = node.node.root = "secret";
  node.node.trust.last_error = "secret";
  node.node.config_refused = {.at = "then", .reason = "secret"};
  node.node.drained = {.at = "then", .by = "secret", .why = "secret"};
  const auto reply = ask("/page/status");
  EXPECT_THAT(reply.body, AllOf(HasSubstr(R"("progress":{"bytes_done":5,"bytes_total":10,)"), HasSubstr(R"("state":"fetching")"), HasSubstr(R"("since":"2026-11-24T09:00:00Z")"),
                                HasSubstr(R"("started_at":"2026-11-24T09:00:01Z")"), HasSubstr(R"("readiness":{"asked":4,"failed":1,"seconds":5E-1})"), HasSubstr(R"("rejected":["v0"])"),
                                HasSubstr(R"("drifted":true)"), HasSubstr(R"("last_event":1)"), HasSubstr(R"("jobs":[{"process":"report","state":"failed"}])"),
                                HasSubstr(R"("ended_at":"2026-11-24T09:00:02Z")"), HasSubstr(R"("stopped":true,"restarts":0)"),
                                HasSubstr(R"("follows":[{"app":"web","channel":"stable","wanted":"v4","failing_since":"2026-11-24T09:00:03Z","stays":true}])")));
  EXPECT_THAT(reply.body, Not(HasSubstr("secret")));
  EXPECT_EQ(reply.headers.at("cache-control"), "no-store");
}

TEST_F(PageTest, EventsAreTheirNumberKindAppReleaseAndState) {
  const store::Event event{.number = 5, .at = "2026-11-24T09:00:00.000000Z", .kind = "deployment.state", .app = "web",
                           .data = {{"deployment", 7}, {"release", "v3"}, {"state", "failed"}, {"reason", "a word of the app"}, {"by", "somebody"}, {"why", "a ticket"}}};
  EXPECT_EQ(json::text(page_json(event)), R"({"number":5,"at":"2026-11-24T09:00:00.000000Z","kind":"deployment.state","app":"web","release":"v3","instance":"","state":"failed"})");
  const store::Event exit{.number = 5, .at = {}, .kind = "instance.exit", .app = "web", .data = {{"instance", "web/web.1@v2"}, {"reason", "a word of the app"}}};
  EXPECT_THAT(json::text(page_json(exit)), HasSubstr(R"("instance":"web/web.1@v2")"));
  const store::Event odd{.number = 6, .at = {}, .kind = "k", .app = {}, .data = {{"release", "<b>/etc</b>"}, {"instance", "<b>/etc</b>"}, {"state", "a text, by somebody"}}};
  EXPECT_THAT(json::text(page_json(odd)), HasSubstr(R"("release":"","instance":"","state":"")"));
  EXPECT_THAT(json::text(page_json(store::Event{.number = 7, .at = {}, .kind = "k", .app = {}, .data = {{"release", 1}, {"state", nullptr}}})), HasSubstr(R"("release":"","instance":"","state":"")"));
}

TEST_F(PageTest, WhoLooksAtItTakesNoPlaceOfAnOperators) {
  node.has_place = false;
  EXPECT_EQ(ask("/page/events").status, 200);
  node.has_page_place = false;
  EXPECT_EQ(ask("/page/events").status, 503);
}

TEST(PageFiles, AskNobodyElseAndMakeNoMarkupOfTexts) {
  for (const char* name : {"index.html", "page.css", "page.js", "view.js", "tree.js", "charts.js", "icon.svg"}) {
    const page::File* file = page::find_file(name);
    ASSERT_NE(file, nullptr) << name;
    std::string text(file->text);
    for (const char* known : {"http://www.w3.org/2000/svg"})
      for (auto at = text.find(known); at != std::string::npos; at = text.find(known)) text.erase(at, std::string_view(known).size());
    EXPECT_THAT(text, Not(AnyOf(HasSubstr("http:"), HasSubstr("https:"), HasSubstr("innerHTML"), HasSubstr("outerHTML"), HasSubstr("insertAdjacentHTML"), HasSubstr("document.write"),
                                HasSubstr("eval("), HasSubstr("Function("), HasSubstr("DOMParser"))))
        << name;
  }
  EXPECT_EQ(page::find_file("files.cc.in"), nullptr);
}

}  // namespace
}  // namespace berth::api
