#include "daemon/deploy/plan_fixture.h"

namespace berth::deploy {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::EndsWith;
using testing::Pair;
using testing::StartsWith;

using EnvironmentTest = PlanFixture;

TEST_F(EnvironmentTest, IsWhatBerthPromisesAndNothingElse) {
  const auto folders = folders_of(node, id);
  const std::map<std::string, std::string> expected = {
      {"PATH", (slot() / "app/bin").string() + ":/usr/local/bin:/usr/bin:/bin"},
      {"HOME", folders.run},
      {"LANG", "C.UTF-8"},
      {"TZ", "UTC"},
      {"TMPDIR", folders.tmp},
      {"PORT", "20001"},
      {"PORT_WEB", "20001"},
      {"BERTH_APP", "web"},
      {"BERTH_ENV", "production"},
      {"BERTH_RELEASE", "v1"},
      {"BERTH_BUILD", "d1ge57"},
      {"BERTH_PROCESS", "web"},
      {"BERTH_INSTANCE", "web/web.1"},
      {"BERTH_NODE", "edge-1"},
      {"BERTH_CONFIG_DIR", folders.config},
      {"BERTH_DATA_DIR", (folder.path() / "state/apps/web/data").string()},
      {"BERTH_RUN_DIR", folders.run},
      {"BERTH_SECRETS_DIR", folders.secrets},
  };
  EXPECT_EQ(environment(), expected);
}

TEST_F(EnvironmentTest, PortIsThePrivateOneOrThePublicOneOrNone) {
  struct Row {
    spec::Routing routing;
    std::string port;
  };
  for (const auto& [routing, port] : {Row{spec::Routing::port, "20001"}, Row{spec::Routing::socket, "8080"}, Row{spec::Routing::none, ""}}) {
    process().routing = routing;
    const auto all = environment();
    EXPECT_EQ(all.contains("PORT") ? all.at("PORT") : "", port);
    EXPECT_EQ(all.contains("PORT_WEB") ? all.at("PORT_WEB") : "", port);
  }
  manifest.spec.processes["web-api"] = manifest.spec.processes["web"];
  manifest.spec.processes["web-api"].routing = spec::Routing::socket;
  id.process = "web-api";
  EXPECT_THAT(environment(), Contains(Pair("PORT_WEB_API", "8080")));
}

TEST_F(EnvironmentTest, EachPortWithANameHasItsVariables) {
  process().private_ports = {{"admin", {"ADMIN_PORT"}}, {"stats-2", {}}};
  auto all = environment_of(node, manifest, id, 20001, {}, {{"admin", 20002}, {"stats-2", 20003}, {"of-before", 20004}});
  EXPECT_THAT(all, AllOf(Contains(Pair("PORT", "20001")), Contains(Pair("PORT_HTTP", "20001")), Contains(Pair("PORT_ADMIN", "20002")),
                         Contains(Pair("ADMIN_PORT", "20002")), Contains(Pair("PORT_STATS_2", "20003"))));
  EXPECT_FALSE(all.contains("PORT_OF_BEFORE"));
  process().routing = spec::Routing::none;
  process().private_ports.erase("stats-2");
  all = environment_of(node, manifest, id, 0, {}, {{"admin", 20002}});
  EXPECT_THAT(all, AllOf(Contains(Pair("PORT", "20002")), Contains(Pair("PORT_ADMIN", "20002"))));
}

TEST_F(EnvironmentTest, OfAnAppThatNotifiesSaysWhereAndHowOften) {
  process().readiness = spec::Probe{.kind = spec::ProbeKind::notify};
  EXPECT_THAT(environment(), Contains(Pair("NOTIFY_SOCKET", folders_of(node, id).run + "/notify")));
  EXPECT_FALSE(environment().contains("WATCHDOG_USEC"));
  process().root = spec::Root::image;
  process().liveness = spec::Probe{.kind = spec::ProbeKind::notify, .period = std::chrono::seconds(2)};
  EXPECT_THAT(environment(), AllOf(Contains(Pair("NOTIFY_SOCKET", "/berth/run/notify")), Contains(Pair("WATCHDOG_USEC", "6000000"))));
}

TEST_F(EnvironmentTest, HoldsTheReleasesVariablesSecretsAndDefaults) {
  manifest.variables = {{"GREETING", "hello"}, {"TZ", "Europe/Berlin"}, {"PATH", "/opt/bin"}};
  manifest.spec.variables["COLOUR"].preset = "blue";
  manifest.spec.variables["GREETING"].preset = "not this";
  EXPECT_THAT(environment({{"PASSWORD", "hunter2"}}),
              AllOf(Contains(Pair("GREETING", "hello")), Contains(Pair("TZ", "Europe/Berlin")), Contains(Pair("PATH", "/opt/bin")),
                    Contains(Pair("COLOUR", "blue")), Contains(Pair("PASSWORD", "hunter2"))));
}

TEST_F(EnvironmentTest, AReleaseCannotSayWhatOnlyBerthKnows) {
  process().routing = spec::Routing::none;
  manifest.variables = {{"BERTH_RELEASE", "v9"}, {"BERTH_INVENTED", "x"}, {"LISTEN_FDS", "3"}, {"NOTIFY_SOCKET", "/x"}, {"HOME", "/x"}, {"PORT", "1"}};
  const auto all = environment({{"BERTH_SECRET", "x"}, {"PORT_WEB", "2"}});
  EXPECT_EQ(all.at("BERTH_RELEASE"), "v1");
  EXPECT_EQ(all.at("HOME"), folders_of(node, id).run);
  for (const char* name : {"BERTH_INVENTED", "BERTH_SECRET", "LISTEN_FDS", "NOTIFY_SOCKET", "PORT", "PORT_WEB"}) EXPECT_FALSE(all.contains(name)) << name;
}

TEST_F(EnvironmentTest, HomeIsTheDataFolderOnlyWhereTheSpecSaysSo) {
  EXPECT_EQ(environment().at("HOME"), folders_of(node, id).run);
  manifest.spec.writable_home = true;
  EXPECT_EQ(environment().at("HOME"), environment().at("BERTH_DATA_DIR"));
}

TEST_F(EnvironmentTest, FoldersDifferByInstanceAndRelease) {
  const auto first = folders_of(node, id);
  EXPECT_THAT(first.base, StartsWith((folder.path() / "run/instances/").string()));
  EXPECT_EQ(fs::path(first.base).filename().string().size(), 16u);
  EXPECT_THAT(first.config, AllOf(StartsWith(first.base), EndsWith("/config")));
  EXPECT_NE(first.base, folders_of(node, {.app = "web", .process = "web", .number = 2, .release = "v1"}).base);
  EXPECT_NE(first.base, folders_of(node, {.app = "web", .process = "web", .number = 1, .release = "v2"}).base);
}

}  // namespace
}  // namespace berth::deploy
