#include "cli/daemon_verbs_fixture.h"

#include <chrono>
#include <cstring>
#include <filesystem>
#include <set>
#include <string>

#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "cli/json_view.h"
#include "core/files/fd.h"
#include "core/files/files.h"
#include "core/json/json.h"

namespace berth::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;

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

}  // namespace
}  // namespace berth::cli
