#include "core/publish/source.h"

#include "core/image/image_fixture.h"
#include "core/publish/publish_fixture.h"

namespace berth::publish {
namespace {

using image::LayoutMaker;
using image::tar_of;
using testing::Contains;
using testing::HasSubstr;

class SourceTest : public PublishTest {
 protected:
  SourceTest() {
    layout.index({layout.image({tar_of({{.path = "usr/bin/web", .content = program_for(kAmd64), .mode = 0755}, image::link("bin", "usr/bin")})},
                               R"({"Cmd":["web","--serve"],"Env":["PATH=/bin","LEVEL=info"],"WorkingDir":"/srv","ExposedPorts":{"8080/tcp":{}}})")});
  }
  /// The tar of a folder, as `tar -C` makes one.
  void pack(const std::string& folder_name, const std::string& to) {
    const std::string command = fmt::format("tar -cf {} -C {} .", at(to).string(), at(folder_name).string());
    ASSERT_EQ(std::system(command.c_str()), 0);
  }
  Result<MadeBuild> build_app(const std::string& source, BuildOptions options = {.app = "web"}) {
    options.platform = options.platform.empty() ? "linux/amd64" : options.platform;
    return build(source, options);
  }
  LayoutMaker layout{at("layout")};
};

TEST_F(SourceTest, AnImageIsTheSameBuildAsFolderAndAsTar) {
  const auto folder_build = build_app("layout");
  ASSERT_TRUE(folder_build) << folder_build.error().message;
  const Build& made = folder_build->build;
  EXPECT_EQ(made.platform, "linux/amd64");
  const spec::Process& web = made.spec.processes.at("web");
  EXPECT_EQ(web.root, spec::Root::image);
  EXPECT_EQ(web.command, (std::vector<std::string>{"web", "--serve"}));
  EXPECT_EQ(web.directory, "srv");
  EXPECT_EQ(web.public_port, 8080);
  EXPECT_EQ(made.spec.variables.at("LEVEL").preset, "info");
  EXPECT_THAT(folder_build->notes, Contains(HasSubstr("listen on $PORT")));

  pack("layout", "image.tar");
  const auto tar_build = build_app("image.tar");
  ASSERT_TRUE(tar_build) << tar_build.error().message;
  EXPECT_EQ(tar_build->build.ref.digest, made.ref.digest);
  EXPECT_TRUE(tar_build->already);
}

TEST_F(SourceTest, ASpecOfOnesOwnSaysOtherwise) {
  put("own.toml",
      "app = \"site\"\n[process.web]\nport = 9000\nstop = { grace = \"1s\" }\n[process.other]\ncommand = [\"/bin/web\", \"--work\"]\n"
      "[process.host]\ncommand = [\"/usr/bin/x\"]\nroot = \"node\"\ndirectory = \"usr\"\n[env.LEVEL]\nrequired = true\n");
  const auto made = build_app("layout", {.spec = at("own.toml")});
  ASSERT_TRUE(made) << made.error().message;
  const spec::AppSpec& spec = made->build.spec;
  EXPECT_EQ(spec.app, "site");
  EXPECT_EQ(spec.processes.at("web").command.front(), "web");
  EXPECT_EQ(spec.processes.at("web").public_port, 9000);
  EXPECT_EQ(spec.processes.at("other").root, spec::Root::image);
  EXPECT_EQ(spec.processes.at("other").directory, "srv");
  EXPECT_EQ(spec.processes.at("other").routing, spec::Routing::none);
  EXPECT_EQ(spec.processes.at("host").root, spec::Root::node);
  EXPECT_TRUE(spec.variables.at("LEVEL").required);
  EXPECT_EQ(spec.variables.at("PATH").preset, "/bin");

  put("two.toml", "app = \"site\"\n[process.a]\n[process.b]\n");
  EXPECT_THAT(build_app("layout", {.spec = at("two.toml")}), Refuses(Errc::usage, "only one process can be the one that the image starts"));
  EXPECT_THAT(build_app("layout", {.spec = at("own.toml"), .app = "x"}), Refuses(Errc::usage, "names the app already"));
  put("wrong.toml", "app = \"site\"\n[process.a]\ncommand = [\"missing\"]\n");
  EXPECT_THAT(build_app("layout", {.spec = at("wrong.toml")}), Refuses(Errc::usage, "process 'a': missing is no program of the build in /bin"));
}

TEST_F(SourceTest, AnImageNeedsANameAndACommand) {
  EXPECT_THAT(build_app("layout", {}), Refuses(Errc::usage, "which app is it? Say --app NAME"));
  EXPECT_THAT(build_app("layout", {.app = "Web"}), Refuses(Errc::usage, "--app 'Web'"));
  LayoutMaker silent(at("silent"));
  silent.index({silent.image({tar_of({{.path = "x"}})})});
  EXPECT_THAT(build_app("silent"), Refuses(Errc::usage, "says nothing of how it is started"));
  EXPECT_THAT(build_app("layout", {.platform = "linux/arm64", .app = "web"}), Refuses(Errc::usage, "holds no image for linux/arm64, but for linux/amd64"));
  EXPECT_THAT(build_app("layout", {.platform = "any", .app = "web"}), Refuses(Errc::usage, "never for any"));
}

TEST_F(SourceTest, WhatAMountWouldHideIsRefused) {
  const auto build_of = [this](const std::string& settings) {
    EXPECT_TRUE(files::remove_tree(at("hidden")));
    LayoutMaker hidden(at("hidden"));
    hidden.index({hidden.image({tar_of({{.path = "bin/web", .content = program_for(kAmd64), .mode = 0755},
                                        {.path = "tmp/app/web", .content = program_for(kAmd64), .mode = 0755},
                                        image::link("srv", "/run/app")})},
                               settings)});
    return build_app("hidden");
  };
  EXPECT_THAT(build_of(R"({"Cmd":["/tmp/app/web"]})"), Refuses(Errc::usage, "process 'web': /tmp/app/web lies below /tmp, which with root = \"image\""));
  EXPECT_THAT(build_of(R"({"Cmd":["./web"],"WorkingDir":"/tmp/app"})"), Refuses(Errc::usage, "process 'web': its folder /tmp/app lies below /tmp"));
  EXPECT_THAT(build_of(R"({"Cmd":["/bin/web"],"WorkingDir":"/berth/data/x"})"), Refuses(Errc::usage, "lies below /berth/data"));
  EXPECT_THAT(build_of(R"({"Cmd":["/bin/web"],"WorkingDir":"/srv"})"), Refuses(Errc::usage, "its folder /srv lies below /run")) << "through a symlink";
  EXPECT_THAT(build_of(R"({"Cmd":["/bin/web"],"Healthcheck":{"Test":["CMD","/run/check"]}})"),
              Refuses(Errc::usage, "startup probe: /run/check lies below /run"));
  for (const char* settings : {R"({"Cmd":["/bin/web"],"WorkingDir":"/tmp"})", R"({"Cmd":["../bin/web"],"WorkingDir":"/run"})",
                               R"({"Cmd":["/bin/web"],"WorkingDir":"/tmpx/y"})"}) {
    const auto made = build_of(settings);
    EXPECT_TRUE(made) << settings << ": " << made.error().message;
  }
}

TEST_F(SourceTest, BuildsOfAnImagesPlatformsAreOneRelease) {
  LayoutMaker both(at("both"));
  const auto tar_for = [](unsigned machine) { return tar_of({{.path = "bin/web", .content = program_for(machine), .mode = 0755}}); };
  const std::string settings = R"({"Cmd":["/bin/web"]})";
  both.index({both.image({tar_for(kAmd64)}, settings, "amd64"), both.image({tar_for(kArm64)}, settings, "arm64")});
  const auto amd64 = build_app("both", {.platform = "linux/amd64", .app = "web"}), arm64 = build_app("both", {.platform = "linux/arm64", .app = "web"});
  ASSERT_TRUE(amd64) << amd64.error().message;
  ASSERT_TRUE(arm64) << arm64.error().message;
  const auto draft = draft_of(store, {amd64->build, arm64->build});
  ASSERT_TRUE(draft) << draft.error().message;
  EXPECT_EQ(draft->builds.at("linux/amd64").digest, amd64->build.ref.digest);
  EXPECT_EQ(draft->builds.at("linux/arm64").digest, arm64->build.ref.digest);
}

TEST_F(SourceTest, AFolderWithABerthTomlIsNoImage) {
  put("site/oci-layout", "{}");
  EXPECT_TRUE(build("site"));
  EXPECT_THAT(build("site", {.tag = "x"}), Refuses(Errc::usage, "is no image"));
}

TEST_F(SourceTest, OneExecutableIsAnAppOfItsName) {
  put("out/server", program_for(kArm64), 0644);
  const auto made = build("out/server");
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->build.spec.app, "server");
  EXPECT_EQ(made->build.spec.processes.at("web").command, (std::vector<std::string>{"bin/server"}));
  EXPECT_EQ(made->build.spec.processes.at("web").root, spec::Root::node);
  EXPECT_EQ(made->build.platform, "linux/arm64");
  EXPECT_EQ(made->files, 1u);

