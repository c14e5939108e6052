#include "cli/nodes_fixture.h"

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include <gmock/gmock.h>

#include "cli/run_berth.h"
#include "core/io/listen.h"

namespace berth::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;

TEST_F(NodesTest, ANodeHasTheFilesOfItsTableOfTheTopAndOfTheEnvironment) {
  say("ca_file = \"ca.pem\"\ncertificate_file = \"~/me.pem\"\nkey_file = \"me.key\"\n[edge-1]\naddress = \"10.0.0.7:9999\"\nca_file = \"/etc/other-ca.pem\"\n[edge-2]\n");
  const RemoteNode first = find("edge-1");
  EXPECT_EQ(first.name, "edge-1");
  EXPECT_EQ(first.host, "10.0.0.7");
  EXPECT_EQ(first.port, 9999);
  EXPECT_EQ(first.ca_file, "/etc/other-ca.pem");
  EXPECT_EQ(first.certificate_file, folder.path() / "me.pem");
  EXPECT_EQ(first.key_file, path("me.key"));
  EXPECT_EQ(find("edge-2").host, "edge-2") << "without an address it is its name";
  EXPECT_EQ(find("edge-2").ca_file, path("ca.pem"));
  const RemoteNode other = find("edge-9.example.org");
  EXPECT_EQ(other.host, "edge-9.example.org");
  EXPECT_EQ(other.port, 9465);
  ::setenv("BERTH_CA_FILE", "/ci/ca.pem", 1);
  EXPECT_EQ(find("edge-1").ca_file, "/ci/ca.pem");
}

TEST_F(NodesTest, AddressesAreNamesOrNumbersWithOrWithoutAPort) {
  say("certificate_file = \"me.pem\"\nkey_file = \"me.key\"\n");
  EXPECT_EQ(find("10.0.0.7").host, "10.0.0.7");
  EXPECT_EQ(find("[::1]:1").host, "::1");
  EXPECT_EQ(find("[::1]:1").port, 1);
  EXPECT_EQ(find("[::1]").port, 9465);
  EXPECT_EQ(find("edge-1:443").port, 443);
  for (const char* wrong : {"", "a b", "edge-1:x", "https://edge-1", "edge-1/x", "me@edge-1", "edge-1/"}) EXPECT_THAT(complaint({wrong}), HasSubstr("is no address")) << wrong;
  EXPECT_THAT(complaint({"edge-1", "edge-1"}), HasSubstr("named twice"));
}

TEST_F(NodesTest, WhatIsWrongIsSaidWithItsPlace) {
  EXPECT_THAT(complaint({"edge-1"}), AllOf(HasSubstr("--node edge-1: berthd wants a certificate"), HasSubstr(path("nodes.toml"))));
  say("certificate_file = \"me.pem\"\nkey_file = \"me.key\"\nca = \"ca.pem\"\n");
  EXPECT_THAT(complaint({"edge-1"}), HasSubstr("nodes.toml:3:1: unknown key 'ca'"));
  say("[edge-1]\nport = 7\n");
  EXPECT_THAT(complaint({"edge-1"}), AllOf(HasSubstr("nodes.toml:2:1: unknown key 'port': address, "), HasSubstr("in [edge-1]")));
  say("[edge-1]\nport = 7\nkey_file = 8\nca = \"x\"\n");
  EXPECT_THAT(complaint({"edge-1"}), testing::MatchesRegex(".*nodes.toml:2:1: unknown key 'port': .*\n.*nodes.toml:3:1: 'key_file' is not a string.*\n.*nodes.toml:4:1: unknown key 'ca'.*"));
  say("[edge-1]\naddress = 7\n");
  EXPECT_THAT(complaint({"edge-1"}), HasSubstr("'address' is not a string"));
  say("[edge-1\n");
  EXPECT_THAT(complaint({"edge-1"}), HasSubstr("nodes.toml:1:"));
}

