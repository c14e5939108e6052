#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/json/json.h"
#include "core/spec/spec_fixture.h"

namespace berth::spec {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Process process_of(const std::string& lines) { return parsed(kLeast + lines + "\n").processes.at("web"); }

TEST(Ports, MayHaveNames) {
  const Process web = process_of("[process.web.ports]\nweb = { port = 8080, env = \"HTTP_PORT\" }\nadmin = { private = true, env = \"ADMIN\" }\nstats = { private = true }");
  EXPECT_EQ(std::tuple(web.routing, web.public_port, web.port_name, web.port_variable), std::tuple(Routing::port, 8080, "web", "HTTP_PORT"));
  EXPECT_EQ(web.private_ports, (std::map<std::string, PrivatePort>{{"admin", {"ADMIN"}}, {"stats", {}}}));
  EXPECT_THAT(port_variables(web), ElementsAre("PORT", "PORT_WEB", "HTTP_PORT", "PORT_ADMIN", "ADMIN", "PORT_STATS"));

  const Process by_number = process_of("[process.web.ports]\nhttp = 8080");
  EXPECT_EQ(by_number, process_of("port = 8080")) << "that is its name without one";
  EXPECT_THAT(port_variables(by_number), ElementsAre("PORT"));
  EXPECT_EQ(process_of("[process.web.ports]\nhttp = { socket = 8080 }"), process_of("socket = 8080"));
  EXPECT_THAT(port_variables(process_of("port = 80\n[process.web.ports]\nstats-2 = { private = true }")), ElementsAre("PORT", "PORT_HTTP", "PORT_STATS_2"));
}

TEST(Ports, ThatAreTheOnlyOneAreTheMainOne) {
  const Process one = process_of("readiness = { tcp = true }\n[process.web.ports]\nadmin = { private = true }");
  EXPECT_EQ(main_port(one), "admin");
  EXPECT_EQ(one.routing, Routing::none);
  EXPECT_THAT(port_variables(one), ElementsAre("PORT", "PORT_ADMIN"));
  EXPECT_EQ(main_port(process_of("")), "");
  EXPECT_THAT(port_variables(process_of("")), IsEmpty());
  EXPECT_EQ(main_port(process_of("[process.web.ports]\na = { private = true }\nb = { private = true }")), "");
}

TEST(Ports, MayBeNamedByProbesAndCommands) {
  const Process web = process_of("port = 80\nreadiness = { http = \"/\", port = \"admin\" }\nliveness = { tcp = true, port = \"http\" }\n[process.web.ports]\nadmin = { private = true }");
  EXPECT_EQ(web.readiness->port, "admin");
  EXPECT_TRUE(has_port(web, web.liveness->port));
  const auto with_command = replaced(std::string(kLeast) + "[process.web.ports]\nadmin = { private = true, env = \"A\" }\n", "\"bin/server\"", "\"bin/server\", \"${PORT_ADMIN}\", \"${A}\"");
  EXPECT_TRUE(parse_toml(with_command, "berth.toml"));
}

TEST(Ports, AreReadAgainFromAManifest) {
  for (const char* lines : {"[process.web.ports]\nweb = { port = 8080, env = \"HTTP_PORT\" }\nadmin = { private = true, env = \"ADMIN\" }",
                            "socket = 80\nreadiness = { http = \"/\", port = \"admin\" }\n[process.web.ports]\nadmin = { private = true }", "[process.web.ports]\nhttp = 8080"}) {
    const AppSpec spec = parsed(std::string(kLeast) + lines + "\n");
    const auto again = from_json(to_json(spec));
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(*again, spec);
  }
  const std::string text = json::canonical(to_json(parsed(std::string(kLeast) + "[process.web.ports]\nweb = 8080\nadmin = { private = true }\n"))).value();
  EXPECT_THAT(text, HasSubstr(R"("ports":{"admin":{"env":"","private":true},"web":{"env":"","port":8080}})"));
  const std::pair<const char*, const char*> kBad[] = {
      {R"("web":{"env":"","port":8080})", R"("web":{"env":""})"},
      {R"("web":{"env":"","port":8080})", R"("web":{"env":"","port":8080},"b":{"env":"","port":8081})"},
      {R"("web":{"env":"","port":8080})", R"("http":{"env":"","port":8080})"},
      {R"("private":true)", R"("private":true,"port":90)"},
      {R"("env":"","port")", R"("port")"}};
  for (const auto& [from, to] : kBad) {
    const auto spec = from_json(*json::parse(replaced(text, from, to)));
    ASSERT_FALSE(spec) << to;
    EXPECT_EQ(spec.error().code, Errc::trust);
  }
}

TEST(Ports, ThatAreWrongAreToldWithTheirPlace) {
  const std::pair<const char*, const char*> kCases[] = {
      {"[process.web.ports]\nA = 80", "'A' in [process.web.ports] is no name of a port"},
      {"[process.web.ports]\na = 0", "berth.toml:5:5: 'a' in [process.web.ports] must be a number from 1 to 65535"},
      {"[process.web.ports]\na = {}", "a port has one of port = 8080, socket = 8080 and private = true"},
      {"[process.web.ports]\na = { private = true, port = 80 }", "a port has one of"},
      {"[process.web.ports]\na = { privat = true }", "unknown key 'privat' in [process.web.ports.a] (did you mean 'private'?)"},
      {"[process.web.ports]\na = 80\nb = 81", "berth.toml:6:5: 'b' in [process.web.ports] is a public port as 'a' is, and a process has one"},
      {"port = 80\n[process.web.ports]\na = 81", "'a' in [process.web.ports] is a public port beside 'port' or 'socket': name it here alone"},
      {"[process.web.ports]\na = { private = true, env = \"1\" }", "'env' in [process.web.ports.a] is no name of a variable"},
      {"[process.web.ports]\na = { private = true, env = \"PORT\" }", "is a name that berth gives a value of its own"},
      {"[process.web.ports]\na = { private = true, env = \"X\" }\n[env.X]\nrequired = true", "is declared as [env.X], too"},
      {"[process.web.ports]\na = { private = true, env = \"X\" }\nb = { private = true, env = \"X\" }", "'ports' in [process.web] gives two ports the variable X"},
      {"[process.web.ports]\na-b = { private = true }\n[process.web.readiness]\ntcp = true\nport = \"b\"", "'port' in [process.web.readiness] names 'b', which is no port of the process"},
      {"readiness = { exec = [\"x\"], port = \"a\" }\n[process.web.ports]\na = { private = true }", "'port' in [process.web.readiness] goes with http, tcp and grpc only"},
      {"readiness = { tcp = true }\n[process.web.ports]\na = { private = true }\nb = { private = true }", "it has several: say which one by port = \"name\""}};
  for (const auto& [lines, complaint] : kCases) {
    const auto spec = parse_toml(std::string(kLeast) + lines + "\n", "berth.toml");
    ASSERT_FALSE(spec) << lines;
    EXPECT_THAT(spec.error().message, HasSubstr(complaint)) << lines;
  }
}

}  // namespace
}  // namespace berth::spec
