#include "run/local_release.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include <gmock/gmock.h>
#include <unistd.h>

#include "core/files/files.h"
#include "core/publish/make_build.h"

namespace berth::run {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

constexpr const char* kSpec = R"(app = "web"
[process.web]
command = ["bin/server"]
port = 8080
instances = 2
[process.worker]
command = ["bin/worker"]
[env.LEVEL]
default = "info"
[env.TOKEN]
secret = true
)";

class LocalReleaseTest : public testing::Test {
 protected:
  void put(const std::string& path, const std::string& text, bool executable = false) {
    fs::create_directories((folder.path() / path).parent_path());
    std::ofstream(folder.path() / path) << text;
    if (executable) fs::permissions(folder.path() / path, fs::perms(0755));
  }
  fs::path tree() const { return folder.path() / "tree"; }
  LocalRelease release(const LocalOptions& options = {}) {
    auto made = release_of_tree(tree(), options);
    EXPECT_TRUE(made) << made.error().message;
    return made ? std::move(*made) : LocalRelease();
  }
  std::string refused(const LocalOptions& options = {}) {
    const auto made = release_of_tree(tree(), options);
    EXPECT_FALSE(made);
    return made ? std::string() : made.error().message;
  }

  files::TemporaryDirectory folder;
};

TEST_F(LocalReleaseTest, OfATreeIsItsSpecWithTheVariablesOfDevAndDotenv) {
  put("tree/berth.toml", kSpec);
  put("tree/environments/dev/env.toml", "LEVEL = \"debug\"\n");
  put("tree/environments/dev/files/x.conf", "");
  put("tree/.env", "TOKEN=hunter2\n");
  const auto made = release();
  EXPECT_EQ(made.manifest.app, "web");
  EXPECT_EQ(made.manifest.environment, "dev");
  EXPECT_EQ(made.manifest.release, "local");
  EXPECT_EQ(made.app, tree());
  EXPECT_EQ(made.config, tree() / "environments/dev/files");
  EXPECT_THAT(made.manifest.variables, ElementsAre(Pair("LEVEL", "debug")));
  EXPECT_THAT(made.secrets, ElementsAre(Pair("TOKEN", "hunter2")));
  EXPECT_THAT(made.manifest.secrets, ElementsAre(Pair("TOKEN", testing::_))) << "so that no command has it";
  EXPECT_THAT(made.instances, ElementsAre(Pair("web", 2), Pair("worker", 1)));
  EXPECT_THAT(made.inherited, ElementsAre(Pair("PATH", HasSubstr((tree() / "bin").string() + ":"))));
  EXPECT_FALSE(made.numbers_ports);
  EXPECT_THAT(release({.formation = "worker=3"}).instances, ElementsAre(Pair("web", 0), Pair("worker", 3)));
}

TEST_F(LocalReleaseTest, AsAnotherEnvironmentTellsWhatDiffersFromDev) {
  put("tree/berth.toml", kSpec);
  put("tree/environments/dev/env.toml", "LEVEL = \"debug\"\n");
  put("tree/environments/production/env.toml", "LEVEL = \"warn\"\n[secrets]\nTOKEN = \"file:/etc/web/token\"\n");
  EXPECT_THAT(refused({.environment = "production"}), HasSubstr("TOKEN (a secret)"));
  const auto made = release({.environment = "production", .given = {{"TOKEN", "mine"}}});
  EXPECT_EQ(made.manifest.environment, "production");
  EXPECT_THAT(made.manifest.variables, ElementsAre(Pair("LEVEL", "warn")));
  EXPECT_THAT(made.secrets, ElementsAre(Pair("TOKEN", "mine")));
  EXPECT_THAT(made.differences, ElementsAre(HasSubstr("LEVEL"), HasSubstr("TOKEN")));
  EXPECT_THAT(refused({.environment = "qa"}), HasSubstr("environments/qa is no folder"));
}

