#include "run/local_configuration.h"

#include <cstdlib>
#include <fstream>

#include <gmock/gmock.h>

#include "core/files/files.h"

namespace berth::run {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

using Texts = std::map<std::string, std::string>;

class LocalConfigurationTest : public testing::Test {
 protected:
  LocalConfigurationTest() {
    spec.app = "web";
    sources.dotenv_file = "/app/.env";
  }
  void declare(const std::string& name, spec::Variable variable) { spec.variables[name] = std::move(variable); }
  void set_environment(const std::string& name, const Texts& variables, const Texts& secrets = {}) { sources.environment = environment(name, variables, secrets); }
  static publish::Environment environment(const std::string& name, const Texts& variables, const Texts& secrets) {
    publish::Environment made{.name = name, .folder = "/app/environments/" + name};
    for (const auto& [variable, value] : variables) made.variables[variable] = {.value = value};
    for (const auto& [variable, value] : secrets) made.secrets[variable] = {.value = value};
    return made;
  }
  LocalConfiguration found() {
    auto configured = configure_locally(spec, sources);
    EXPECT_TRUE(configured) << configured.error().message;
    return configured ? std::move(*configured) : LocalConfiguration();
  }
  std::string refused() {
    const auto configured = configure_locally(spec, sources);
    EXPECT_FALSE(configured);
    if (configured) return {};
    EXPECT_EQ(configured.error().code, Errc::usage);
    return configured.error().message;
  }

