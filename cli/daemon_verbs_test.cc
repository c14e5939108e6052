#include <algorithm>
#include <chrono>
#include <cstring>
#include <set>

#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <fmt/core.h>

#include "cli/fake_daemon.h"
#include "cli/json_view.h"
#include "cli/run_berth.h"
#include "core/files/fd.h"
#include "core/files/files.h"
#include "core/json/json.h"

namespace berth::cli {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

/// A deployment of web@v2 as berthd tells it.
std::string deployment(const std::string& state, int exit, const std::string& more = "") {
  return fmt::format(R"({{"id": 7, "app": "web", "release": "v2", "kind": "deploy", "state": "{}", "from": "v1", "exit": {},
    "created_at": "2026-11-24T09:00:00Z", "ended_at": "2026-11-24T09:00:04Z" {}}})", state, exit, more);
}

std::string steps(std::initializer_list<const char*> states) {
  std::string text;
  for (const char* state : states) text += fmt::format(R"({}{{"state": "{}", "at": "2026-11-24T09:00:01Z"}})", text.empty() ? "" : ",", state);
  return ", \"steps\": [" + text + "]";
}

/// A socket that takes connections and never answers, as of a berthd that was stopped.
Fd listen_and_say_nothing(const std::string& path) {
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  EXPECT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(::listen(socket.get(), 4), 0);
  return socket;
}

class DaemonVerbs : public testing::Test {
 protected:
  Ran berth(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--socket", daemon.socket()});
    return run_berth(std::move(arguments));
  }
  FakeDaemon daemon;
};

TEST_F(DaemonVerbs, DeployTellsEachStepOnALineAndEndsWithZero) {
  daemon.on("POST /v1/apps/web/deployments", deployment("queued", -1, steps({"queued"})), 202);
  daemon.on("GET /v1/deployments/7", {{200, deployment("starting", -1, steps({"queued", "fetching", "starting"}))},
                                      {200, deployment("baking", -1, steps({"queued", "fetching", "starting", "switching", "baking"}))},
                                      {200, deployment("active", 0, steps({"queued", "fetching", "starting", "switching", "baking", "active"}))}});
  const Ran ran = berth({"deploy", "web@v2", "--env", "qa", "--force", "--reason", "test", "--key", "k1"});
  EXPECT_EQ(ran.exit, 0);
  EXPECT_EQ(ran.out, "web@v2: queued\nweb@v2: fetching\nweb@v2: starting\nweb@v2: switching\nweb@v2: baking\nweb@v2 is active (took 4.0s).\n");
  EXPECT_EQ(ran.err, "");
  const auto asked = daemon.asked();
  EXPECT_EQ(json::parse(asked[0].body).value(), json::parse(R"({"release": "v2", "force": true, "environment": "qa", "reason": "test"})").value());
  EXPECT_EQ(asked[0].headers.at("idempotency-key"), "k1");
  EXPECT_EQ(asked[2].query.at("after"), "starting");
  EXPECT_EQ(asked[2].query.at("until"), "ended");
}

TEST_F(DaemonVerbs, DeployTellsAtOnceWhatWasReachedAndThenWaitsForTheNextStateAlone) {
  daemon.on("POST /v1/apps/web/deployments", deployment("queued", -1, steps({"queued"})), 202);
  daemon.on("GET /v1/deployments/7", {{200, deployment("fetching", -1, steps({"queued", "fetching"}))}, {200, deployment("active", 0, steps({"queued", "fetching", "active"}))}});
  EXPECT_EQ(berth({"deploy", "web@v2"}).exit, 0);
  const auto asked = daemon.asked();
  EXPECT_EQ(asked[1].query.at("wait"), "0") << "berthd answers a wait without 'after' at the end only";
  EXPECT_FALSE(asked[1].query.contains("after"));
  EXPECT_EQ(asked[2].query.at("wait"), "30");
  EXPECT_EQ(asked[2].query.at("after"), "fetching");
}