  put("out/Run.sh", "#!/bin/sh\nexit 0\n", 0755);
  EXPECT_THAT(build("out/Run.sh"), Refuses(Errc::usage, "--app NAME"));
  const auto script = build("out/Run.sh", {.app = "job"});
  ASSERT_TRUE(script) << script.error().message;
  EXPECT_EQ(script->build.platform, "any");
  put("job.toml", "app = \"job\"\n[process.tick]\nrestart = \"never\"\n");
  const auto with_spec = build("out/Run.sh", {.spec = at("job.toml")});
  ASSERT_TRUE(with_spec) << with_spec.error().message;
  EXPECT_EQ(with_spec->build.spec.processes.at("tick").command.front(), "bin/Run.sh");
}

TEST_F(SourceTest, AFolderCanBeARootAsWell) {
  put("site/berth.toml", "app = \"web\"\n[process.web]\ncommand = [\"/bin/server\"]\nroot = \"image\"\n");
  const auto made = build("site");
  ASSERT_TRUE(made) << made.error().message;
  const auto index = files::read(store.index_of(made->build.ref.digest), 1u << 20);
  ASSERT_TRUE(index);
  for (const char* mount : {"berth/data", "proc", "dev", "tmp"}) EXPECT_THAT(*index, HasSubstr(fmt::format(R"("path":"{}")", mount)));
  put("site/dev", "a file");
  EXPECT_THAT(build("site"), Refuses(Errc::usage, "dev has to be a folder"));
}

}  // namespace
}  // namespace berth::publish
