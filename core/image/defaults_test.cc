#include "core/image/defaults.h"

#include <gmock/gmock.h>

namespace berth::image {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using namespace std::chrono_literals;

ImageDefaults of(const ImageConfig& config) {
  auto defaults = defaults_of(config);
  EXPECT_TRUE(defaults) << defaults.error().message;
  return defaults ? *defaults : ImageDefaults();
}

TEST(ImageDefaults, EntrypointComesBeforeTheCommandAndMeansItselfLiterally) {
  const auto out = of({.entrypoint = {"/entry.sh", "--"}, .command = {"serve", "${PORT:-80}", "$5"}, .directory = "/srv/app/"});
  EXPECT_THAT(out.defaults.process.command, ElementsAre("/entry.sh", "--", "serve", "$${PORT:-80}", "$$5"));
  EXPECT_EQ(out.defaults.process.directory, "srv/app");
  EXPECT_EQ(out.defaults.process.root, spec::Root::image);
  EXPECT_THAT(out.notes, IsEmpty());
  EXPECT_EQ(of({.command = {"x"}, .directory = "/"}).defaults.process.directory, "");
  EXPECT_FALSE(defaults_of({.directory = "/a/../../b"}));
}

TEST(ImageDefaults, AreASpecOfTheirOwn) {
  const auto out = of({.command = {"/bin/web"}, .environment = {"PATH=/bin", "LEVEL=info"}, .stop_signal = "SIGQUIT", .ports = {"8080/tcp"}});
  const auto spec = spec::spec_of("web", out.defaults);
  ASSERT_TRUE(spec) << spec.error().message;
  const spec::Process& web = spec->processes.at("web");
  EXPECT_EQ(std::tuple(web.routing, web.public_port, web.stop.signal), std::tuple(spec::Routing::port, 8080, 3));
  EXPECT_EQ(spec->variables.at("LEVEL").preset, "info");
  EXPECT_EQ(spec->user, "");
  const auto again = spec::from_json(spec::to_json(*spec));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(*again, *spec);
}

TEST(ImageDefaults, OnePortIsThePublicOneAndTheOthersArePrivate) {
  const struct {
    std::vector<std::string> ports;
    int public_one;
    std::vector<std::string> others;
    std::string note;
  } table[] = {
      {{}, 0, {}, ""},
      {{"80/tcp"}, 80, {}, "port 80 is the public one"},
      {{"80"}, 80, {}, "has to listen on $PORT, which"},
      {{"53/udp"}, 0, {}, "'53/udp' is no TCP port"},
      {{"53/udp", "80/tcp"}, 80, {}, "'53/udp' is no TCP port"},
      {{"443/tcp", "81/tcp", "80/tcp"}, 80, {"tcp-443", "tcp-81"}, "has to listen on $PORT_TCP_81, $PORT_TCP_443"},
      {{"8080/tcp", "22/tcp"}, 8080, {"tcp-22"}, "$PORT_TCP_22"},
      {{"8080", "80"}, 80, {"tcp-8080"}, "$PORT_TCP_8080"},
      {{"9093/tcp", "9094/tcp", "9094/udp"}, 9093, {"tcp-9094"}, "'9094/udp' is no TCP port"},
      {{"80", "80/tcp"}, 80, {}, "port 80 is the public one"},
      {{"0/tcp"}, 0, {}, "no TCP port"},
      {{"99999/tcp"}, 0, {}, "no TCP port"},
  };
  for (const auto& [ports, wanted, others, note] : table) {
    const auto out = of({.command = {"x"}, .ports = ports});
    EXPECT_EQ(out.defaults.process.public_port, wanted);
    EXPECT_EQ(out.defaults.process.routing, wanted == 0 ? spec::Routing::none : spec::Routing::port);
    std::vector<std::string> names;
    for (const auto& [name, port] : out.defaults.process.private_ports) names.push_back(name);
    EXPECT_EQ(names, others);
    const auto spec = spec::spec_of("web", out.defaults);
    EXPECT_TRUE(spec) << spec.error().message;
    if (note.empty()) {
      EXPECT_THAT(out.notes, IsEmpty());
    } else {
      EXPECT_THAT(out.notes, Contains(HasSubstr(note)));
    }
  }
}

TEST(ImageDefaults, NoMorePortsArePrivateThanAProcessCanHave) {
  std::vector<std::string> ports;
  for (int port = 100; port < 120; ++port) ports.push_back(std::to_string(port));
  const auto out = of({.command = {"x"}, .ports = ports});
  EXPECT_EQ(out.defaults.process.public_port, 100);
  EXPECT_EQ(out.defaults.process.private_ports.size(), spec::kMostPrivatePorts);
  EXPECT_THAT(out.notes, Contains(HasSubstr("ports from 117 on are left out")));
  EXPECT_TRUE(spec::spec_of("web", out.defaults));
}

TEST(ImageDefaults, OfPortsAreReplacedByThoseOfABerthTomlAndAJobHasNone) {
  const auto out = of({.command = {"x"}, .ports = {"80", "9090"}, .health = HealthCheck{.test = {"CMD", "check"}}});
  const auto read = [&](const std::string& process) { return spec::parse_toml("app = \"web\"\n[process.web]\n" + process, "berth.toml", out.defaults); };
  const auto as_it_is = read("");
  ASSERT_TRUE(as_it_is) << as_it_is.error().message;
  EXPECT_TRUE(as_it_is->processes.at("web").private_ports.contains("tcp-9090"));
  const auto routed = read("port = 9090\n");
  ASSERT_TRUE(routed) << routed.error().message;
  EXPECT_EQ(routed->processes.at("web").public_port, 9090);
  EXPECT_THAT(routed->processes.at("web").private_ports, IsEmpty());
  const auto named = read("[process.web.ports]\nmetrics = { private = true }\n");
  ASSERT_TRUE(named) << named.error().message;
  EXPECT_EQ(named->processes.at("web").public_port, 80);
  EXPECT_EQ(named->processes.at("web").private_ports.size(), 1U);
  const auto job = read("type = \"job\"\n");
  ASSERT_TRUE(job) << job.error().message;
  EXPECT_EQ(job->processes.at("web").routing, spec::Routing::none);
}

TEST(ImageDefaults, VariablesThatAnAppCannotHaveAreToldAndLeftOut) {
  const auto out = of({.environment = {"GOOD=1", "EMPTY=", "HOME=/root", "BERTH_X=1", "a b=c", "LINES=a\nb", "BARE"}});
  std::vector<std::string> names;
  for (const auto& [name, variable] : out.defaults.variables) names.push_back(name);
  EXPECT_THAT(names, ElementsAre("BARE", "EMPTY", "GOOD"));
  EXPECT_EQ(out.notes.size(), 4u);
  EXPECT_THAT(out.notes, Contains(HasSubstr("variable HOME is one that berth gives")));
  EXPECT_THAT(out.notes, Contains(HasSubstr("variable LINES has line breaks")));
}

TEST(ImageDefaults, AHealthCheckBecomesReadinessAndStartup) {
  const auto shell = of({.health = HealthCheck{.test = {"CMD-SHELL", "curl localhost:$PORT"}}}).defaults.process;
  ASSERT_TRUE(shell.readiness && shell.startup);
  EXPECT_THAT(shell.readiness->command, ElementsAre("/bin/sh", "-c", "curl localhost:$$PORT"));
  EXPECT_EQ(std::tuple(shell.readiness->period, shell.readiness->timeout, shell.readiness->failure_threshold), std::tuple(30s, 30s, 3));
  EXPECT_EQ(std::tuple(shell.startup->period, shell.startup->failure_threshold), std::tuple(1s, 90));

  const auto exact = of({.health = HealthCheck{.test = {"CMD", "check", "-q"}, .interval = 10s, .timeout = 2s, .start_period = 60s, .start_interval = 2s, .retries = 4}})
                         .defaults.process;
  EXPECT_THAT(exact.readiness->command, ElementsAre("check", "-q"));
  EXPECT_EQ(std::tuple(exact.readiness->period, exact.readiness->timeout, exact.readiness->failure_threshold), std::tuple(10s, 2s, 4));
  EXPECT_EQ(std::tuple(exact.startup->period, exact.startup->failure_threshold), std::tuple(2s, 50));
  EXPECT_FALSE(exact.liveness) << "a container that is unhealthy is not restarted either";

  EXPECT_FALSE(of({.health = HealthCheck{.test = {"NONE"}}}).defaults.process.readiness);
  EXPECT_FALSE(of({.health = HealthCheck{}}).defaults.process.readiness);
  for (const auto& test : {std::vector<std::string>{"CMD"}, {"CMD-SHELL"}, {"curl"}}) EXPECT_FALSE(defaults_of({.health = HealthCheck{.test = test}}));
}

TEST(ImageDefaults, UserAndVolumesAreTold) {
  const auto out = of({.user = "nginx", .volumes = {"/var/lib/x"}});
  EXPECT_THAT(out.notes, ElementsAre(HasSubstr("user 'nginx' does not count"), HasSubstr("volume /var/lib/x cannot be written")));
  EXPECT_FALSE(defaults_of({.stop_signal = "SIGNOPE"}));
}

}  // namespace
}  // namespace berth::image