TEST_F(LocalReleaseTest, FindsEnvironmentsWhereAReleaseFindsThemToo) {
  put("tree/berth.toml", kSpec);
  put("here/environments/production/env.toml", "LEVEL = \"warn\"\n");
  put("here/environments/dev/env.toml", "LEVEL = \"info\"\n");
  const fs::path before = fs::current_path();
  fs::current_path(folder.path() / "here");
  const std::map<std::string, std::string> given{{"TOKEN", "mine"}};
  EXPECT_THAT(release({.environment = "production", .given = given}).manifest.variables, ElementsAre(Pair("LEVEL", "warn")));
  EXPECT_THAT(release({.given = given}).manifest.variables, ElementsAre(Pair("LEVEL", "info")));
  put("tree/environments/production/env.toml", "LEVEL = \"error\"\n");
  EXPECT_THAT(release({.environment = "production", .given = given}).manifest.variables, ElementsAre(Pair("LEVEL", "error"))) << "the app's own goes first";
  EXPECT_THAT(refused({.environment = "qa"}), HasSubstr("tree/environments/qa is no folder"));
  fs::current_path(before);
}

TEST_F(LocalReleaseTest, OfAProcfileHasThisUsersEnvironmentAndNumberedPorts) {
  ::setenv("BERTH_TEST_INHERITED", "yes", 1);
  put("tree/Procfile", "web: bin/web\nalpha: bin/alpha\n");
  put("tree/.env", "A=1\n");
  const auto made = release({.given = {{"B", "2"}}});
  EXPECT_EQ(made.manifest.app, "tree");
  EXPECT_THAT(made.order, ElementsAre("web", "alpha")) << "as it stands there";
  put("tree/Procfile", "release: bin/migrate\nweb: bin/web\nalpha: bin/alpha\n");
  EXPECT_THAT(release({}).order, ElementsAre("web", "alpha", "release")) << "which has no port of anybody's";
  put("tree/Procfile", "web: bin/web\nalpha: bin/alpha\n");
  EXPECT_TRUE(made.numbers_ports);
  EXPECT_THAT(made.inherited, AllOf(Contains(Pair("A", "1")), Contains(Pair("B", "2")), Contains(Pair("BERTH_TEST_INHERITED", "yes"))));
  EXPECT_THAT(refused({.environment = "production"}), HasSubstr("a Procfile has no environments"));
  EXPECT_EQ(std::ranges::count(made.notes, "you are root, and so is the app; on a node it has a user of its own"), ::geteuid() == 0 ? 1 : 0) << "as of a berth.toml";
}

TEST_F(LocalReleaseTest, WhatIsNoAppIsToldWithWhatToDo) {
  fs::create_directories(tree());
  EXPECT_THAT(refused(), AllOf(HasSubstr("neither a berth.toml nor a Procfile"), HasSubstr("berth new")));
  put("tree/berth.toml", "app = \"web\"\n[process.web]\ncomand = [\"x\"]\n");
  EXPECT_THAT(refused(), HasSubstr("did you mean 'command'"));
  put("tree/berth.toml", kSpec);
  EXPECT_THAT(refused({.dotenv = folder.path() / "other.env"}), HasSubstr("other.env: there is no such file")) << "one that was named must be there";
  put("tree/.env", "A B\n");
  EXPECT_THAT(refused(), HasSubstr(".env:1"));
}

TEST_F(LocalReleaseTest, WhatIsNamedAndHasNoValueIsToldBeforeAnythingIsStarted) {
  const std::string spec = "app = \"web\"\n[process.web]\ncommand = [\"bin/server\"]\nport = 8080\n[process.worker]\ncommand = [\"bin/worker\", \"${MULTI}\"]\n[env.MULTI]\n";
  put("tree/berth.toml", spec);
  EXPECT_THAT(refused(), AllOf(HasSubstr("process 'worker'"), HasSubstr("MULTI is declared, but has no value")));
  EXPECT_THAT(release({.formation = "web=1"}).instances, Contains(Pair("web", 1))) << "what does not run needs nothing";
  put("tree/environments/dev/env.toml", "");
  put("tree/environments/dev/files/x.conf.tmpl", "listen ${PORT};\n\nname ${MULTI};\n");
  EXPECT_THAT(refused({.formation = "web=1"}), AllOf(HasSubstr("x.conf.tmpl:3:6"), HasSubstr("MULTI is declared, but has no value")));
  EXPECT_THAT(release({.given = {{"MULTI", "x"}}}).manifest.variables, Contains(Pair("MULTI", "x")));
}

