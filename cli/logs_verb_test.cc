#include <gmock/gmock.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <limits>

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

TEST_F(LogsVerb, GivesJsonWithAllThatALineTells) {
  write("web.2", "2026-11-24T09:00:04.000000000Z stdout F:v42:17:4711 {\"level\":\"warn\"}\n2026-11-24T09:00:05.000000000Z stderr F:v42:17:4711:keeper lost\n");
  const std::string out = logs({"web@v42", "--json"}).out;
  EXPECT_EQ(out, R"({"time":"2026-11-24T09:00:04.000000000Z","app":"web","process":"web","instance":"web/web.2","stream":"stdout","sequence":1,"release":"v42",)"
                 R"("deployment":17,"pid":4711,"level":"warning","text":"{\"level\":\"warn\"}"})" "\n"
                 R"({"time":"2026-11-24T09:00:05.000000000Z","app":"web","process":"web","instance":"web/web.2","stream":"stderr","sequence":2,"release":"v42",)"
                 R"("deployment":17,"pid":4711,"keeper":true,"text":"lost"})" "\n");
}

TEST_F(LogsVerb, TakesAReleaseALevelAndTheRunBefore) {
  const pid_t alive = ::getpid(), over = std::numeric_limits<pid_t>::max();
  write("web.2", fmt::format("2026-11-24T09:00:04.000000000Z stdout F:v1:1:{1} ERROR one\n2026-11-24T09:00:05.000000000Z stdout F:v2:2:{0} two\n"
                             "2026-11-24T09:00:06.000000000Z stderr F:v2:2:{0}:keeper lost\n", alive, over));
  EXPECT_EQ(logs({"web", "--release", "v2", "--raw"}).out, "two\n") << "what keepers say was written by no app";
  EXPECT_EQ(logs({"web@v1", "--raw"}).out, "ERROR one\n");
  EXPECT_EQ(logs({"web", "--level", "warn", "--raw"}).out, "ERROR one\n");
  EXPECT_EQ(logs({"web/web.2", "--previous", "--raw"}).out, "ERROR one\n");
  EXPECT_EQ(logs({"web/worker.1", "-p"}).exit, 3);
}

TEST_F(LogsVerb, TakesTheLastRunOfAReleaseThatIsOver) {
  const pid_t alive = ::getpid(), over = std::numeric_limits<pid_t>::max();
  write("web.2", fmt::format("2026-11-24T09:00:04.000000000Z stdout F:v2:1:{0} first try\n2026-11-24T09:00:05.000000000Z stdout F:v2:1:{1} cannot connect\n"
                             "2026-11-24T09:00:06.000000000Z stdout F:v1:2:{2} back\n2026-11-24T09:00:07.000000000Z stdout F:v3:3:{3} serving\n", over - 2, over - 1, over, alive));
  EXPECT_EQ(logs({"web/web.2", "--previous", "--raw"}).out, "back\n");
  EXPECT_EQ(logs({"web/web.2@v2", "--previous", "--raw"}).out, "cannot connect\n");
  EXPECT_EQ(logs({"web", "--release", "v2", "--previous", "--raw"}).out, "cannot connect\n");
  const Ran running = logs({"web/web.2@v3", "--previous"}), missing = logs({"web/web.2@v99", "--previous"});
  EXPECT_EQ(running.exit, 3);
  EXPECT_THAT(running.err, HasSubstr("web: its logs have no lines of a run of v3 that is over"));
  EXPECT_EQ(missing.exit, 3);
  EXPECT_THAT(missing.err, HasSubstr("no lines of v99; there are lines of"));
}

TEST_F(LogsVerb, TellsTheReleaseOfEachLineWhereSeveralWroteThem) {
  write("web.2", "2026-11-24T09:00:04.000000000Z stdout F:v1:1:10 one\n2026-11-24T09:00:05.000000000Z stdout F:v2:2:20 two\n");
  EXPECT_EQ(logs({"web/web.2"}).out, "2026-11-24T09:00:04.000Z web.2@v1  one\n2026-11-24T09:00:05.000Z web.2@v2  two\n");
  EXPECT_EQ(logs({"web/web.2@v2"}).out, "2026-11-24T09:00:05.000Z web.2  two\n");
  EXPECT_EQ(logs({"web", "-n", "2"}).out, logs({"web/web.2"}).out);
  EXPECT_EQ(logs({"web", "--grep", "r"}).out.find('@'), std::string::npos) << "these tell no release";
}

