#include "core/spec/image_root.h"
#include "daemon/deploy/plan_fixture.h"

namespace berth::deploy {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class InstancePlanTest : public PlanFixture {
 protected:
  Result<supervise::InstancePlan> plan() const { return plan_instance(node, manifest, id, {.uid = 61184, .gid = 61185}, environment()); }
  Error refused(std::vector<std::string> command) {
    process().command = std::move(command);
    return error_of(plan());
  }
};

TEST_F(InstancePlanTest, ASecretIsNoPartOfACommandWhichEverybodyCanRead) {
  manifest.secrets = {{"TOKEN", "file:/etc/token"}};
  process().command = {"bin/server", "--token", "${TOKEN}"};
  const auto refused = error_of(plan_instance(node, manifest, id, {.uid = 61184, .gid = 61185}, environment({{"TOKEN", "hunter2"}})));
  EXPECT_EQ(refused.code, Errc::usage);
  EXPECT_THAT(refused.message, AllOf(HasSubstr("TOKEN"), testing::Not(HasSubstr("hunter2"))));
}

TEST_F(InstancePlanTest, KnowsWhichSecretsAreNoPartOfAReason) {
  node.given_secrets = std::make_shared<secrets::GivenSecrets>();
  const auto made = plan();
  ASSERT_TRUE(made) << made.error().message;
  node.given_secrets->note(id.app, "hunter2!");
  std::string text = "it is hunter2!";
  made->redact(text);
  EXPECT_EQ(text, "it is [redacted]");
}

TEST_F(InstancePlanTest, SaysAllThatTheSupervisorNeeds) {
  process().stop = {.signal = 3, .grace = spec::milliseconds(5000)};
  process().restart = spec::Restart::on_failure;
  process().listen_env = {{"NGINX", "${FD_http};"}};
  process().liveness = spec::Probe{.path = "/healthz"};
  manifest.spec.logs.keep_bytes = 1234;
  const auto made = plan();
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->id, id);
  EXPECT_THAT(made->argv, ElementsAre((slot() / "app/bin/server").string(), "--port", "20001"));
  EXPECT_EQ(made->environment, environment());
  EXPECT_EQ(made->directory, slot() / "app");
  EXPECT_EQ(made->uid, 61184u);
  EXPECT_EQ(made->gid, 61185u);
  EXPECT_EQ(made->stop, process().stop);
  EXPECT_EQ(made->restart, spec::Restart::on_failure);
  EXPECT_EQ(made->logs.keep_bytes, 1234u);
  EXPECT_EQ(made->log_directory, folder.path() / "logs/web/web.1");
  EXPECT_EQ(made->listen_env.at("NGINX"), "${FD_http};") << "descriptors are known to the supervisor only";
  EXPECT_EQ(made->liveness, process().liveness);
  EXPECT_THAT(made->sockets, IsEmpty());
}

TEST_F(InstancePlanTest, WithAPortAndNoReadinessProbeItIsReadyWhenItListens) {
  EXPECT_EQ(plan()->readiness, (spec::Probe{.kind = spec::ProbeKind::tcp}));
  process().readiness = spec::Probe{.path = "/healthz"};
  EXPECT_EQ(plan()->readiness, process().readiness) << "what the release says counts";
  process().readiness.reset();
  process().routing = spec::Routing::socket;
  EXPECT_FALSE(plan()->readiness) << "its socket listens before it does, and it must take that";
  process().routing = spec::Routing::none;
  process().command = {"bin/server"};
  EXPECT_FALSE(plan()->readiness);
}