TEST_F(NodesTest, AKeyThatOthersCanReadIsRefused) {
  say("certificate_file = \"me.pem\"\nkey_file = \"me.key\"\n");
  put("me.key", 0640);
  EXPECT_THAT(complaint({"edge-1"}), HasSubstr("can be read by others than its owner: chmod 600"));
  EXPECT_EQ(run_berth({"status", "--node", "edge-1"}).exit, 7) << "as of every other key";
}

TEST_F(NodesTest, ARequestNeedsAKeyThatIsThereAndMayBeRead) {
  const Ran missing = run_berth({"node", "csr", "--folder", path("nothing")});
  EXPECT_EQ(missing.exit, 3);
  EXPECT_EQ(missing.err, "berth: open " + path("nothing/node.key") + ": No such file or directory ('berth node enrol' makes it; --folder says where it is)\n");
  put("node.key", 0000);
  const Ran closed = run_berth({"node", "csr", "--folder", path("")}, respect_modes);
  if (closed.exit == kKeepsCapabilities) GTEST_SKIP() << "no capability may be given up here";
  EXPECT_EQ(closed.exit, 7);
  EXPECT_THAT(closed.err, HasSubstr("node.key: Permission denied"));
}

TEST_F(NodesTest, NodesOfTheEnvironmentStandByEachOther) {
  EXPECT_THAT(nodes_of_environment(), IsEmpty());
  ::setenv("BERTH_NODE", " edge-1, edge-2  edge-3", 1);
  EXPECT_THAT(nodes_of_environment(), testing::ElementsAre("edge-1", "edge-2", "edge-3"));
}

TEST_F(NodesTest, VerbsThatAreForThisMachineSayWhy) {
  EXPECT_THAT(run_berth({"build", ".", "--node", "edge-1"}).err, HasSubstr("berth build: it works on this machine and asks no berthd"));
  EXPECT_THAT(run_berth({"import", "web.berth", "--node", "edge-1"}).err, HasSubstr("ssh edge-1 berth import web.berth\n"));
  ::setenv("BERTH_NODE", "edge-1", 1);
  EXPECT_THAT(run_berth({"import", "web.berth"}).err, HasSubstr("$BERTH_NODE"));
  EXPECT_THAT(run_berth({"inspect", "web@v1"}).err, HasSubstr("berth inspect: $BERTH_NODE names edge-1"));
  EXPECT_EQ(run_berth({"builds", "--help"}).exit, 0);
  for (const std::vector<std::string>& asks : {std::vector<std::string>{"status"}, {"why", "web"}, {"logs", "web"}})
    EXPECT_THAT(run_berth(asks).err, HasSubstr("--node edge-1: berthd wants a certificate")) << asks.front();
}

TEST_F(NodesTest, WhatIsToBeRunOnTheNodeIsTheWholeCall) {
  const std::pair<std::vector<std::string>, const char*> table[] = {
      {{"import", "--node=edge-1", "a b.berth"}, R"(run it there, as in: ssh edge-1 'berth import '\''a b.berth'\''')"},
      {{"inspect", "web@v8", "--node", "edge-1"}, "it needs files of the node, so that it takes no --node: run it there, as in: ssh edge-1 berth inspect web@v8\n"},
      {{"diff", "web@v8", "web@v9", "--node", "edge-1"}, "ssh edge-1 berth diff web@v8 web@v9\n"},
      {{"export", "web@v8", "--node", "edge-1"}, "ssh edge-1 berth export web@v8\n"},
  };
  for (const auto& [arguments, says] : table) {
    const Ran ran = run_berth(arguments);
    EXPECT_EQ(ran.exit, 2);
    EXPECT_THAT(ran.err, HasSubstr(says));
  }
  say("certificate_file = \"me.pem\"\nkey_file = \"me.key\"\n");
  EXPECT_THAT(run_berth({"events", "--verify", "--node", "edge-1"}).err, HasSubstr("ssh edge-1 berth events --verify\n"));
  ::setenv("BERTH_NODE", "edge-2", 1);
  EXPECT_THAT(run_berth({"inspect", "web@v1", "--files"}).err, HasSubstr("$BERTH_NODE names edge-2, and it reads the releases of the node that it runs on: run it there, as in: ssh edge-2 berth inspect web@v1 --files\n"));
}

