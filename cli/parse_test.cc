#include "cli/parse.h"

#include <gmock/gmock.h>

#include "cli/help.h"

namespace berth::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// A small tree with everything in it.
struct Tree {
  std::string release, environment, app;
  std::optional<std::int64_t> count;
  std::vector<std::string> command;
  bool force = false, json = false;
  Verb root;

  Tree() {
    Verb deploy{.name = "deploy", .summary = "Deploy", .examples = {"berth deploy web@v1 # says what it does"}, .exits = {Exit::reverted},
                .arguments = {{"APP@RELEASE", "what", &release}}, .options = {{"-e,--env", "NAME", "where", &environment}, {"--force", "", "also if rejected", &force}}};
    Verb status{.name = "status", .summary = "Status", .arguments = {{"APP", "one app", &app, Completes::nothing, false}}, .options = {{"-n,--count", "N", "how many", &count}}};
    Verb init{.name = "init", .summary = "Make one", .arguments = {{"DIR", "where", &app}}};
    Verb exec{.name = "exec", .summary = "Run", .arguments = {{"APP", "which", &app}, {"COMMAND...", "what", &command}}};
    Verb repo{.name = "repo", .summary = "Repositories", .verbs = {init}};
    root = {.name = "berth", .summary = "Test", .options = {{"--json", "", "as JSON", &json}}, .verbs = {deploy, status, exec, repo}};
  }
};

TEST(Parse, StoresArgumentsOptionsAndFlags) {
  Tree tree;
  const auto parsed = parse(tree.root, {"deploy", "web@v1", "--env", "qa", "--force", "--json"});
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->verb->name, "deploy");
  EXPECT_THAT(parsed->path, ElementsAre("berth", "deploy"));
  EXPECT_EQ(tree.release, "web@v1");
  EXPECT_EQ(tree.environment, "qa");
  EXPECT_TRUE(tree.force);
  EXPECT_TRUE(tree.json);
}

TEST(Parse, TakesOptionsAnywhereAndAttached) {
  Tree tree;
  ASSERT_TRUE(parse(tree.root, {"--json", "deploy", "--env=qa", "web@v1"}));
  EXPECT_EQ(tree.environment, "qa");
  EXPECT_TRUE(tree.json);
  Tree other;
  ASSERT_TRUE(parse(other.root, {"status", "-n5"}));
  EXPECT_EQ(other.count, 5);
}

TEST(Parse, FindsVerbsBelowVerbs_AndArgumentsThatAreCalledLikeVerbs) {
  Tree tree;
  const auto init = parse(tree.root, {"repo", "init", "./r"});
  ASSERT_TRUE(init);
  EXPECT_THAT(init->path, ElementsAre("berth", "repo", "init"));
  Tree other;
  const auto status = parse(other.root, {"status", "deploy"});
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(status->verb->name, "status");
  EXPECT_EQ(other.app, "deploy");
}

TEST(Parse, NamesTheWrongWordAndTheOneProbablyMeant) {
  const std::tuple<std::vector<std::string>, std::string, std::string> table[] = {
      {{"depoly", "web@v1"}, "unknown verb 'depoly'", "did you mean 'deploy'?"},
      {{"deploy", "web@v1", "--forse"}, "unknown option '--forse'", "did you mean '--force'?"},
      {{"deploy", "--envv=qa", "web@v1"}, "unknown option '--envv'", "did you mean '--env'?"},
      {{"repo", "inti"}, "unknown verb 'inti'", "did you mean 'init'?"},
      {{"deploy", "web@v1", "web@v2"}, "unexpected argument 'web@v2'", "usage: berth deploy APP@RELEASE"},
      {{"deploy"}, "APP@RELEASE is missing", "usage: berth deploy APP@RELEASE"},
      {{"status", "-n", "many"}, "berth status: -n many: a whole number is wanted; ", "see berth status --help"},
      {{"status", "-n1.5"}, "berth status: -n 1.5: a whole number is wanted; ", "see berth status --help"},
      {{"deploy", "web@v1", "--env"}, "berth deploy: --env needs a value: --env NAME;", "see berth deploy --help"},
  };
  for (const auto& [arguments, what, hint] : table) {
    Tree tree;
    const auto parsed = parse(tree.root, arguments);
    ASSERT_FALSE(parsed) << what;
    EXPECT_EQ(parsed.error().code, Errc::usage);
    EXPECT_THAT(parsed.error().message, HasSubstr(what));
    EXPECT_THAT(parsed.error().message, HasSubstr(hint));
  }
}

TEST(Parse, LeavesWhatComesAfterTwoHyphensAsItIs) {
  Tree tree;
  const auto parsed = parse(tree.root, {"--json", "exec", "web", "--", "deploy", "-l", "--json=x", "--", "", "status", "--help"});
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->verb->name, "exec");
  EXPECT_FALSE(parsed->help);
  EXPECT_EQ(tree.app, "web");
  EXPECT_THAT(tree.command, ElementsAre("deploy", "-l", "--json=x", "--", "", "status", "--help"));
  EXPECT_FALSE(parse(tree.root, {"deploy", "web@v1", "--", "web@v2"}));
}

TEST(Parse, GuessesOnlyWhatIsNear) {
  EXPECT_EQ(did_you_mean("xyzzy", {"deploy", "status"}), "");
  EXPECT_EQ(did_you_mean("stauts", {"deploy", "status"}), " (did you mean 'status'?)");
  EXPECT_EQ(did_you_mean("zz", {"gc", "rm"}), "");
  EXPECT_EQ(did_you_mean("web", {"new", "why"}), "") << "an app, probably";
  EXPECT_EQ(did_you_mean("inti", {"init"}), " (did you mean 'init'?)");
}

TEST(Help, IsAskedForInPlaceOfAnArgument) {
  Tree tree;
  const auto parsed = parse(tree.root, {"deploy", "--help"});
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_TRUE(parsed->help);
  EXPECT_EQ(parsed->verb->name, "deploy");
}

TEST(Help, TellsUsageOptionsExamplesAndExitCodes) {
  const Tree tree;
  const std::string text = help_text(tree.root, tree.root.verbs[0], {"berth", "deploy"});
  for (const char* part : {"berth deploy APP@RELEASE [options]", "-e, --env NAME", "    --force", "--json", "# says what it does\n  berth deploy web@v1",
                           "0  done", "2  a wrong call", "5  the release was reverted"})
    EXPECT_THAT(text, HasSubstr(part));
}

TEST(Help, WrapsBetweenWords) {
  EXPECT_EQ(wrap("one two three", 7, 2), "one two\n  three");
  EXPECT_EQ(wrap("unbreakable", 4, 2), "unbreakable");
}

}  // namespace
}  // namespace berth::cli
