#include <gmock/gmock.h>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "cli/man.h"
#include "cli/run_berth.h"
#include "cli/verbs.h"
#include "core/json/json.h"
#include "core/roff.h"

namespace berth::cli {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;
using testing::StartsWith;

/// Calls `visit(verb, path)` for every verb that can be run.
template <class Visit>
void for_each_verb(const Verb& verb, std::vector<std::string> path, Visit visit) {
  if (verb.hidden) return;
  if (verb.action) visit(verb, path);
  for (const Verb& below : verb.verbs) {
    auto deeper = path;
    deeper.push_back(below.name);
    for_each_verb(below, deeper, visit);
  }
}

TEST(Program, EveryVerbThatAsksBerthdSaysWhetherItDoesSoElsewhere) {
  Console console;
  const Verb root = berth_program(console);
  std::vector<std::string> untold, here, on_node;
  for_each_verb(root, {}, [&](const Verb& verb, const std::vector<std::string>& path) {
    const auto ends_with = [&](Exit exit) { return std::ranges::find(verb.exits, exit) != verb.exits.end(); };
    if (ends_with(Exit::unreachable) && ends_with(Exit::permission) && verb.remotely == Remotely::never) untold.push_back(fmt::format("{}", fmt::join(path, " ")));
    if (verb.remotely == Remotely::reads_here) here.push_back(fmt::format("{}", fmt::join(path, " ")));
    if (verb.remotely == Remotely::on_node_only) on_node.push_back(fmt::format("{}", fmt::join(path, " ")));
  });
  EXPECT_THAT(untold, testing::IsEmpty());
  // These read files of the machine that they run on, and ask its berthd where they are.
  EXPECT_THAT(here, testing::UnorderedElementsAre("export", "inspect", "diff"));
  EXPECT_THAT(on_node, testing::UnorderedElementsAre("import", "doctor", "backup", "restore")) << "these are refused where a node elsewhere is named";
}

TEST(Program, EveryVerbHasHelpWithAnExampleAndExitCodes) {
  Console console;
  const Verb root = berth_program(console);
  int verbs = 0;
  for_each_verb(root, {}, [&](const Verb& verb, std::vector<std::string> path) {
    path.push_back("--help");
    const Ran ran = run_berth(path);
    EXPECT_EQ(ran.exit, 0) << verb.name;
    EXPECT_THAT(ran.out, HasSubstr("Examples:")) << verb.name;
    EXPECT_THAT(ran.out, HasSubstr("Exit codes:")) << verb.name;
    EXPECT_EQ(ran.err, "") << verb.name;
    ++verbs;
  });
  EXPECT_GE(verbs, 19);
}

TEST(Program, WithoutAVerbShowsWhatThereIs) {
  const Ran ran = run_berth({});
  EXPECT_EQ(ran.exit, 2);
  EXPECT_THAT(ran.out, HasSubstr("deploy"));
  EXPECT_EQ(run_berth({"--help"}).exit, 0);
}

TEST(Program, TellsItsVersion) {
  const Ran ran = run_berth({"--version"});
  EXPECT_EQ(ran.exit, 0);
  EXPECT_THAT(ran.out, MatchesRegex("berth " BERTH_VERSION "\nbuilt from [^\n]+ by [^\n]+ for [^\n]+\n"));
}

TEST(Program, TellsItsVersionAndOfAVerbByWordsToo) {
  EXPECT_EQ(run_berth({"version"}).out, run_berth({"--version"}).out);
  const std::vector<std::vector<std::string>> calls{{"--version", "--json"}, {"--json", "--version"}, {"version", "--json"}};
  for (const auto& call : calls) {
    const auto told = json::parse(run_berth(call).out);
    ASSERT_TRUE(told) << told.error().message;
    EXPECT_THAT(run_berth({"--version"}).out, HasSubstr("berth " + std::string(told->as_object().at("version").as_string()) + "\n"));
    EXPECT_FALSE(told->as_object().at("source").as_string().empty());
  }
  EXPECT_THAT(run_berth({"help"}).out, HasSubstr("\nVerbs:\n"));
  const Ran ran = run_berth({"help", "repo", "init"});
  EXPECT_EQ(ran.exit, 0);
  EXPECT_THAT(ran.out, HasSubstr("\nCommon options:\n"));
  EXPECT_GT(ran.out.size(), run_berth({"repo", "init", "--help"}).out.size());
  EXPECT_EQ(run_berth({"repo", "init", "--help"}).out, run_berth({"repo", "init", "-h"}).out);
  EXPECT_THAT(run_berth({"status", "-V"}).err, HasSubstr("did you mean 'berth --version'?"));
  EXPECT_EQ(run_berth({"help", "depoly"}).exit, 2);
}

TEST(Program, AProblemInJsonHasNoNameOfTheCallBefore) {
  for (const auto& [call, detail] : std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{"deploy", "--json"}, "APP@RELEASE"}, {{"status", "--json", "--nonsense"}, "unknown option '--nonsense'"}, {{"repo", "init", "--json", "--threshold", "many"}, ""}}) {
    const auto told = json::parse(run_berth(call).err);
    ASSERT_TRUE(told);
    const std::string said(told->as_object().at("detail").as_string());
    EXPECT_FALSE(said.starts_with("berth")) << said;
    EXPECT_TRUE(said.starts_with(detail)) << said;
  }
  EXPECT_THAT(run_berth({"status", "--nonsense"}).err, StartsWith("berth status: unknown option"));
}