TEST_F(NodesTest, ASocketAndANodeAreTwoBerthds) {
  say("certificate_file = \"me.pem\"\nkey_file = \"me.key\"\n");
  const Ran both = run_berth({"status", "--node", "127.0.0.1:1", "--socket", "/nonexistent.sock"});
  EXPECT_EQ(both.exit, 2);
  EXPECT_THAT(both.err, HasSubstr("--node and --socket name two berthds: 127.0.0.1:1 and /nonexistent.sock"));
  ::setenv("BERTH_NODE", "127.0.0.1:1", 1);
  EXPECT_THAT(run_berth({"status", "--socket", "/nonexistent.sock"}).err, HasSubstr("no socket /nonexistent.sock")) << "what is said counts more than the environment";
}

TEST_F(NodesTest, FilesThatAreNotThereAreToldBeforeANodeIsAsked) {
  say("certificate_file = \"alice.pem\"\nkey_file = \"me.key\"\n");
  const Ran ran = run_berth({"status", "--node", "127.0.0.1:1"});
  EXPECT_EQ(ran.exit, 2);
  EXPECT_EQ(ran.err, "berth: --node 127.0.0.1:1: its certificate_file, " + path("alice.pem") + ": No such file or directory\n");
}

TEST_F(NodesTest, FilesThatAreNoCertificatesAreNoTroubleOfTheNodes) {
  say("ca_file = \"me.pem\"\ncertificate_file = \"me.pem\"\nkey_file = \"me.key\"\n");
  const auto listening = io::listen_at_address("127.0.0.1", 0);
  ASSERT_TRUE(listening);
  const std::string node = fmt::format("127.0.0.1:{}", io::local_address(listening->get()).port());
  const Ran ran = run_berth({"status", "--node", node});
  EXPECT_EQ(ran.exit, 2);
  EXPECT_THAT(ran.err, AllOf(HasSubstr("berth: --node " + node + ": "), HasSubstr("me.pem: no certificate can be read from it"), testing::Not(HasSubstr("does not answer"))));
}

TEST_F(NodesTest, ANameThatIsNotListedIsToldWithThoseThatAre) {
  say("certificate_file = \"me.pem\"\nkey_file = \"me.key\"\n[edge-1]\n[edge-2]\n");
  const Ran ran = run_berth({"status", "--node", "edge-3.invalid"});
  EXPECT_EQ(ran.exit, 6);
  EXPECT_THAT(ran.err, HasSubstr("nodes.toml has no [edge-3.invalid], but [edge-1], [edge-2])"));
  EXPECT_EQ(find("edge-1").unlisted, "");
  EXPECT_EQ(find("10.0.0.7").unlisted, "") << "it is no name";
}

TEST_F(NodesTest, APortMayFollowANameOfTheFile) {
  say("[edge-1]\naddress = \"10.0.0.7:9999\"\ncertificate_file = \"me.pem\"\nkey_file = \"me.key\"\n");
  const RemoteNode node = find("edge-1:9464");
  EXPECT_EQ(node.name, "edge-1:9464");
  EXPECT_EQ(node.host, "10.0.0.7");
  EXPECT_EQ(node.port, 9464);
  EXPECT_EQ(node.certificate_file, path("me.pem"));
  EXPECT_THAT(complaint({"edge-1:x"}), HasSubstr("'edge-1:x' is no address"));
}

TEST_F(NodesTest, AnIpv6AddressStandsInBrackets) {
  say("certificate_file = \"me.pem\"\nkey_file = \"me.key\"\n");
  EXPECT_THAT(complaint({"::1"}), HasSubstr("--node ::1: an IPv6 address stands in brackets, with or without a port: [::1]"));
}