TEST_F(LogsVerb, HoldsBackNoMoreThanAMegabyte) {
  std::string many;
  for (int i = 0; i < 20'000; ++i) many += fmt::format("2026-11-24T09:00:04.000000000Z stdout F:v1:1:10 {:0100}\n", i);
  write("web.2", many + "2026-11-24T09:00:05.000000000Z stdout F:v2:2:20 two\n");
  const std::string out = logs({"web/web.2"}).out;
  EXPECT_EQ(std::ranges::count(out, '\n'), 20'001);
  EXPECT_THAT(out, testing::StartsWith("2026-11-24T09:00:04.000Z web.2  000"));
  EXPECT_THAT(out, testing::EndsWith(" web.2@v2  two\n"));
}

TEST_F(LogsVerb, EndsWithThreeForAReleaseWithoutLines) {
  write("web.2", "2026-11-24T09:00:04.000000000Z stdout F:v1:1:10 one\n2026-11-24T09:00:05.000000000Z stdout F:v2:2:20 two\n");
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{"web@v7"}, {"web", "--release", "v7"}, {"web@v7", "--json"}}) {
    const Ran ran = logs(arguments);
    EXPECT_EQ(ran.exit, 3);
    EXPECT_EQ(ran.out, "");
    EXPECT_THAT(ran.err, HasSubstr("no lines of v7; there are lines of v1, v2"));
  }
  EXPECT_EQ(logs({"web@v2", "--grep", "nothing"}).exit, 0) << "it has lines, though none with that text";
  EXPECT_THAT(logs({"web/worker.1@v7"}).err, HasSubstr("no lines of v7; no line tells a release"));
}

TEST_F(LogsVerb, TellsOfManyReleasesTheNewestAndHowManyMore) {
  std::string lines;
  for (int release = 1; release <= 12; ++release) lines += fmt::format("2026-11-24T09:00:{:02}.000000000Z stdout F:v{}:1:10 one\n", release + 3, release);
  write("web.2", lines);
  EXPECT_THAT(logs({"web@v99"}).err, HasSubstr("no lines of v99; there are lines of v3, v4, v5, v6, v7, v8, v9, v10, v11, v12, and of 2 older ones\n"));
}

TEST_F(LogsVerb, RefusesWhatItDoesNotUnderstand) {
  const std::pair<std::vector<std::string>, const char*> table[] = {
      {{"web", "--level", "loud"}, "--level: 'loud' is no level"},
      {{"web@v1", "--release", "v2"}, "name two releases"},
      {{"web", "--release", "a b"}, "no release id"},
      {{"web", "--color", "blue"}, "none of auto, always, never"},
      {{"web", "--previous", "-f"}, "--previous shows a run that is over: it goes without --follow"},
      {{"web", "-f", "-n", "0", "--until", "1h"}, "--until goes without --follow"},
      {{"web", "--since", "1h", "--until", "2h"}, "--since 1h is not before --until 2h"},
  };
  for (const auto& [arguments, complaint] : table) {
    const Ran ran = logs(arguments);
    EXPECT_EQ(ran.exit, 2);
    EXPECT_THAT(ran.err, HasSubstr(complaint));
  }
}

TEST_F(LogsVerb, VerboseNamesTheFolderThatIsRead) {
  EXPECT_EQ(logs({"web", "-n", "1"}).err, "");
  EXPECT_THAT(logs({"web", "-n", "1", "-v"}).err, HasSubstr("# the logs of web are read in " + std::string(root)));
}

TEST_F(LogsVerb, ColoursWhereItIsAskedTo) {
  EXPECT_THAT(logs({"web", "--color", "always"}).out, testing::AllOf(HasSubstr("\x1b["), testing::Not(HasSubstr("third \x1b[31m"))));
  EXPECT_THAT(logs({"web", "--color", "never", "--stream", "stdout"}).out, testing::Not(HasSubstr("\x1b[")));
}

TEST_F(LogsVerb, EndsWithThreeForAnAppWithoutLogs) {
  const Ran ran = logs({"api"});
  EXPECT_EQ(ran.exit, 3);
  EXPECT_THAT(ran.err, HasSubstr("apps with logs: web"));
}

TEST_F(LogsVerb, SaysThatBerthdDidNotSayWhereTheLogsAre) {
  const Ran ran = run_berth({"logs", "no-such-app-is-here", "--socket", root / "none.sock"});
  EXPECT_EQ(ran.exit, 3);
  EXPECT_THAT(ran.err, HasSubstr("; /var/log/berth is where logs usually are, and --logs DIR or $BERTH_LOGS names another folder: berthd cannot be asked where its own are, since berthd does not run here"));
  EXPECT_EQ(std::ranges::count(ran.err, '\n'), 1) << ran.err;
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