TEST(Program, SaysExitCodesInWordsThatFitTheVerb) {
  EXPECT_THAT(run_berth({"help", "builds"}).out, Not(HasSubstr("a deployed release is active")));
  EXPECT_THAT(run_berth({"help", "deploy"}).out, HasSubstr("a deployed release is active"));
  EXPECT_THAT(run_berth({"exec", "--help"}).out, HasSubstr("125"));
}

TEST(Program, AWrongCallOfExecIsNoFailureOfBerthItself) {
  const std::pair<std::vector<std::string>, const char*> table[] = {{{"exec", "-t", "web/web.1", "--", "true"}, "-t: stdin and stdout are no terminal"},
                                                                    {{"exec", "-n", "-i", "web", "--", "true"}, "not with -i or -t"},
                                                                    {{"exec", "web@v1", "--release", "v2", "--", "true"}, "name two releases"},
                                                                    {{"exec", "Web", "--", "true"}, "Web"}};
  for (const auto& [arguments, says] : table) {
    const Ran ran = run_berth(arguments);
    EXPECT_EQ(ran.exit, 2) << says;
    EXPECT_THAT(ran.err, HasSubstr(says));
  }
  EXPECT_EQ(run_berth({"exec", "web", "--socket", "/nonexistent/api.sock", "--", "true"}).exit, 125);
  EXPECT_THAT(run_berth({"exec", "-h"}).out, HasSubstr("APP[/PROCESS[.N]][@RELEASE]"));
}

