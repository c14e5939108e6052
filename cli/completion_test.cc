#include "cli/completion.h"

#include <chrono>
#include <cstring>
#include <sstream>

#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "cli/fake_daemon.h"
#include "cli/run_berth.h"
#include "core/files/fd.h"

namespace berth::cli {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class Completion : public testing::Test {
 protected:
  void SetUp() override {
    daemon.on("GET /v1/status", R"({"environment": "qa", "apps": [
      {"app": "web", "active": "v2", "health": "healthy", "jobs": [{"process": "report", "state": "failed"}], "processes": [{"process": "worker", "ready": 1, "wanted": 2}],
       "instances": [{"instance": "web/worker.1@v2", "phase": "running"}]},
      {"app": "api"}, {"app": "x; rm -rf /"}], "follows": [{"app": "web", "channel": "stable"}], "webhooks": [{"webhook": "chat", "state": "failing"}]})");
    daemon.on("GET /v1/apps/web/releases", R"({"releases": [{"release": "v1", "rejected": "never ready", "on_node": true}, {"release": "v2", "active": true}]})");
    daemon.on("GET /v1/repository/apps", R"({"apps": [{"app": "blog"}]})");
  }
  std::string said(std::vector<std::string> words) {
    words.insert(words.begin(), {"complete", "--"});
    ::setenv("BERTH_SOCKET", daemon.socket().c_str(), 1);
    const Ran ran = run_berth(words);
    ::unsetenv("BERTH_SOCKET");
    EXPECT_EQ(ran.exit, 0);
    EXPECT_EQ(ran.err, "");
    return ran.out;
  }
  /// The words alone.
  std::vector<std::string> words(std::vector<std::string> typed) {
    std::vector<std::string> found;
    std::istringstream lines(said(std::move(typed)));
    for (std::string line; std::getline(lines, line);) found.push_back(line.substr(0, line.find('\t')));
    return found;
  }
  FakeDaemon daemon;
};

TEST_F(Completion, OffersVerbsOptionsAndTheirWords) {
  EXPECT_EQ(said({"dep"}), "deploy\tMake a release the active one on this node\n");
  EXPECT_THAT(words({""}), testing::AllOf(Contains("deploy"), Contains("repo"), Not(Contains("complete"))));
  EXPECT_THAT(words({"repo", "ver"}), ElementsAre("verify"));
  EXPECT_THAT(words({"deploy", "--fo"}), ElementsAre("--force"));
  EXPECT_THAT(words({"deploy", "--verb"}), ElementsAre("--verbose"));
  EXPECT_THAT(words({"help", "dep"}), ElementsAre("deploy"));
  EXPECT_THAT(words({"logs", "web", "--level", "w"}), ElementsAre("warning"));
  EXPECT_THAT(words({"logs", "web", "--level=w"}), ElementsAre("--level=warning"));
  EXPECT_THAT(words({"mark", "web@v1", "g"}), ElementsAre("good"));
  EXPECT_THAT(words({"completion", ""}), ElementsAre("bash", "fish", "zsh"));
  EXPECT_EQ(said({"build", ""}), ":files\n");
  EXPECT_EQ(said({"repo", "status", ""}), ":folders\n");
  EXPECT_EQ(said({"build", "x", "--spec", ""}), ":files\n");
  EXPECT_EQ(said({"import", ""}), ":files\n");
  EXPECT_THAT(words({"deploy", "web@v1", "--until", ""}), ElementsAre("active", "switched"));
  EXPECT_THAT(words({"logs", "web", "--stream", ""}), ElementsAre("stderr", "stdout"));
  EXPECT_THAT(words({"repo", "rotate", "./repo", ""}), ElementsAre("root", "snapshot", "targets", "timestamp"));
  EXPECT_THAT(words({"build", ".", "--no"}), ElementsAre("--no-color")) << "it asks no berthd";
  EXPECT_THAT(words({"status", "--no"}), ElementsAre("--no-color", "--node"));
}

