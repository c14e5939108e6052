#include <gmock/gmock.h>
#include <signal.h>

#include <filesystem>

#include <fmt/core.h>

#include "cli/run_berth.h"
#include "core/json/json.h"

namespace berth::cli {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

class LogsVerb : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "berth-logs-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root = name;
    write("web.1", "2026-11-24T09:00:01.000000000Z stdout F first\n2026-11-24T09:00:03.000000000Z stderr F third \x1b[31m\n");
    write("worker.1", "2026-11-24T09:00:02.000000000Z stdout F second\n");
  }
  void TearDown() override { fs::remove_all(root); }

  void write(const std::string& instance, const std::string& bytes) {
    fs::create_directories(root / "web" / instance);
    std::ofstream(root / "web" / instance / "0000000000000001.log", std::ios::app) << bytes;
  }
  Ran logs(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "logs");
    arguments.insert(arguments.end(), {"--logs", root});
    return run_berth(std::move(arguments));
  }
  fs::path root;
};

TEST_F(LogsVerb, ReadsTheFilesWithoutADaemon) {
  const Ran ran = logs({"web"});
  EXPECT_EQ(ran.exit, 0);
  EXPECT_EQ(ran.out, "2026-11-24T09:00:01.000Z web.1  first\n2026-11-24T09:00:02.000Z worker.1  second\n2026-11-24T09:00:03.000Z web.1  third \x1b[31m\n");
}

TEST_F(LogsVerb, TakesOneInstanceTheLastLinesAndText) {
  EXPECT_EQ(logs({"web/web.1", "-n", "1", "--raw"}).out, "third \x1b[31m\n");
  EXPECT_EQ(logs({"web", "--grep", "sec", "--raw"}).out, "second\n");
  EXPECT_EQ(logs({"web", "--since", "2026-11-24T09:00:02Z", "--until", "2026-11-24T09:00:03Z", "--raw"}).out, "second\n");
  EXPECT_EQ(logs({"web", "--stream", "stderr", "--raw"}).out, "third \x1b[31m\n");
}

TEST_F(LogsVerb, GivesJsonWithTimeInstanceAndStream) {
  const auto line = json::parse(logs({"web", "-n", "1", "--json"}).out).value();
  EXPECT_EQ(line.at("instance").as_string(), "web/web.1");
  EXPECT_EQ(line.at("stream").as_string(), "stderr");
  EXPECT_EQ(line.at("time").as_string(), "2026-11-24T09:00:03.000000000Z");
  EXPECT_EQ(line.at("text").as_string(), "third \x1b[31m");
}

TEST_F(LogsVerb, EndsWithThreeForAnAppWithoutLogs) {
  const Ran ran = logs({"api"});
  EXPECT_EQ(ran.exit, 3);
  EXPECT_THAT(ran.err, HasSubstr("apps with logs: web"));
}

TEST_F(LogsVerb, SaysThatBerthdDidNotSayWhereTheLogsAre) {
  const Ran ran = run_berth({"logs", "no-such-app-is-here", "--socket", root / "none.sock"});
  EXPECT_EQ(ran.exit, 3);
  EXPECT_THAT(ran.err, testing::AllOf(HasSubstr("the logs in /var/log/berth"), HasSubstr("--logs DIR or $BERTH_LOGS")));
}

TEST_F(LogsVerb, FollowsUntilItIsKilled) {
  const auto out = root / "out";
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    if (std::freopen(out.c_str(), "w", stdout) == nullptr) ::_exit(126);
    ::execl(BERTH_PROGRAM, "berth", "logs", "web", "-f", "--raw", "--logs", root.c_str(), nullptr);
    ::_exit(127);
  }
  const auto wait_for = [&](const std::string& text) {
    for (int i = 0; i < 1000; ++i) {
      std::ifstream file(out);
      if (std::string(std::istreambuf_iterator<char>(file), {}).find(text) != std::string::npos) return true;
      ::usleep(10'000);
    }
    return false;
  };
  EXPECT_TRUE(wait_for("third"));
  write("worker.1", "2026-11-24T09:00:04.000000000Z stdout F fourth\n");
  EXPECT_TRUE(wait_for("fourth"));
  write("worker.2", "2026-11-24T09:00:05.000000000Z stdout F of a new instance\n");
  EXPECT_TRUE(wait_for("of a new instance"));
  ::kill(child, SIGTERM);
  ::waitpid(child, nullptr, 0);
}

}  // namespace
}  // namespace berth::cli