TEST_F(DaemonVerbs, DeployEndsAsTheDeploymentDid) {
  const std::tuple<std::string, int, std::string> table[] = {
      {"failed", 1, "web still runs v1."},   {"failed", 4, "web still runs v1."},     {"reverted", 5, "web runs v1 again."},
      {"superseded", 8, "What runs now: berth status web"}, {"cancelled", 8, "web still runs v1."}, {"interrupted", 1, "berth history web"},
  };
  for (const auto& [state, exit, hint] : table) {
    daemon.on("POST /v1/apps/web/deployments", deployment("queued", -1), 202);
    daemon.on("GET /v1/deployments/7", deployment(state, exit, R"(, "reason": "web.1 exited with 1", "last_lines": ["no database"])"));
    const Ran ran = berth({"deploy", "web@v2"});
    EXPECT_EQ(ran.exit, exit) << state;
    EXPECT_THAT(ran.err, HasSubstr("web@v2 " + state + ": web.1 exited with 1"));
    EXPECT_THAT(ran.err, HasSubstr("  | no database"));
    EXPECT_THAT(ran.err, HasSubstr(hint));
  }
}

TEST_F(DaemonVerbs, DeployOfTheActiveReleaseSaysSo) {
  daemon.on("POST /v1/apps/web/deployments", deployment("active", 0, R"(, "already": true)"));
  const Ran ran = berth({"deploy", "web@v2"});
  EXPECT_EQ(ran.exit, 0);
  EXPECT_EQ(ran.out, "web@v2 is active already.\n");
}

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

TEST_F(DaemonVerbs, DeployUntilSwitchedDoesNotWaitForTheBake) {
  daemon.on("POST /v1/apps/web/deployments", deployment("queued", -1), 202);
  daemon.on("GET /v1/deployments/7", {{200, deployment("switching", -1, R"(, "decided": true)")}, {200, deployment("baking", -1, R"(, "decided": true)")}});
  EXPECT_EQ(berth({"deploy", "web@v2", "--until", "switched"}).exit, 0);
}

TEST_F(DaemonVerbs, DeployUntilSwitchedOfWhatBakesAlreadyWaitsForNothing) {
  daemon.on("POST /v1/apps/web/deployments", deployment("baking", -1, R"(, "decided": true)"), 202);
  daemon.on("GET /v1/deployments/7", deployment("baking", -1, R"(, "decided": true)"));
  EXPECT_EQ(berth({"deploy", "web@v2", "--until", "switched"}).exit, 0);
  EXPECT_EQ(daemon.asked()[1].query.at("wait"), "0");
}

TEST_F(DaemonVerbs, DeployWithAnEmptyKeyIsRefused) {
  const Ran ran = berth({"deploy", "web@v2", "--key", ""});
  EXPECT_EQ(ran.exit, 2);
  EXPECT_THAT(ran.err, HasSubstr("--key: it is empty"));
}

TEST_F(DaemonVerbs, DeployThatDoesNotEndInTimeEndsWithNineAndSaysHowToLook) {
  daemon.on("POST /v1/apps/web/deployments", deployment("queued", -1), 202);
  daemon.on("GET /v1/deployments/7", deployment("baking", -1));
  const Ran ran = berth({"deploy", "web@v2", "--timeout", "100ms"});
  EXPECT_EQ(ran.exit, 9);
  EXPECT_THAT(ran.err, HasSubstr("deployment 7 of web@v2 is still baking"));
  EXPECT_THAT(ran.err, HasSubstr("berth status web"));
}

TEST_F(DaemonVerbs, DeployWithoutWaitingAsksOnce) {
  daemon.on("POST /v1/apps/web/deployments", deployment("queued", -1), 202);
  const Ran ran = berth({"deploy", "web@v2", "--no-wait"});
  EXPECT_EQ(ran.exit, 0);
  EXPECT_THAT(ran.out, HasSubstr("deployment 7 is queued"));
  EXPECT_EQ(daemon.asked().size(), 1u);
}

TEST_F(DaemonVerbs, JsonIsOneDocumentAndNothingElse) {
  daemon.on("POST /v1/apps/web/deployments", deployment("queued", -1, steps({"queued"})), 202);
  daemon.on("GET /v1/deployments/7", deployment("reverted", 5, steps({"queued", "reverted"})));
  const Ran ran = berth({"deploy", "web@v2", "--json"});
  EXPECT_EQ(ran.exit, 5);
  EXPECT_EQ(json::parse(ran.out).value().at("state").as_string(), "reverted");
  EXPECT_EQ(ran.err, "");
}