TEST_F(LocalReleaseTest, LabelsThatTemplatesNameAreToldAtOnceWithTheOptionThatGivesThem) {
  put("tree/berth.toml", kSpec);
  put("tree/environments/dev/env.toml", "");
  put("tree/environments/dev/files/a.conf.tmpl", "port ${PORT}\nrack ${node.labels.rack} of ${node.name}\n");
  put("tree/environments/dev/files/b.conf.tmpl", "${node.labels.rack} ${node.labels.zone}\n");
  EXPECT_THAT(refused(), AllOf(HasSubstr("files/a.conf.tmpl:2:6: ${node.labels.rack}"), HasSubstr("files/b.conf.tmpl:1:21: ${node.labels.zone}"), HasSubstr("give it here with --label rack=VALUE --label zone=VALUE")));
  EXPECT_THAT(refused({.labels = {{"rack", "r9"}}}), AllOf(HasSubstr("with --label zone=VALUE"), testing::Not(HasSubstr("rack"))));
  EXPECT_THAT(release({.labels = {{"rack", "r9"}, {"zone", ""}}}).notes, testing::Not(Contains(HasSubstr("label"))));
}

TEST_F(LocalReleaseTest, AJobIsToldOnlyWhereNothingStartsIt) {
  put("tree/berth.toml", "app = \"web\"\n[process.web]\ncommand = [\"bin/server\"]\n[process.report]\ntype = \"job\"\ncommand = [\"bin/report\"]\n");
  EXPECT_THAT(release().notes, Contains(HasSubstr("report is a job")));
  EXPECT_THAT(release().order, ElementsAre("web", "report")) << "the first port is of a process that has one";
  EXPECT_THAT(release({.formation = "report=1"}).notes, testing::Not(Contains(HasSubstr("report is a job"))));
}

TEST_F(LocalReleaseTest, AProcfileHasNoFolderOfEnvironments) {
  put("tree/Procfile", "web: bin/web\n");
  EXPECT_THAT(refused({.environments = folder.path()}), HasSubstr("--environments"));
}

TEST_F(LocalReleaseTest, OfABuildIsUnpackedOnceAndVerified) {
  put("tree/berth.toml", "app = \"web\"\n[process.web]\ncommand = [\"bin/server\"]\n");
  put("tree/bin/server", "#!/bin/sh\n", true);
  put("tree/data/deep/x", std::string(3'000'000, 'x'));
  fs::create_symlink("deep/x", tree() / "data/link");
  const publish::BuildStore store(folder.path() / "store");
  const auto made = publish::make_build(store, tree(), {.platform = "any"}, std::chrono::system_clock::now());
  ASSERT_TRUE(made) << made.error().message;
  Places places;
  places.paths.state = folder.path() / "state";
  const LocalOptions none{.environments = folder.path() / "none"};
  const auto first = release_of_build(store, made->build, places, none);
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(first->manifest.release, publish::short_digest(made->build.ref.digest));
  EXPECT_EQ(fs::file_size(first->app / "data/deep/x"), 3'000'000u);
  EXPECT_EQ(fs::read_symlink(first->app / "data/link"), "deep/x");
  EXPECT_NE(fs::status(first->app / "bin/server").permissions() & fs::perms::owner_exec, fs::perms::none);
  std::ofstream(first->app / "mark") << "";
  const auto again = release_of_build(store, made->build, places, none);
  ASSERT_TRUE(again);
  EXPECT_TRUE(fs::exists(again->app / "mark")) << "it was there";

  put("tree/bin/server", "#!/bin/sh\nexit\n", true);
  const auto newer = publish::make_build(store, tree(), {.platform = "any"}, std::chrono::system_clock::now());
  ASSERT_TRUE(newer);
  const auto other = release_of_build(store, newer->build, places, none);
  ASSERT_TRUE(other) << other.error().message;
  EXPECT_NE(other->app, first->app);
  EXPECT_FALSE(fs::exists(first->app)) << "one at a time";
  fs::remove_all(other->app);
  std::ofstream(store.layer_of(newer->build.ref.digest), std::ios::in | std::ios::out).seekp(100) << "XXXX";
  const auto damaged = release_of_build(store, newer->build, places, none);
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().code, Errc::trust);
}

}  // namespace
}  // namespace berth::run