TEST_F(NodesTest, NobodyThereIsSaidWithTheAddress) {
  say("certificate_file = \"me.pem\"\nkey_file = \"me.key\"\n");
  const Ran ran = run_berth({"status", "--node", "127.0.0.1:1"});
  EXPECT_EQ(ran.exit, 6) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr("berthd at 127.0.0.1:1 does not answer: nothing listens at 127.0.0.1:1"));
  const Ran both = run_berth({"status", "--node", "127.0.0.1:1", "--node", "127.0.0.1:2", "--json"});
  EXPECT_EQ(both.exit, 6);
  EXPECT_THAT(both.err, AllOf(HasSubstr(R"({"node":"127.0.0.1:1","problem":{)"), HasSubstr(R"({"node":"127.0.0.1:2","problem":{)")));
  const Ran changes = run_berth({"stop", "web", "--node", "127.0.0.1:1", "--node", "127.0.0.1:2"});
  EXPECT_EQ(changes.exit, 6);
  EXPECT_THAT(changes.err, AllOf(HasSubstr("127.0.0.1:1: berth: berthd at 127.0.0.1:1"), HasSubstr("stopped at the first that failed; nothing was asked of 127.0.0.1:2"),
                                 testing::Not(HasSubstr("berthd at 127.0.0.1:2"))));
}

TEST_F(NodesTest, AGroupStandsForItsNodes) {
  say("certificate_file = \"me.pem\"\nkey_file = \"me.key\"\n[edge-1]\n[group]\nproduction = [\"edge-1\", \"10.0.0.7:9999\"]\nall = [\"edge-0\", \"edge-1\"]\n");
  const auto nodes = find_nodes({"production", "all", "edge-9"});
  ASSERT_TRUE(nodes) << nodes.error().message;
  std::vector<std::string> names;
  for (const RemoteNode& node : *nodes) names.push_back(node.name);
  EXPECT_THAT(names, testing::ElementsAre("edge-1", "10.0.0.7:9999", "edge-0", "edge-9")) << "each once";
  EXPECT_EQ((*nodes)[1].port, 9999);
  EXPECT_THAT(known_nodes(), testing::ElementsAre("edge-1", "all", "production"));
  EXPECT_THAT(complaint({"production", "production"}), HasSubstr("named twice"));
  EXPECT_THAT(run_berth({"import", "web.berth", "--node", "production"}).err, HasSubstr("ssh edge-1 berth import web.berth\n"));
  const Ran several = run_berth({"exec", "web", "--node", "all", "--", "ls"});
  EXPECT_EQ(several.exit, 2);
  EXPECT_THAT(several.err, HasSubstr("one node at a time"));
  const Ran followed = run_berth({"events", "-f", "--node", "production"});
  EXPECT_THAT(followed.err, HasSubstr("one node at a time can be followed"));
  EXPECT_THAT(run_berth({"status", "--node", "edge-3.invalid"}).err, HasSubstr("has no [edge-3.invalid], but [edge-1], the group all, the group production)"));
}

TEST_F(NodesTest, AGroupThatIsWrongIsSaidWithItsPlace) {
  const auto complaint_of = [this](const std::string& group) {
    say("[edge-1]\n[group]\nedge-2 = [\"edge-3\"]\n" + group + "\n");
    return complaint({"it"});
  };
  EXPECT_THAT(complaint_of("it = \"edge-1\""), HasSubstr("nodes.toml:4:6: 'it' in [group] is no list of nodes: write it = [\"edge-1\", \"edge-2\"]"));
  EXPECT_THAT(complaint_of("it = []"), HasSubstr("is no list of nodes"));
  EXPECT_THAT(complaint_of("it = [7]"), HasSubstr("nodes.toml:4:7: 'it' in [group] has something in it that is no name"));
  EXPECT_THAT(complaint_of("it = [\"edge-2\"]"), HasSubstr("has edge-2 in it, which is a group: name its nodes"));
  EXPECT_THAT(complaint_of("it = [\"edge-1\"]\n[it]"), HasSubstr("'it' in [group] is also a node, [it]"));
}

}  // namespace
}  // namespace berth::cli
