#include "cli/operator_verbs_fixture.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <fcntl.h>
#include <unistd.h>

#include "core/json/json.h"

namespace berth::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

/// For `run_berth`: stdin is a terminal at which that was typed.
void type(const char* text) {
  const int master = ::posix_openpt(O_RDWR | O_NOCTTY);
  if (master < 0 || ::grantpt(master) != 0 || ::unlockpt(master) != 0) ::_exit(126);
  const int slave = ::open(::ptsname(master), O_RDWR | O_NOCTTY);
  if (slave < 0 || ::dup2(slave, STDIN_FILENO) < 0 || ::write(master, text, std::strlen(text)) < 0) ::_exit(126);
}

TEST_F(OperatorVerbs, RemoveAsksAtATerminalWhereSomethingRunsOrIsPinned) {
  const auto said_no = [] { type("no\n"); };
  const auto said_yes = [] { type("web\n"); };
  const auto removed = [this] {
    const auto asked = daemon.asked();
    return std::ranges::count(asked, std::string("DELETE"), &FakeDaemon::Asked::method);
  };
  const std::vector<std::string> call{"remove", "web", "--socket", daemon.socket()};
  daemon.on("DELETE /v1/apps/web", "{}");
  daemon.on("GET /v1/apps/web", R"({"app": "web", "active": "v7", "pinned": ["v1", "v3"]})");
  const Ran kept = run_berth(call, said_no);
  EXPECT_EQ(kept.exit, 8);
  EXPECT_EQ(kept.err, "web runs v7 and has pinned releases, which go with it: v1, v3.\nType web to remove it: berth: nothing was removed\n");
  EXPECT_EQ(removed(), 0);
  EXPECT_EQ(run_berth(call, said_yes).exit, 0);
  EXPECT_EQ(removed(), 1);
  EXPECT_EQ(berth({"remove", "web"}).exit, 0) << "nobody is there to be asked";
  auto with_yes = call;
  with_yes.emplace_back("--yes");
  EXPECT_EQ(run_berth(with_yes, said_no).exit, 0);
  daemon.on("GET /v1/apps/web", R"({"app": "web", "active": "v7", "stopped": true, "pinned": []})");
  EXPECT_EQ(run_berth(call, said_no).exit, 0) << "nothing ends with it";
  EXPECT_EQ(removed(), 4);
}

TEST_F(OperatorVerbs, RemoveAsksOnceAboutAnAppThatIsHeld) {
  daemon.on("GET /v1/apps/web", R"({"app": "web", "active": "v7", "held": "an audit", "held_firmly": true})");
  daemon.on("DELETE /v1/apps/web", R"json({"code": "conflict", "exit": 8, "detail": "web is held (an audit)"})json", 409);
  const Ran ran = run_berth({"remove", "web", "--socket", daemon.socket()}, [] { type("no\n"); });
  EXPECT_EQ(ran.exit, 8);
  EXPECT_EQ(ran.err, "web is held (an audit).\nType web to remove it all the same: berth: web is held (an audit)\n");
}

TEST_F(OperatorVerbs, WhatIsFollowedComesBackAndIsTold) {
  const auto status = [](const char* more) {
    return fmt::format(R"({{"follows": [{{"app": "web", "channel": "stable", "wanted": "v3"}}], "apps": [{{"app": "web", "active": "v2"{}}}]}})", more);
  };
  daemon.on("POST /v1/apps/web/deployments", a_deployment("active", 0, R"(, "already": true)"));
  daemon.on("GET /v1/status", status(""));
  EXPECT_THAT(berth({"deploy", "web@v2"}).out, HasSubstr("Note: web follows stable (v3): the next poll goes back to it; 'berth pin web@v2' keeps this one.\n"));
  for (const char* stays : {R"(, "pinned": ["v2"])", R"(, "held_firmly": true)", R"(, "rejected": [{"release": "v3"}])"}) {
    daemon.on("GET /v1/status", status(stays));
    EXPECT_THAT(berth({"deploy", "web@v2"}).out, Not(HasSubstr("follows"))) << stays;
  }
  EXPECT_EQ(json::parse(berth({"deploy", "web@v2", "--json"}).out).value().at("id"), 7);
  daemon.on("DELETE /v1/apps/web", "{}");
  EXPECT_THAT(berth({"remove", "web"}).out, HasSubstr("Note: web follows stable (v3): the next poll deploys it again; take its [[follow]] out of berthd.toml"));
  daemon.on("GET /v1/status", R"({"follows": [{"app": "api", "channel": "stable", "wanted": "v3"}], "apps": [{"app": "web", "active": "v2"}]})");
  EXPECT_THAT(berth({"deploy", "web@v2"}).out, Not(HasSubstr("follows")));
}

TEST_F(OperatorVerbs, GcListsAllThatItRemoved) {
  daemon.on("POST /v1/gc", R"({"removed": [{"app": "web", "release": "v1", "bytes": 1000}], "data": [], "imports": [{"app": "web", "release": "v9", "bytes": 2000}],
                                  "partial": {"blobs": 1, "bytes": 3000}})");
  const Ran ran = berth({"gc"});
  EXPECT_THAT(ran.out, AllOf(HasSubstr("web@v1 "), HasSubstr("web@v9, loaded from a file"), HasSubstr("1 download that broke off "), HasSubstr("6.0 kB freed.")));
  daemon.on("POST /v1/gc", R"({"removed": [], "data": []})");
  EXPECT_THAT(berth({"gc"}).out, HasSubstr("Nothing to remove."));
}

TEST_F(OperatorVerbs, GcSaysWhatWouldGoAndWhyTheRestStays) {
  daemon.on("POST /v1/gc", R"({"dry_run": true, "removed": [{"app": "web", "release": "v1", "bytes": 1000, "why": ["too_old"]}],
                              "kept": [{"app": "web", "release": "v3", "bytes": 2000, "why": ["active", "newest"]}, {"app": "web", "release": "v2", "bytes": 2000, "why": ["replaced", "later"]}],
                              "data": [], "imports": [], "partial": {"blobs": 0, "bytes": 0}})");
  const Ran ran = berth({"gc", "--dry-run"});
  EXPECT_EQ(json::parse(daemon.asked().back().body).value(), json::parse(R"({"dry_run": true})").value());
  EXPECT_THAT(ran.out, testing::ContainsRegex("WOULD GO +SIZE +WHY\nweb@v1 +1.0 kB +older than keep_age\n"));
  EXPECT_THAT(ran.out, testing::ContainsRegex("STAYS +SIZE +WHY\nweb@v3 +2.0 kB +active, one of the newest\nweb@v2 +2.0 kB +the active one took its place, later\n"));
  EXPECT_THAT(ran.out, HasSubstr("1.0 kB would be freed"));
  daemon.on("POST /v1/gc", R"({"removed": [], "data": []})");
  EXPECT_EQ(berth({"gc", "--dry-run"}).exit, 1) << "who says nothing of it may have removed something";
}

}  // namespace
}  // namespace berth::cli