TEST_F(InstancePlanTest, WithAnImageAsItsRootEverythingIsLookedUpInThere) {
  process().root = spec::Root::image;
  process().directory = "srv/app";
  process().readiness = spec::Probe{.kind = spec::ProbeKind::exec, .command = {"check"}};
  put("app/srv/app/server", "#!/bin/sh\n", 0755);
  put("app/usr/bin/check", "#!/bin/sh\n", 0755);
  fs::create_symlink("usr/bin", slot() / "app/bin2");
  struct Row {
    const char *word, *found;  // nothing: refused
  };
  for (const auto& [word, found] : {Row{"./server", "/srv/app/server"}, Row{"check", "/usr/bin/check"}, Row{"/bin2/check", "/bin2/check"}, Row{"/bin/sh", ""},
                                    Row{"sh", ""}, Row{"../../../etc/passwd", ""}, Row{"/srv/app", ""}}) {
    process().command = {word, "${BERTH_DATA_DIR}"};
    const auto made = plan();
    ASSERT_EQ(made.has_value(), *found != '\0') << word;
    if (!made) continue;
    EXPECT_THAT(made->argv, ElementsAre(found, "/berth/data"));
    EXPECT_EQ(made->directory, "/srv/app");
    EXPECT_EQ(made->root, slot() / "app");
    EXPECT_THAT(made->readiness->command, ElementsAre("/usr/bin/check"));
    EXPECT_EQ(made->environment.at("TMPDIR"), "/tmp");
    EXPECT_EQ(made->environment.at("PATH"), "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    ASSERT_FALSE(made->mounts.empty());
    EXPECT_EQ(made->mounts[0], (keeper::Mount{.kind = keeper::Mount::Kind::writable, .path = "berth/data", .source = node.paths.data("web").string()}));
  }
  process().command = {"check"};
  process().directory = "";
  EXPECT_EQ(plan()->directory, "/");
  // What is mounted there hides what the build has.
  put("app/tmp/tool", "#!/bin/sh\n", 0755);
  put("app/run/tool", "#!/bin/sh\n", 0755);
  fs::create_symlink("../../run/tool", slot() / "app/usr/bin/tool");
  for (const char* hidden : {"/tmp/tool", "tmp/tool", "tool"}) EXPECT_EQ(refused({hidden}).code, Errc::not_found) << hidden;
}

TEST_F(InstancePlanTest, TheNodesFilesAreMountedWhereTheImagesSymlinksLead) {
  process().root = spec::Root::image;
  process().command = {"/srv/server"};
  put("app/srv/server", "#!/bin/sh\n", 0755);
  const auto paths = [&] {
    const auto made = plan();
    EXPECT_TRUE(made) << made.error().message;
    std::vector<std::string> found;
    for (const auto& mount : made->mounts)
      if (mount.kind == keeper::Mount::Kind::file) found.push_back(mount.path);
    return found;
  };
  EXPECT_THAT(paths(), ElementsAre("etc/hosts", "etc/resolv.conf")) << "neither is there";
  put("app/usr/etc/hosts", "");
  put("app/usr/etc/resolv.conf", "");
  fs::create_symlink("usr/etc", slot() / "app/etc");
  EXPECT_THAT(paths(), ElementsAre("usr/etc/hosts", "usr/etc/resolv.conf"));
  fs::remove(slot() / "app/etc");
  put("app/my etc/hosts", "");
  fs::create_symlink("my etc", slot() / "app/etc");
  EXPECT_THAT(paths(), ElementsAre("my etc/hosts", "etc/resolv.conf")) << "a space is a letter like others";
  fs::remove(slot() / "app/etc");
  fs::create_symlink("usr/etc", slot() / "app/etc");
  fs::remove(slot() / "app/usr/etc/hosts");
  fs::create_symlink("/etc/passwd", slot() / "app/usr/etc/hosts");
  EXPECT_THAT(paths(), ElementsAre("etc/hosts", "usr/etc/resolv.conf")) << "never out of the build";
}

TEST_F(InstancePlanTest, ABareWordIsLookedUpInThePathOfTheInstanceTheSlotFirst) {
  process().command = {"sh", "-c", "exit"};
  EXPECT_EQ(plan()->argv[0], "/usr/bin/sh");
  put("app/bin/sh", "#!/bin/sh\n", 0755);
  EXPECT_EQ(plan()->argv[0], slot() / "app/bin/sh");
  process().command = {"/bin/sh"};
  EXPECT_EQ(plan()->argv[0], "/bin/sh");
}

TEST_F(InstancePlanTest, ACommandThatIsNotThereIsToldWithAppProcessAndPath) {
  const auto missing = refused({"bin/serve", "x"});
  EXPECT_EQ(missing.code, Errc::not_found);
  EXPECT_THAT(missing.message, AllOf(HasSubstr("web@v1: process web"), HasSubstr("'bin/serve'"), HasSubstr((slot() / "app/bin/serve").string())));
  EXPECT_THAT(refused({"no-such-program"}).message, AllOf(HasSubstr("'no-such-program'"), HasSubstr("/usr/bin")));
  EXPECT_THAT(refused({"python3 -m http.server"}).message, HasSubstr("; it is one word with spaces in it: write each word of a command by itself"));
  EXPECT_EQ(refused({"/no/such/program"}).code, Errc::not_found);
  EXPECT_EQ(refused({"bin"}).code, Errc::not_found) << "a bare word is no folder of the slot";
  EXPECT_EQ(refused({"./bin"}).code, Errc::permission) << "it is there, and no program";
  put("app/bin/data", "x", 0644);
  EXPECT_THAT(refused({"bin/data"}).message, HasSubstr("can be executed"));
  EXPECT_EQ(refused({""}).code, Errc::usage);
}

TEST_F(InstancePlanTest, ACommandMustNotLeaveTheSlot) {
  EXPECT_EQ(refused({"../../../../../../../../../../bin/sh"}).code, Errc::not_found);
  fs::create_symlink("/bin/sh", slot() / "app/bin/link");
  EXPECT_EQ(refused({"bin/link"}).code, Errc::not_found);
  fs::create_symlink("server", slot() / "app/bin/again");
  process().command = {"bin/again"};
  EXPECT_EQ(plan()->argv[0], slot() / "app/bin/again") << "a program may look at the name it was called by";
}

TEST_F(InstancePlanTest, AnUnknownVariableIsRefusedByName) {
  const auto unknown = refused({"bin/server", "${GREETNG}"});
  EXPECT_EQ(unknown.code, Errc::usage);
  EXPECT_THAT(unknown.message, AllOf(HasSubstr("web@v1: process web"), HasSubstr("GREETNG")));
}

TEST_F(InstancePlanTest, TheWorkingFolderIsBelowTheSlot) {
  fs::create_directories(slot() / "app/site");
  process().directory = "site";
  process().command = {"../bin/server"};
  EXPECT_EQ(plan()->directory, slot() / "app/site");
  EXPECT_EQ(plan()->argv[0], slot() / "app/bin/server") << "relative paths begin there, as 'berth build' checks them";
  EXPECT_THAT(refused({"bin/server"}).message, HasSubstr((slot() / "app/site/bin/server").string()));
  process().command = {"sh"};
  process().directory = "nothing";
  EXPECT_EQ(error_of(plan()).code, Errc::not_found);
  process().directory = "../config";
  EXPECT_EQ(error_of(plan()).code, Errc::not_found);
}

TEST_F(InstancePlanTest, CommandsOfProbesAreFoundInTheSameWay) {
  put("app/bin/check", "#!/bin/sh\n", 0755);
  process().readiness = spec::Probe{.kind = spec::ProbeKind::exec, .command = {"bin/check", "${PORT}"}};
  EXPECT_THAT(plan()->readiness->command, ElementsAre((slot() / "app/bin/check").string(), "20001"));
  process().readiness->command = {"bin/missing"};
  EXPECT_THAT(error_of(plan()).message, HasSubstr("bin/missing"));
}

TEST_F(InstancePlanTest, AProcessThatTheReleaseDoesNotHaveIsNotFound) {
  id.process = "worker";
  EXPECT_THAT(error_of(plan()).message, HasSubstr("process worker"));
}

TEST_F(InstancePlanTest, OfAJobHasTheRulesOfItsProcessAndIsTriedSoOften) {
  put("app/bin/report", "#!/bin/sh\n", 0755);
  spec::Process report{.command = {"bin/report"}, .instances = 0, .restart = spec::Restart::on_failure, .job = spec::Job{.retries = 4}};
  report.limits.tasks_max = 9;
  manifest.spec.processes["report"] = report;
  const InstanceId job{.app = "web", .process = "report", .number = 1, .release = "v1"};
  auto plan = plan_job(node, manifest, job, {.uid = 61184, .gid = 61185}, environment_of(node, manifest, job, 0, {}));
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_THAT(plan->argv, ElementsAre((slot() / "app/bin/report").string()));
  EXPECT_EQ(plan->limits.tasks_max, 9);
  EXPECT_EQ(plan->restart, spec::Restart::on_failure);
  EXPECT_EQ(plan->retries, 4);
  EXPECT_TRUE(plan->once);
  EXPECT_EQ(plan->log_directory, node.paths.logs / "web" / "report.1");
  EXPECT_FALSE(plan->environment.contains("PORT"));
  manifest.spec.processes["report"].restart = spec::Restart::never;
  plan = plan_job(node, manifest, job, {.uid = 61184, .gid = 61185}, environment_of(node, manifest, job, 0, {}));
  EXPECT_EQ(plan->retries, 0);
}

TEST_F(InstancePlanTest, OfAHookRunsItOnceWithoutAPort) {
  id.process = "pre-start";
  put("app/bin/migrate", "#!/bin/sh\n", 0755);
  manifest.secrets = {{"TOKEN", "file:/etc/token"}};
  manifest.spec.hooks["pre-start"].command = {"bin/migrate", "${BERTH_RELEASE}"};
  const auto secrets = environment({{"TOKEN", "hunter2"}});
  const auto made = plan_hook(node, manifest, id, {.uid = 61184, .gid = 61185}, secrets);
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_THAT(made->argv, ElementsAre((slot() / "app/bin/migrate").string(), "v1"));
  EXPECT_EQ(made->directory, slot() / "app");
  EXPECT_EQ(made->restart, spec::Restart::never);
  EXPECT_TRUE(made->once);
  EXPECT_EQ(made->environment.at("TOKEN"), "hunter2");
  EXPECT_EQ(made->environment.at("BERTH_INSTANCE"), "web/pre-start.1");
  EXPECT_FALSE(made->environment.contains("PORT"));
  EXPECT_EQ(made->log_directory, node.paths.logs / "web" / "pre-start.1");

  manifest.spec.hooks["pre-start"].command = {"bin/migrate", "${TOKEN}"};
  const auto refused = error_of(plan_hook(node, manifest, id, {.uid = 61184, .gid = 61185}, secrets));
  EXPECT_EQ(refused.code, Errc::usage);
  manifest.spec.hooks["pre-start"].command = {"bin/gone"};
  EXPECT_EQ(error_of(plan_hook(node, manifest, id, {.uid = 61184, .gid = 61185}, secrets)).code, Errc::not_found);
}

TEST_F(InstancePlanTest, LimitsAndGroupsHoldForInstancesOneOffCommandsAndHooks) {
  process().limits = {.tasks_max = 9, .resources = {{RLIMIT_NOFILE, {64, 128}}}, .nice = 3, .oom_score_adjust = 100};
  process().sandbox.supplementary_groups = {"adm"};
  manifest.spec.hooks["pre-start"].command = {"bin/server"};
  const RunAs who{.uid = 61184, .gid = 61184};
  const InstanceId hook{.app = "web", .process = "pre-start", .number = 1, .release = "v1"}, exec{.app = "web", .process = "exec", .number = 1001, .release = "v1"};
  const auto planned = plan_instance(node, manifest, id, who, environment());
  const auto hooked = plan_hook(node, manifest, hook, who, environment());
  const auto commanded = plan_exec(node, manifest, exec, "web", who, secrets::WipedValues(environment()));
  for (const auto* plan : {&planned, &hooked, &commanded}) {
    ASSERT_TRUE(*plan) << plan->error().message;
    EXPECT_EQ((*plan)->limits.resources, process().limits.resources);
    EXPECT_EQ((*plan)->limits.nice, 3);
    EXPECT_EQ((*plan)->limits.oom_score_adjust, 100);
    EXPECT_THAT((*plan)->groups, testing::ElementsAre(4u));
  }
  EXPECT_EQ(planned->limits.tasks_max, 9);
  EXPECT_FALSE(hooked->limits.tasks_max) << "a hook is in no cgroup";

  process().sandbox.supplementary_groups = {"no-group-of-that-name"};
  EXPECT_EQ(error_of(plan_instance(node, manifest, id, who, environment())).code, Errc::usage);
}

TEST_F(InstancePlanTest, OfAHookIsInTheImageWhereAllProcessesAre) {
  id.process = "pre-start";
  put("app/bin/migrate", "#!/bin/sh\n", 0755);
  manifest.spec.hooks["pre-start"].command = {"bin/migrate"};
  process().root = spec::Root::image;
  const auto made = plan_hook(node, manifest, id, {.uid = 61184, .gid = 61185}, environment({}));
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->root, (slot() / "app").string());
  EXPECT_THAT(made->argv, ElementsAre("/bin/migrate"));
  EXPECT_EQ(made->directory, "/");
  EXPECT_FALSE(made->mounts.empty());
  EXPECT_EQ(made->environment.at("BERTH_DATA_DIR"), spec::kImageData);

  manifest.spec.processes["worker"].root = spec::Root::node;
  const auto mixed = plan_hook(node, manifest, id, {.uid = 61184, .gid = 61185}, environment({}));
  ASSERT_TRUE(mixed) << mixed.error().message;
  EXPECT_EQ(mixed->root, "");
  EXPECT_EQ(mixed->directory, slot() / "app");
}

