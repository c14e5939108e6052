#include "core/publish/environment.h"

#include "core/publish/placeholders.h"
#include "core/publish/publish_fixture.h"

namespace berth::publish {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

class EnvironmentTest : public PublishTest {
 protected:
  EnvironmentTest() {
    app.app = "web";
    app.processes["web"] = {.command = {"bin/server"}, .routing = spec::Routing::port, .public_port = 8080};
    app.variables["GREETING"] = {.required = true};
    app.variables["COLOUR"] = {.preset = "blue"};
    app.variables["TITLE"] = {};
    app.variables["PASSWORD"] = {.secret = true};
  }

  Result<Environment> read(const std::string& text) {
    put("environments/qa/env.toml", text);
    return read_environment(at("environments"), "qa");
  }

  Result<Configuration> configured(const std::string& text) {
    BERTH_TRY(const Environment environment, read(text));
    return configure(environment, app);
  }

  spec::AppSpec app;
};

TEST_F(EnvironmentTest, GivesVariablesAndReferencesToSecrets) {
  const auto got = configured("GREETING = \"hello\"\n[secrets]\nPASSWORD = \"file:/etc/web/password\"\n");
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_THAT(got->variables, ElementsAre(Pair("COLOUR", "blue"), Pair("GREETING", "hello")));
  EXPECT_THAT(got->secrets, ElementsAre(Pair("PASSWORD", "file:/etc/web/password")));
}

TEST_F(EnvironmentTest, MayBeAFolderWithoutSettings) {
  ASSERT_TRUE(files::make_directories(at("environments/dev")));
  const auto got = read_environment(at("environments"), "dev");
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_THAT(got->variables, IsEmpty());
  EXPECT_THAT(read_environment(at("environments"), "nowhere"), Refuses(Errc::usage, "environments/nowhere is no folder (there are: dev); make it"));
  EXPECT_THAT(read_environment(at("nowhere"), "dev"), Refuses(Errc::usage, "nowhere/dev is no folder; make it"));
  EXPECT_THAT(read_environment(at("environments"), "../qa"), Refuses(Errc::usage, "environment '../qa'"));
}

TEST_F(EnvironmentTest, IsRefusedWithThePlaceOfWhatIsWrong) {
  EXPECT_THAT(read("A = 1\n"), Refuses(Errc::usage, "qa/env.toml:1:5: the value of A must be text"));
  EXPECT_THAT(read("A = \"x\"\nA-B = \"y\"\n"), Refuses(Errc::usage, "env.toml:2:1: 'A-B' is no variable's name"));
  EXPECT_THAT(read("A = \"x\nB"), Refuses(Errc::usage, "env.toml:1:"));
  EXPECT_THAT(read("A = \"a\\nb\"\n"), Refuses(Errc::usage, "control characters"));
  EXPECT_THAT(read("[env]\nA = \"x\"\n"), Refuses(Errc::usage, "env.toml:1:2: unknown table [env]"));
  EXPECT_THAT(read("A = \"x\"\n[secrets]\nA = \"file:/x\"\n"), Refuses(Errc::usage, "A is text above, and a secret here"));
}

TEST_F(EnvironmentTest, NamesWhatIsMissingUndeclaredOrMisplaced) {
  EXPECT_THAT(configured(""), Refuses(Errc::usage, "web requires GREETING"));
  EXPECT_THAT(configured("GREETING = \"x\"\nGREETNG = \"y\"\n"), Refuses(Errc::usage, "env.toml:2:1: GREETNG is not declared by web"));
  EXPECT_THAT(configured("GREETING = \"x\"\nGREETNG = \"y\"\n"), Refuses(Errc::usage, "did you mean 'GREETING'?"));
  EXPECT_THAT(configured("GREETING = \"x\"\n[secrets]\nOTHER = \"env:OTHER\"\n"), Refuses(Errc::usage, "OTHER is not declared"));
  EXPECT_THAT(configured("GREETING = \"x\"\nPASSWORD = \"hunter2\"\n"), Refuses(Errc::usage, "PASSWORD is declared as a secret"));
}

TEST_F(EnvironmentTest, NeverRepeatsWhatMayBeASecret) {
  const auto got = read("[secrets]\nPASSWORD = \"hunter2\"\n");
  EXPECT_THAT(got, Refuses(Errc::usage, "env.toml:2:1: PASSWORD: must be a reference"));
  EXPECT_EQ(got.error().message.find("hunter2"), std::string::npos);
}

TEST_F(EnvironmentTest, KnowsTheReferencesThatANodeResolves) {
  for (const char* good : {"file:/etc/secret", "env:SECRET", "credential:db", "command:/usr/bin/get web/db"}) EXPECT_TRUE(check_reference(good)) << good;
  for (const char* bad :
       {"", "file:", "file:/", "file:relative", "env:", "env:A-B", "credential:", "credential:a/b", "credential:..", "vault:x", "command:", "command:get web"})
    EXPECT_FALSE(check_reference(bad)) << bad;
}

TEST_F(EnvironmentTest, HasValuesForWhatCommandsName) {
  app.processes["web"].command = {"bin/server", "--title=${TITLE}", "${PORT}"};
  const Configuration without{.variables = {{"GREETING", "x"}}};
  EXPECT_THAT(check_commands_have_values(app, without, "qa"), Refuses(Errc::usage, "${TITLE} in its command: TITLE is declared, but has no value"));
  EXPECT_TRUE(check_commands_have_values(app, {.variables = {{"TITLE", "x"}}}, "qa"));
}

TEST_F(EnvironmentTest, HasNoFileBesideTheTemplateItComesFrom) {
  put("files/a.conf", "");
  put("files/a.conf.tmpl", "");
  EXPECT_THAT(check_templates(at("files"), {{.path = "a.conf"}, {.path = "a.conf.tmpl"}}, app, {}),
              Refuses(Errc::usage, "is rendered to a.conf, which is there"));
}

class Templates : public EnvironmentTest {
 protected:
  Result<void> check(std::string_view text, const std::string& name = "app.conf.tmpl") {
    put("files/" + name, text);
    const Configuration configuration{.variables = {{"GREETING", "x"}}, .secrets = {{"PASSWORD", "file:/p"}}};
    return check_templates(at("files"), {{.path = name, .size = text.size()}}, app, configuration);
  }
};

TEST_F(Templates, MayNameVariablesSecretsAndTheNode) {
  EXPECT_TRUE(check("listen ${PORT}; ${GREETING} ${secret:PASSWORD} ${node.name} ${node.labels.rack} ${BERTH_RUN_DIR} $$ $uri"));
}

TEST_F(Templates, AreRefusedWithThePlaceOfAnUnknownName) {
  EXPECT_THAT(check("a\nb ${NOBODY}\n"), Refuses(Errc::usage, "app.conf.tmpl:2:3: ${NOBODY}: nothing is known by that name"));
  EXPECT_THAT(check("${GREETNG}"), Refuses(Errc::usage, "did you mean 'GREETING'?"));
  EXPECT_THAT(check("${TITLE}"), Refuses(Errc::usage, "TITLE is declared, but has no value"));
  EXPECT_THAT(check("${secret:GREETING}"), Refuses(Errc::usage, "GREETING has no reference in [secrets]"));
  EXPECT_THAT(check("${node.labels.}"), Refuses(Errc::usage, "app.conf.tmpl:1:1"));
  EXPECT_THAT(check("${GREETING"), Refuses(Errc::usage, "app.conf.tmpl"));
  EXPECT_TRUE(check("${NOBODY}", "plain.conf")) << "only what ends in .tmpl is rendered";
}

}  // namespace
}  // namespace berth::publish
