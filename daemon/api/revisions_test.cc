#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/core.h>

#include "daemon/api/api_fixture.h"
#include "daemon/api/revisions.h"

namespace berth::api {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class RevisionsOfApps : public ApiFixture {};

TEST(Revisions, ChangeWithWhatIsAskedForAndDecided) {
  Revisions revisions;
  const std::string before = revisions.tag("web", "v1");
  EXPECT_EQ(revisions.tag("web", "v1"), before);
  EXPECT_NE(revisions.tag("web", "v2"), before);
  EXPECT_NE(revisions.tag("blog", "v1"), before);
  revisions.change("blog");
  EXPECT_EQ(revisions.tag("web", "v1"), before);
  revisions.change("web");
  EXPECT_NE(revisions.tag("web", "v1"), before);
  EXPECT_NE(Revisions().tag("web", "v1"), revisions.tag("web", "v1")) << "another berthd";
  EXPECT_THAT(before, testing::MatchesRegex("\"[0-9a-f]+\""));
}

TEST(Revisions, OfNamesWithoutEndTakeNoMemoryWithoutEnd) {
  Revisions revisions;
  revisions.change("web");
  const std::string before = revisions.tag("web", "v1");
  for (int i = 0; i < 5000; ++i) revisions.change(fmt::format("app-{}", i));
  EXPECT_NE(revisions.tag("web", "v1"), before) << "what is not known any more is taken for changed";
}

TEST(Revisions, OfAChangeThatWasNoneAreTakenBackAndNoneIsGivenTwice) {
  Revisions revisions;
  const std::string before = revisions.tag("web", "v1");
  const auto none = revisions.change("web");
  const std::string meanwhile = revisions.tag("web", "v1");
  revisions.take_back("web", none);
  EXPECT_EQ(revisions.tag("web", "v1"), before);
  const auto other = revisions.change("web");
  EXPECT_NE(revisions.tag("web", "v1"), meanwhile) << "which somebody may have read";
  revisions.change("web");
  const std::string last = revisions.tag("web", "v1");
  revisions.take_back("web", other);
  EXPECT_EQ(revisions.tag("web", "v1"), last) << "another change began since";
}

TEST_F(RevisionsOfApps, StayWhereACallChangesNothing) {
  const std::string read = ask("GET", "/v1/apps/web").headers.at("etag");
  node.happens = false;
  for (const char* path : {"/v1/apps/web/resume", "/v1/apps/web/start", "/v1/apps/web/hold"}) EXPECT_EQ(ask("POST", path).headers.at("etag"), read) << path;
  EXPECT_EQ(ask("POST", "/v1/apps/web/hold", "no json").status, 400);
  EXPECT_EQ(ask("GET", "/v1/apps/web").headers.at("etag"), read);
  node.happens = true;
  EXPECT_NE(ask("POST", "/v1/apps/web/hold").headers.at("etag"), read);
}

TEST(IfMatch, IsReadAsTheStandardHasIt) {
  const std::pair<std::string_view, bool> table[] = {{"\"a\"", true},  {"*", true},           {" * ", true},        {"\"b\"", false},           {"\"b\", \"a\"", true},
                                                     {"W/\"a\"", false}, {"W/\"a\",\"a\"", true}, {"\"\"", false}, {"\"b,a\"", false}, {"\t\"b\"\t,\t\"a\" ", true}};
  for (const auto& [header, fits] : table) {
    const auto found = matches(header, "\"a\"");
    ASSERT_TRUE(found) << header;
    EXPECT_EQ(*found, fits) << header;
  }
  for (const std::string_view wrong : {"", " ", "a", "\"a", "\"a\",", "\"a\" \"b\"", "*, \"a\"", "* *", "w/\"a\"", ",\"a\""}) EXPECT_FALSE(matches(wrong, "\"a\"")) << wrong;
  std::string many = "\"b\"";
  for (int i = 0; i < 100; ++i) many += ",\"b\"";
  EXPECT_FALSE(matches(many, "\"a\""));
}

TEST_F(RevisionsOfApps, AreWhatAChangeIsMadeOf) {
  const auto hold = [&](const std::string& tag) {
    auto change = request("POST", "/v1/apps/web/hold");
    change.headers["if-match"] = tag;
    return ask(change);
  };
  const auto read = ask("GET", "/v1/apps/web");
  const std::string first = read.headers.at("etag");
  EXPECT_EQ(ask("GET", "/v1/apps/web").headers.at("etag"), first) << "reading changes nothing";
  EXPECT_EQ(ask(request("POST", "/v1/apps/web/plan", R"({"release": "v2"})")).status, 200);
  EXPECT_EQ(ask(request("POST", "/v1/apps/web/revert/plan", "{}")).status, 200);
  EXPECT_EQ(ask("GET", "/v1/apps/web").headers.at("etag"), first) << "nor does a plan";
  const auto held = hold(first);
  EXPECT_EQ(held.status, 200);
  EXPECT_EQ(held.headers.at("etag"), ask("GET", "/v1/apps/web").headers.at("etag"));

  operations.calls.clear();
  const auto late = hold(first);
  EXPECT_EQ(late.status, 412);
  EXPECT_EQ(member(late, "code"), "conflict");
  EXPECT_EQ(member(late, "exit"), "8");
  EXPECT_THAT(member(late, "detail"), HasSubstr("web was changed since it was read"));
  EXPECT_EQ(hold("web").status, 400);
  EXPECT_THAT(operations.calls, IsEmpty());

  EXPECT_EQ(hold("\"other\", " + held.headers.at("etag")).status, 200);
  EXPECT_EQ(hold("*").status, 200);
  const std::string last = ask("GET", "/v1/apps/web").headers.at("etag");
  operations.decided = "by a channel";
  EXPECT_EQ(hold(last).status, 412) << "berthd's own decisions count, too";
}

TEST_F(RevisionsOfApps, AnAppThatIsNotThereWasNotChangedEither) {
  for (const char* path : {"/v1/apps/gone/hold", "/v1/apps/gone/exec/files"}) {
    auto change = request("POST", path, std::string(path).ends_with("files") ? R"({"command": ["ls"]})" : "{}");
    change.headers["if-match"] = "\"0123456789abcdef01234567\"";
    const auto reply = ask(change);
    EXPECT_EQ(reply.status, 404) << reply.body;
    EXPECT_THAT(member(reply, "detail"), HasSubstr("app gone is not on this node")) << path;
  }
}

TEST_F(RevisionsOfApps, ADeploymentThatIsAskedForAgainByItsKeyIsNoOtherChange) {
  const auto deploy = [&](const std::string& key, const std::string& tag) {
    auto change = request("POST", "/v1/apps/web/deployments", R"({"release": "v2"})");
    change.headers["if-match"] = tag;
    if (!key.empty()) change.headers["idempotency-key"] = key;
    return ask(change);
  };
  const std::string read = ask("GET", "/v1/apps/web").headers.at("etag");
  const auto first = deploy("k2", read);
  EXPECT_EQ(first.status, 202);
  EXPECT_EQ(deploy("k2", read).status, 412) << "which no deployment came of";
  operations.known_key = "web k2";
  operations.calls.clear();
  const auto again = deploy("k2", read);
  EXPECT_EQ(again.status, 202);
  EXPECT_EQ(operations.calls.size(), 1u);
  EXPECT_EQ(again.headers.at("etag"), first.headers.at("etag")) << "nothing was changed by it";
  for (const char* other : {"", "k3"}) EXPECT_EQ(deploy(other, read).status, 412) << other;
  EXPECT_EQ(deploy("k2", "web").status, 400);
  auto hold = request("POST", "/v1/apps/web/hold");
  hold.headers["if-match"] = read;
  hold.headers["idempotency-key"] = "k2";
  EXPECT_EQ(ask(hold).status, 412) << "a key is one of deployments";
}

TEST_F(RevisionsOfApps, AreHonouredByWhateverIsOfAnAppAndRefusedByTheRest) {
  const std::string read = ask("GET", "/v1/apps/web").headers.at("etag");
  operations.one.row.app = "web";
  const auto answer = [&](const std::string& path, const std::string& body, const std::string& tag) {
    auto change = request("POST", path, body);
    change.headers["if-match"] = tag;
    operations.calls.clear();
    return ask(change);
  };
  const std::tuple<const char*, const char*, int> of_web[] = {{"/v1/apps/web/exec/files", R"({"command": ["ls"]})", 200}, {"/v1/apps/web/jobs/report/run", "{}", 202}, {"/v1/apps/web/plan", R"({"release": "v2"})", 200}, {"/v1/apps/web/revert/plan", "{}", 200},
                                                              {"/v1/deployments/7/cancel", "{}", 200}};
  for (const auto& [path, body, done] : of_web) {
    EXPECT_EQ(answer(path, body, read).status, done) << path;
    EXPECT_FALSE(operations.calls.empty()) << path;
    const auto stale = answer(path, body, "\"0123456789abcdef01234567\"");
    EXPECT_EQ(stale.status, 412) << path;
    EXPECT_THAT(member(stale, "detail"), HasSubstr("web was changed since it was read")) << path;
    EXPECT_EQ(answer(path, body, "v1").status, 400) << path;
    for (const auto& call : operations.calls) EXPECT_EQ(call, "deployment 7") << path << ": nothing but whose it is was looked up";
  }
  for (const char* path : {"/v1/gc", "/v1/verify", "/v1/imports", "/v1/node/drain", "/v1/node/resume", "/v1/reload", "/v1/webhooks/chat/test"}) {
    const auto refused = answer(path, "{}", read);
    EXPECT_EQ(refused.status, 400) << path;
    EXPECT_THAT(member(refused, "detail"), HasSubstr("takes no If-Match")) << path;
    EXPECT_THAT(operations.calls, IsEmpty()) << path;
  }
}

}  // namespace
}  // namespace berth::api