TEST_F(Completion, OffersWhatBerthdHas) {
  EXPECT_THAT(words({"status", "w"}), ElementsAre("web"));
  EXPECT_EQ(said({"status", "w"}), "web\tv2, healthy\n");
  EXPECT_THAT(words({"deploy", ""}), ElementsAre("api@", "blog@", "web@"));
  EXPECT_EQ(said({"deploy", "--reason", "a new kernel", "web@"}), "web@v1\ton the node, rejected\nweb@v2\tactive\n");
  EXPECT_THAT(words({"revert", "web", "--to", ""}), ElementsAre("v1")) << "v2 is not on the node";
  EXPECT_THAT(words({"exec", "web", "--release", ""}), ElementsAre("v1"));
  for (const char* verb : {"pin", "unpin"}) EXPECT_THAT(words({verb, "web@"}), ElementsAre("web@v1")) << verb;
  EXPECT_THAT(words({"unpin", ""}), ElementsAre("api@", "web@")) << "what is in the repository alone is not pinned";
  EXPECT_THAT(words({"logs", "web", "--release", ""}), ElementsAre("v1", "v2"));
  EXPECT_THAT(words({"exec", "web/"}), ElementsAre("web/worker", "web/worker.1")) << "no job: a command looks at what runs";
  EXPECT_THAT(words({"promote", "w"}), ElementsAre("web/qa@"));
  EXPECT_THAT(words({"promote", "web/qa@"}), ElementsAre("web/qa@v1", "web/qa@v2"));
  EXPECT_THAT(words({"release", "web", "--env", ""}), ElementsAre("qa"));
  EXPECT_THAT(words({"revert", "web", "--to=v1"}), ElementsAre("--to=v1"));
  EXPECT_THAT(words({"logs", ""}), ElementsAre("api", "web"));
  EXPECT_THAT(words({"logs", "w"}), ElementsAre("web", "web/report", "web/worker", "web/worker.1"));
  EXPECT_THAT(words({"restart", "web/w"}), ElementsAre("web/worker", "web/worker.1"));
  EXPECT_THAT(words({"run-job", ""}), ElementsAre("web/report"));
  EXPECT_THAT(words({"scale", "web/"}), ElementsAre("web/worker="));
  EXPECT_THAT(words({"scale", "web/worker=2", "web/"}), ElementsAre("web/worker=")) << "and more of them";
  EXPECT_THAT(words({"channel", "set", ""}), ElementsAre("stable"));
  EXPECT_EQ(said({"webhook", "test", ""}), "chat\tfailing\n");
  EXPECT_THAT(words({"exec", "web", "--", ""}), IsEmpty()) << "what comes after it is the command's";
}

TEST_F(Completion, NeverGivesAShellWhatItWouldExpand) { EXPECT_THAT(said({"status", "x"}), Not(HasSubstr("rm"))); }

TEST_F(Completion, AsksWhomTheLineNames) {
  daemon.on("GET /v1/status", R"({"apps": [{"app": "here"}]})");
  const std::string socket = daemon.socket();
  const Ran ran = run_berth({"complete", "--", "--socket", socket, "status", ""});
  EXPECT_EQ(ran.out, "here\n");
  EXPECT_THAT(words({"--node", "elsewhere.invalid", "status", ""}), IsEmpty()) << "this node is not the one that is meant";
}

TEST_F(Completion, KeepsNobodyWaitingForABerthdThatSaysNothing) {
  const Fd silent(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = daemon.socket() + ".silent";
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(silent.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(silent.get(), 4), 0);
  for (const std::vector<std::string>& line : {std::vector<std::string>{"deploy", ""}, {"logs", "web/"}, {"deploy", "web@"}}) {
    std::vector<std::string> all{"complete", "--", "--socket", path};
    all.insert(all.end(), line.begin(), line.end());
    const auto began = std::chrono::steady_clock::now();
    const Ran ran = run_berth(all);
    EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::milliseconds(1500)) << "300 ms, and a slow machine";
    EXPECT_EQ(ran.exit, 0);
    EXPECT_EQ(ran.out, "");
  }
}

TEST_F(Completion, ScriptsAreOfThreeShells) {
  for (const char* shell : {"bash", "zsh", "fish"}) EXPECT_THAT(run_berth({"completion", shell}).out, HasSubstr("berth complete -- "));
}

}  // namespace
}  // namespace berth::cli