TEST(Program, RefusesWrongCallsWithTwoAndSaysWhatWasMeant) {
  const std::pair<std::vector<std::string>, std::string> table[] = {
      {{"depoly", "web@v1"}, "did you mean 'deploy'?"},
      {{"rollback", "web"}, "did you mean 'revert'?"},
      {{"rm", "web"}, "did you mean 'remove'?"},
      {{"undeploy", "web"}, "did you mean 'remove'?"},
      {{"events", "web", "--app", "api"}, "name two apps"},
      {{"history", "7", "--count", "2"}, "one deployment is named"},
      {{"deploy", "web@v1", "--forse"}, "did you mean '--force'?"},
      {{"gc", "-x"}, "berth gc: unknown option '-x'; see berth gc --help\n"},
      {{"promote", "web@v1", "--to", "qa"}, "berth promote: say from which environment, as in web/dev@v1\n"},
      {{"promote", "web/qa", "--to", "production"}, "berth promote: say which release of web/qa, as in web/qa@v1; 'berth releases web' lists them\n"},
      {{"deploy"}, "APP@RELEASE|FILE is missing"},
      {{"deploy", "web"}, "say which release of web"},
      {{"deploy", "Web@v1"}, "app 'Web'"},
      {{"deploy", "web@v1", "--timeout", "soon"}, "'soon' is no length of time"},
      {{"deploy", "web@v1", "--until", "later"}, "'later' is neither"},
      {{"deploy", "web/qa@v1", "--env", "dev"}, "two environments"},
      {{"run-job", "web"}, "APP/JOB"},
      {{"run-job", "web/report.2"}, "APP/JOB"},
      {{"scale", "web=3"}, "APP/PROCESS=N"},
      {{"scale", "web/web", "3"}, "'web/web' is not APP/PROCESS=N, such as web/web=4"},
      {{"scale", "web/web=3", "web/worker"}, "'web/worker' is not APP/PROCESS=N"},
      {{"scale", "web/web=3", "web/worker=2", "web/web=4"}, "web/web is named twice"},
      {{"scale", "web/web=many"}, "APP/PROCESS=N"},
      {{"scale", "web/web=999"}, "web/web cannot have 999 instances; 256 are the most"},
      {{"scale", "web/web=99999999999"}, "256 are the most"},
      {{"logs", "web", "--since", "yesterday"}, "'yesterday' is no moment"},
      {{"logs", "web", "--grep", "a(", "--regex"}, "regular expression 'a('"},
      {{"status", "web@v1"}, "more than an app"},
      {{"stop", "web", "--reason", "one\ntwo"}, "berth stop: --reason: it has more than one line"},
      {{"stop", "web", "--reason", std::string(1001, 'x')}, "berth stop: --reason: it has more than 1000 bytes"},
      {{"gc", ""}, "berth gc: APP is empty; name it, or leave it out\n"},
      {{"status", ""}, "berth status: APP is empty; name it, or leave it out\n"},
      {{"verify", ""}, "is empty; name it, or leave it out\n"},
      {{"events", ""}, "berth events: APP is empty"},
      {{"history", ""}, "berth history: APP|NUMBER is empty"},
      {{"remove", ""}, "berth remove: APP is empty; name it\n"},
      {{"remove", "web", "--purge"}, "--yes"},
      {{"completion", "tcsh"}, "bash, zsh or fish"},
      {{"run", "/", "--port", "0"}, "berth run: --port 0: 1 to 65535\n"},
      {{"logs", "web", "-n", "-1"}, "berth logs: -n: a number of lines from 0 on\n"},
      {{"run", "/", "--set", "1A=x"}, "'1A=x' is not NAME=VALUE"},
      {{"run", "/"}, "neither a berth.toml nor a Procfile"},
      {{"run", "web@v1", "--watch"}, "--watch is for an app's folder"},
      {{"run", "web@v1"}, "say which repository web@v1 is in: --repo DIR|URL, or --config"},
      {{"run", "web@v1", "--as", "qa"}, "--repo DIR|URL"},
      {{"run", "web/dev@v1", "--as", "qa", "--repo", "/"}, "two environments"},
      {{"new", "/proc/sys"}, "found no Procfile"},
  };
  for (const auto& [arguments, says] : table) {
    auto all = arguments;
    all.insert(all.end(), {"--socket", "/nonexistent/api.sock"});
    const Ran ran = run_berth(all);
    EXPECT_EQ(ran.exit, 2) << says;
    EXPECT_THAT(ran.err, HasSubstr(says));
    EXPECT_THAT(ran.err, Not(HasSubstr("berth: berth"))) << says;
    EXPECT_EQ(ran.out, "") << says;
  }
}

TEST(Program, SaysHowToReachADaemonThatIsNotThere) {
  const Ran ran = run_berth({"status", "--socket", "/nonexistent/api.sock"});
  EXPECT_EQ(ran.exit, 6);
  EXPECT_THAT(ran.err, HasSubstr("/nonexistent/api.sock"));
  EXPECT_THAT(ran.err, HasSubstr("systemctl start berthd"));
  const Ran json = run_berth({"status", "--json", "--socket", "/nonexistent/api.sock"});
  EXPECT_EQ(json.exit, 6);
  EXPECT_THAT(json.err, StartsWith("{\"code\":\"unreachable\""));
}

TEST(Program, ManPageHasEveryVerbAndExitCode) {
  const Ran ran = run_berth({"--man"});
  EXPECT_EQ(ran.exit, 0);
  EXPECT_THAT(ran.out, StartsWith(".TH BERTH 1"));
  Console console;
  for_each_verb(berth_program(console), {"berth"}, [&](const Verb& verb, const std::vector<std::string>&) { EXPECT_THAT(ran.out, HasSubstr(roff::text(verb.name))); });
  for (int code = 0; code <= 9; ++code) EXPECT_THAT(ran.out, HasSubstr(fmt::format(".TP\n\\fB{}\\fR", code)));
}

}  // namespace
}  // namespace berth::cli