  spec::AppSpec spec;
  LocalSources sources;
};

TEST_F(LocalConfigurationTest, TheNearestSourceCounts) {
  for (const char* name : {"A", "B", "C", "D", "E"}) declare(name, {.preset = "preset"});
  declare("E", {});
  sources.given = {{"A", "given"}};
  sources.dotenv = {{"A", "dotenv"}, {"B", "dotenv"}};
  set_environment("dev", {{"A", "dev"}, {"B", "dev"}, {"C", "dev"}});
  EXPECT_EQ(found().variables, (Texts{{"A", "given"}, {"B", "dotenv"}, {"C", "dev"}, {"D", "preset"}})) << "E has none, and needs none";
}

TEST_F(LocalConfigurationTest, WhatHidesAValueOfAnotherEnvironmentIsTold) {
  for (const char* name : {"MSG", "LEVEL", "MODE", "COLOUR", "ALIKE"}) declare(name, {.preset = "preset"});
  declare("TOKEN", {.secret = true});
  sources.dotenv = {{"MSG", "hello"}, {"LEVEL", "debug"}, {"ALIKE", "same"}, {"TOKEN", "t"}};
  sources.given = {{"MODE", "fast"}};
  set_environment("production", {{"MSG", "prod"}, {"MODE", "slow"}, {"COLOUR", "red"}, {"ALIKE", "same"}});
  EXPECT_THAT(found().notes, IsEmpty()) << "it is the one that is always meant";
  sources.for_secrets = environment("dev", {}, {});
  EXPECT_THAT(found().notes, ElementsAre("/app/.env counts more than production for LEVEL, MSG: without it there the app has the value of production", "--set counts more than production for MODE"));
  EXPECT_EQ(found().variables.at("MSG"), "hello");
}

TEST_F(LocalConfigurationTest, AllThatIsMissingIsNamedAtOnceWithWhatToDo) {
  declare("GREETING", {.required = true, .description = "What to say"});
  declare("TOKEN", {.required = true, .secret = true});
  declare("LEVEL", {.preset = "info"});
  set_environment("dev", {});
  const std::string said = refused();
  EXPECT_THAT(said, AllOf(HasSubstr("web requires 2 variables"), HasSubstr("GREETING (What to say): write GREETING=… into /app/.env, or GREETING = \"…\" into /app/environments/dev/env.toml"),
                          HasSubstr("TOKEN (a secret): write TOKEN=… into /app/.env"), Not(HasSubstr("LEVEL"))));
  sources.environment = {};
  EXPECT_THAT(refused(), Not(HasSubstr("env.toml"))) << "there is no environment to write into";
}

TEST_F(LocalConfigurationTest, ASecretIsAReferenceThatLeadsSomewhereHereOrTextOfDotenv) {
  const files::TemporaryDirectory folder;
  std::ofstream(folder.path() / "token") << "hunter2\n";
  ::setenv("BERTH_TEST_SECRET", "fromenv", 1);
  declare("FILE", {.secret = true});
  declare("ENV", {.secret = true});
  declare("COMMAND", {.secret = true});
  declare("TEXT", {.required = true, .secret = true});
  sources.dotenv = {{"TEXT", "local"}};
  set_environment("dev", {}, {{"FILE", "file:" + (folder.path() / "token").string()}, {"ENV", "env:BERTH_TEST_SECRET"}, {"COMMAND", "command:/bin/echo told"}, {"TEXT", "file:/nowhere"}});
  const auto configured = found();
  EXPECT_THAT(configured.variables, IsEmpty());
  EXPECT_EQ(Texts(configured.secrets), (Texts{{"FILE", "hunter2"}, {"ENV", "fromenv"}, {"COMMAND", "told"}, {"TEXT", "local"}}));
  sources.dotenv.clear();
  EXPECT_THAT(refused(), AllOf(HasSubstr("TEXT (a secret; file:/nowhere, and "), HasSubstr("write TEXT=… into /app/.env")));
}

TEST_F(LocalConfigurationTest, OfAnotherEnvironmentsShapeTheSecretsAreThisMachinesOwn) {
  const files::TemporaryDirectory folder;
  std::ofstream(folder.path() / "real") << "production's";
  declare("LEVEL", {});
  declare("TOKEN", {.secret = true});
  const std::string real = "file:" + (folder.path() / "real").string();
  set_environment("production", {{"LEVEL", "warn"}}, {{"TOKEN", real}});
  sources.for_secrets = environment("dev", {{"LEVEL", "debug"}}, {});
  EXPECT_THAT(refused(), AllOf(HasSubstr("TOKEN (a secret)"), Not(HasSubstr(real)))) << "that of production is not even tried";
  std::ofstream(folder.path() / "local") << "dev's";
  sources.for_secrets = environment("dev", {{"LEVEL", "debug"}}, {{"TOKEN", "file:" + (folder.path() / "local").string()}});
  const auto configured = found();
  EXPECT_EQ(configured.variables, (Texts{{"LEVEL", "warn"}}));
  EXPECT_EQ(Texts(configured.secrets), (Texts{{"TOKEN", "dev's"}}));
}

TEST_F(LocalConfigurationTest, WhatIsNotDeclaredIsRefusedOrToldOf) {
  declare("A", {});
  declare("S", {.secret = true});
  sources.dotenv = {{"A", "1"}, {"OTHER", "2"}};
  EXPECT_THAT(found().notes, ElementsAre(AllOf(HasSubstr("/app/.env has OTHER"), HasSubstr("[env.NAME]"))));
  set_environment("dev", {{"OTHER", "x"}});
  EXPECT_THAT(refused(), HasSubstr("OTHER is not declared by web")) << "as a release would be";
  set_environment("dev", {{"S", "text"}});
  EXPECT_THAT(refused(), HasSubstr("S is declared as a secret"));
  sources.environment = {};
  sources.given = {{"B", "1"}};
  EXPECT_THAT(refused(), HasSubstr("--set B: web does not declare it"));
}

TEST_F(LocalConfigurationTest, WhatBerthGivesItselfIsNotAdvisedToBeDeclared) {
  sources.dotenv = {{"PORT", "4000"}, {"HOME", "/x"}, {"OTHER", "1"}};
  const auto notes = found().notes;
  EXPECT_THAT(notes, ElementsAre(AllOf(HasSubstr("HOME"), Not(HasSubstr("[env."))), AllOf(HasSubstr("PORT comes from berth.toml"), HasSubstr("--port")),
                                 AllOf(HasSubstr("has OTHER, which"), Not(HasSubstr("PORT")))));
  sources.given = {{"PORT", "4000"}};
  EXPECT_THAT(refused(), AllOf(HasSubstr("--set PORT: PORT comes from berth.toml"), Not(HasSubstr("[env."))));
}

TEST_F(LocalConfigurationTest, AReferenceToAVariableSpeaksOfTheEnvironmentItIsLookedForIn) {
  declare("TOKEN", {.secret = true});
  set_environment("dev", {}, {{"TOKEN", "env:BERTH_TEST_NOT_SET"}});
  EXPECT_THAT(refused(), AllOf(HasSubstr("BERTH_TEST_NOT_SET is not set in the environment"), Not(HasSubstr("berthd"))));
}

}  // namespace
}  // namespace berth::run
