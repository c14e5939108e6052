#include "cli/daemon_verbs_fixture.h"

#include <algorithm>
#include <string>
#include <vector>

#include <fmt/core.h>
#include <gmock/gmock.h>

#include "core/json/json.h"

namespace berth::cli {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

TEST_F(DaemonVerbs, HistoryTellsWhoWhyAndHowLong) {
  daemon.on("GET /v1/deployments", R"({"deployments": [)" + deployment("reverted", 5, R"x(, "by": "root (uid 0)", "reason": "never ready")x" + steps({"queued", "reverted"})) + "]}");
  const Ran ran = berth({"history", "web"});
  EXPECT_EQ(ran.exit, 0);
  EXPECT_THAT(ran.out, HasSubstr("7  deploy  web@v2  reverted"));
  EXPECT_THAT(ran.out, HasSubstr("by root (uid 0)"));
  EXPECT_THAT(ran.out, HasSubstr("never ready"));
  EXPECT_EQ(daemon.asked().back().query.at("app"), "web");
}

TEST_F(DaemonVerbs, HistorySaysThatThereAreOlderOnesAndHowTheyAreShown) {
  const std::string page = R"({"deployments": [)" + deployment("active", 0) + R"(], "next": 7})";
  daemon.on("GET /v1/deployments", page);
  EXPECT_THAT(berth({"history", "web", "-n", "1", "--since", "7d"}).out, EndsWith("There are older ones: 'berth history web --before 7 -n 1 --since 7d' shows the next 1, and -n 0 all of them.\n"));
  EXPECT_EQ(daemon.asked().back().query.at("limit"), "1");
  EXPECT_THAT(daemon.asked().back().query.at("since"), EndsWith("Z"));
  EXPECT_THAT(berth({"history", "-n", "1", "-q"}).out, Not(HasSubstr("There are older")));
  EXPECT_EQ(json::parse(berth({"history", "-n", "1", "--json"}).out).value().at("next"), 7);
  berth({"history", "web", "-n", "1", "--before", "12"});
  EXPECT_EQ(daemon.asked().back().query.at("before"), "12");
  daemon.on("GET /v1/deployments", R"({"deployments": [], "next": null})");
  EXPECT_THAT(berth({"history", "--before", "2"}).out, HasSubstr("No older deployment"));
  EXPECT_EQ(json::parse(berth({"history", "--before", "2", "--json"}).out).value(), json::parse(R"({"deployments": [], "next": null})").value());
}

TEST_F(DaemonVerbs, HistoryOfAnAppThatIsGoneIsAlsoOneOfATimeInWhichThereIsNothing) {
  const FakeDaemon::Answer nothing{200, R"({"deployments": [], "next": null})"}, one{200, R"({"deployments": [)" + deployment("active", 0) + R"(], "next": 7})"};
  daemon.on("GET /v1/apps/web", R"({"code": "not_found", "exit": 3, "detail": "app web was removed"})", 404);
  daemon.on("GET /v1/deployments", {nothing, one});
  const Ran gone = berth({"history", "web", "--since", "1s"});
  EXPECT_EQ(gone.exit, 0) << gone.err;
  EXPECT_THAT(gone.out, HasSubstr("No older deployment, or none of that time."));
  EXPECT_EQ(daemon.asked().back().query.count("since"), 0u);
  daemon.on("GET /v1/deployments", {nothing, nothing});
  const Ran never = berth({"history", "web", "--since", "1s"});
  EXPECT_EQ(never.exit, 3);
  EXPECT_THAT(never.err, HasSubstr("app web was removed"));
}

TEST_F(DaemonVerbs, HistoryOfAllAsksForPageAfterPage) {
  const std::string first = R"({"deployments": [)" + deployment("active", 0) + R"(], "next": 7})", last = R"({"deployments": [)" + deployment("failed", 1) + R"(], "next": null})";
  daemon.on("GET /v1/deployments", {FakeDaemon::Answer{200, first}, FakeDaemon::Answer{200, last}});
  const Ran ran = berth({"history", "web", "-n", "0"});
  EXPECT_THAT(ran.out, AllOf(HasSubstr("active"), HasSubstr("failed"), Not(HasSubstr("There are older"))));
  const auto asked = daemon.asked();
  ASSERT_EQ(asked.size(), 2u);
  EXPECT_EQ(asked[0].query.at("limit"), "1000");
  EXPECT_FALSE(asked[0].query.contains("before"));
  EXPECT_EQ(asked[1].query.at("before"), "7");
}

TEST_F(DaemonVerbs, HistoryIsThatOfABerthdWhichKnowsNoPages) {
  daemon.on("GET /v1/deployments", R"({"deployments": [)" + deployment("active", 0) + "]}");
  const Ran ran = berth({"history"});
  EXPECT_EQ(ran.exit, 0);
  EXPECT_THAT(ran.out, Not(HasSubstr("There are older")));
  EXPECT_FALSE(daemon.asked().back().query.contains("before"));
}

TEST_F(DaemonVerbs, EventsAsksForTheNewestAlone) {
  daemon.on("GET /v1/events", R"({"events": [{"number": 99200, "at": "t", "kind": "k", "app": "", "data": {}}, {"number": 99201, "at": "t", "kind": "last", "app": "web", "data": {"a": 1}}]})");
  const Ran ran = berth({"events", "web", "-n", "2"});
  EXPECT_EQ(ran.exit, 0);
  EXPECT_EQ(ran.out, " 99200  t  k  {}\n 99201  t  last  web  {\"a\":1}\n");
  ASSERT_EQ(daemon.asked().size(), 1u);
  EXPECT_EQ(daemon.asked()[0].query, (std::map<std::string, std::string>{{"last", "2"}, {"limit", "2"}, {"app", "web"}}));
}

TEST_F(DaemonVerbs, EventsReadsOnWhereTheNewestAreMoreThanAPage) {
  std::string page;
  for (int i = 1; i <= 200; ++i) page += fmt::format(R"({}{{"number": {}, "at": "t", "kind": "k", "app": "", "data": {{}}}})", i == 1 ? "" : ",", i);
  daemon.on("GET /v1/events", {{200, R"({"events": [)" + page + "]}"}, {200, R"({"events": [{"number": 201, "at": "t", "kind": "last", "app": "web", "data": {"a": 1}}]})"}});
  const Ran ran = berth({"events", "-n", "300"});
  EXPECT_EQ(ran.exit, 0);
  EXPECT_EQ(std::ranges::count(ran.out, '\n'), 201);
  EXPECT_EQ(daemon.asked()[0].query, (std::map<std::string, std::string>{{"last", "300"}, {"limit", "200"}}));
  EXPECT_EQ(daemon.asked()[1].query, (std::map<std::string, std::string>{{"from", "201"}, {"limit", "200"}}));
  EXPECT_EQ(daemon.asked().size(), 2u);
}

TEST_F(DaemonVerbs, EventsFromANumberAreAtMostSoManyAndAnAppThatIsNotThereIsTold) {
  daemon.on("GET /v1/events", R"({"events": [{"number": 5, "at": "2026-11-24T09:00:00.123456Z", "kind": "a"},
    {"number": 6, "at": "t", "kind": "b"}, {"number": 7, "at": "t", "kind": "c"}]})");
  const Ran ran = berth({"events", "--from", "5", "-n", "2"});
  EXPECT_THAT(ran.out, AllOf(HasSubstr("2026-11-24T09:00:00Z  a"), HasSubstr("  b"), Not(HasSubstr("  c"))));
  daemon.on("GET /v1/events", R"({"events": []})");
  EXPECT_EQ(berth({"events", "--app", "nope"}).exit, 3);
  EXPECT_THAT(berth({"events", "--from", "0"}).err, HasSubstr("berth events: --from 0: events are numbered from 1 on"));
  EXPECT_EQ(berth({"events", "-n", "-3"}).exit, 2);
  EXPECT_EQ(berth({"events", "nope"}).exit, 3);
  EXPECT_EQ(berth({"history", "-n", "-1"}).exit, 2);
  EXPECT_EQ(berth({"history", "--before", "0"}).exit, 2);
  EXPECT_EQ(berth({"history", "7", "--before", "9"}).exit, 2);
  EXPECT_THAT(berth({"history", "--since", "soon"}).err, HasSubstr("berth history: --since"));
  EXPECT_THAT(berth({"history", "--since", "1h", "--until", "2h"}).err, HasSubstr("no deployment is in between"));
  daemon.on("GET /v1/deployments/7", R"({"id": 7, "app": "web", "release": "v2", "kind": "deploy", "state": "failed", "exit": 1,
    "last_lines": ["1", "2", "3", "4", "5", "6", "7"]})");
  for (const std::vector<std::string>& one : {std::vector<std::string>{"history", "7"}, {"history", "web", "--deployment", "7"}}) {
    EXPECT_THAT(berth(one).out, AllOf(HasSubstr("web@v2"), HasSubstr("| 1\n"), HasSubstr("| 7\n"))) << "all of the lines";
  }
  EXPECT_EQ(berth({"history", "api", "--deployment", "7"}).exit, 3);
  daemon.on("GET /v1/deployments", R"({"deployments": []})");
  EXPECT_EQ(berth({"history", "nope"}).exit, 3);
  EXPECT_EQ(berth({"history"}).exit, 0);
}

}  // namespace
}  // namespace berth::cli