TEST_F(InstancePlanTest, OfAOneOffCommandHasTheRulesOfAProcessAndNoPort) {
  id = {.app = "web", .process = kExec, .number = kFirstExec, .release = "v1"};
  put("app/server/bin/console", "#!/bin/sh\n", 0755);
  manifest.secrets = {{"TOKEN", "file:/etc/token"}};
  process().directory = "server";
  process().limits.tasks_max = 7;
  const auto environment = exec_environment(node, manifest, id, "web", {{"TOKEN", "hunter2"}});
  EXPECT_EQ(environment.at("BERTH_PROCESS"), "web");
  EXPECT_EQ(environment.at("BERTH_INSTANCE"), "web/exec.1001");
  EXPECT_EQ(environment.at("TOKEN"), "hunter2");
  EXPECT_FALSE(environment.contains("PORT"));
  EXPECT_EQ(with_idle_ports(environment, process()).at("PORT"), "0");

  const auto plan = plan_exec(node, manifest, id, "web", {.uid = 61184, .gid = 61185}, environment);
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->directory, slot() / "app/server");
  EXPECT_EQ(plan->limits.tasks_max, 7);
  EXPECT_TRUE(plan->confinement.empty());
  EXPECT_EQ(plan->restart, spec::Restart::never);
  EXPECT_TRUE(plan->once);
  EXPECT_TRUE(is_exec(plan->id));
  EXPECT_FALSE(is_exec({.app = "web", .process = "exec", .number = 256, .release = "v1"})) << "a process may be called so";

  process().sandbox = {.protect_system = spec::Sandbox::System::strict, .umask = 027};
  const auto sandboxed = plan_exec(node, manifest, id, "web", {.uid = 61184, .gid = 61185}, environment);
  ASSERT_TRUE(sandboxed) << sandboxed.error().message;
  EXPECT_EQ(sandboxed->sandbox, process().sandbox);
  EXPECT_THAT(sandboxed->confinement, testing::Contains(keeper::Confinement{.kind = keeper::Confinement::Kind::read_only, .path = "/"}));
  EXPECT_THAT(sandboxed->confinement,
              testing::Contains(keeper::Confinement{.kind = keeper::Confinement::Kind::writable, .path = node.paths.data("web").string(), .optional = true}));

  const auto argv = find_exec(node, manifest, "web", {"bin/console", "$HOME", "${TOKEN}", "$$"}, environment);
  ASSERT_TRUE(argv) << argv.error().message;
  EXPECT_THAT(*argv, ElementsAre((slot() / "app/server/bin/console").string(), "$HOME", "${TOKEN}", "$$"));
  EXPECT_EQ(error_of(find_exec(node, manifest, "web", {"bin/gone"}, environment)).code, Errc::not_found);
}

}  // namespace
}  // namespace berth::deploy