TEST_F(DaemonVerbs, QuietSaysOnlyWhatFailed) {
  daemon.on("POST /v1/apps/web/deployments", deployment("queued", -1, steps({"queued"})), 202);
  daemon.on("GET /v1/deployments/7", deployment("active", 0, steps({"queued", "active"})));
  EXPECT_EQ(berth({"deploy", "web@v2", "-q"}).out, "");
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

TEST_F(DaemonVerbs, ADeployWhoseOutcomeIsNotKnownSaysSoWithinItsTimeoutAndHasAKeyOfItsOwn) {
  daemon.on("POST /v1/apps/web/deployments", R"({"id": 7, "app": "web", "release": "v2", "state": "active", "exit": 0})");
  EXPECT_EQ(berth({"deploy", "web@v2"}).exit, 0);
  EXPECT_EQ(berth({"deploy", "web@v2"}).exit, 0);
  std::set<std::string> keys;
  for (const auto& one : daemon.asked())
    if (one.method == "POST") keys.insert(one.headers.at("idempotency-key"));
  EXPECT_EQ(keys.size(), 2u);

  const Fd deaf = listen_and_say_nothing(daemon.socket() + ".deaf");
  const auto begin = std::chrono::steady_clock::now();
  const Ran ran = run_berth({"deploy", "web@v2", "--timeout", "1s", "--socket", daemon.socket() + ".deaf"});
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
  EXPECT_EQ(ran.exit, 6);
  EXPECT_THAT(ran.err, AllOf(HasSubstr("may have begun all the same"), HasSubstr("berth status")));
}

TEST_F(DaemonVerbs, DeployOfAFileLoadsItFirst) {
  const files::TemporaryDirectory folder;
  const std::string file = (folder.path() / "web-v3.berth").string();
  ASSERT_TRUE(files::replace(file, "x"));
  daemon.on("POST /v1/imports", R"({"app": "web", "release": "v3", "manifest_sha256": "0", "bytes": 1, "expired": "timestamp.json expired at 2026"})");
  daemon.on("POST /v1/apps/web/deployments", R"({"id": 9, "app": "web", "release": "v3", "kind": "deploy", "state": "queued", "exit": -1})", 202);
  const Ran ran = berth({"deploy", file, "--allow-expired", "--no-wait", "--reason", "no network"});
  EXPECT_EQ(ran.exit, 0) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr("timestamp.json expired at 2026"));
  const auto asked = daemon.asked();
  ASSERT_EQ(asked.size(), 2u);
  EXPECT_EQ(json::parse(asked[0].body).value(),
            (json::value{{"path", std::filesystem::absolute(file).lexically_normal().string()}, {"allow_expired", true}, {"reason", "no network"}}));
  EXPECT_EQ(text_of(json::parse(asked[1].body).value(), "release"), "v3");
  EXPECT_EQ(berth({"deploy", "web@v3", "--allow-expired"}).exit, 2);
  EXPECT_EQ(berth({"deploy", "./missing.berth"}).exit, 3);
  ASSERT_TRUE(files::replace(folder.path() / "berthd.toml", "x"));
  const auto here = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  const Ran other = berth({"deploy", "berthd.toml"});
  std::filesystem::current_path(here);
  EXPECT_EQ(other.exit, 2);
  EXPECT_THAT(other.err, HasSubstr("berth deploy: berthd.toml is a file; a release is APP@RELEASE, and a release file"));
  daemon.on("POST /v1/imports", R"x({"code": "trust", "exit": 4, "status": 422, "detail": "web-v3.berth: version 33 is older than 34, which this node has seen (a rollback)"})x", 422);
  const Ran rollback = berth({"deploy", file});
  EXPECT_EQ(rollback.exit, 4);
  EXPECT_THAT(rollback.err, HasSubstr("(a rollback); export the release again"));
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
