#include <csignal>
#include <string>
#include <vector>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/ranges.h>

#include "cli/fake_daemon.h"
#include "cli/run_berth.h"
#include "cli/verbs.h"

namespace berth::cli {
namespace {

using testing::HasSubstr;

constexpr const char* kTold = "the output cannot be written: No space left on device";

void disk_is_full() {
  if (::dup2(::open("/dev/full", O_WRONLY), STDOUT_FILENO) < 0) ::_exit(126);
}

void nobody_reads() {
  int ends[2];
  if (::pipe(ends) != 0 || ::dup2(ends[1], STDOUT_FILENO) < 0) ::_exit(126);
  ::close(ends[0]);
  ::close(ends[1]);
  std::signal(SIGPIPE, SIG_IGN);
}

void expect_told(const std::vector<std::string>& call) {
  const Ran ran = run_berth(call, disk_is_full);
  EXPECT_EQ(ran.exit, 1) << fmt::format("{}", fmt::join(call, " "));
  EXPECT_THAT(ran.err, HasSubstr(kTold)) << fmt::format("{}", fmt::join(call, " "));
}

void expect_helps_told(const Verb& verb, std::vector<std::string> path) {
  if (verb.hidden) return;
  for (const char* help : {"-h", "--help"}) {
    auto call = path;
    call.emplace_back(help);
    expect_told(call);
  }
  for (const Verb& below : verb.verbs) {
    auto deeper = path;
    deeper.push_back(below.name);
    expect_helps_told(below, deeper);
  }
}

TEST(FullOutput, OfEveryHelpIsAnError) {
  Console console;
  expect_helps_told(berth_program(console), {});
}

TEST(FullOutput, OfWhatNeedsNoBerthdIsAnError) {
  for (const std::vector<std::string>& call : {std::vector<std::string>{"--version"}, {"--version", "--json"}, {"--man"}, {"completion", "bash"}, {"doctor"}, {"doctor", "--json"}}) expect_told(call);
}

TEST(FullOutput, OfWhatABerthdTellsIsAnErrorInEveryVerb) {
  FakeDaemon daemon;
  daemon.on("GET /v1/status", R"({"node": "edge-1", "apps": [{"app": "web", "active": "v1"}], "webhooks": []})");
  daemon.on("GET /v1/events", R"({"events": [{"number": 1, "at": "2026-11-24T09:00:00Z", "kind": "node.started"}]})");
  daemon.on("GET /v1/deployments", R"({"deployments": [{"id": 7, "app": "web", "release": "v2", "kind": "deploy", "state": "active", "exit": 0, "created_at": "2026-11-24T09:00:00Z"}]})");
  daemon.on("GET /v1/apps/web/releases", R"({"releases": [{"release": "v1", "on_node": true, "active": true}]})");
  daemon.on("GET /v1/apps/web", R"({"app": "web", "active": "v1"})");
  daemon.on("POST /v1/apps/web/deployments", R"({"id": 7, "app": "web", "release": "v1", "kind": "deploy", "state": "active", "exit": 0, "already": true})");
  for (std::vector<std::string> call : {std::vector<std::string>{"status"}, {"status", "--json"}, {"events"}, {"events", "--json"}, {"events", "-f"}, {"history"}, {"history", "--json"}, {"releases", "web"}, {"apps"}, {"deploy", "web@v1"}}) {
    call.insert(call.end(), {"--socket", daemon.socket()});
    expect_told(call);
  }
}

TEST(FullOutput, IsToldAsADocumentToo) {
  EXPECT_THAT(run_berth({"doctor", "--json"}, disk_is_full).err, HasSubstr(R"("code":"io")"));
}

TEST(FullOutput, AReaderThatWentAwayIsNoneToTell) {
  const Ran ran = run_berth({"--man"}, nobody_reads);
  EXPECT_EQ(ran.exit, 0);
  EXPECT_EQ(ran.err, "");
}

}  // namespace
}  // namespace berth::cli
