#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/config/config.h"

namespace berth::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::string kListener =
    "environment = \"qa\"\n[api]\nlisten = \"0.0.0.0:9465\"\ncertificate_file = \"/etc/berth/api.pem\"\nkey_file = \"/etc/berth/api.key\"\nclient_ca_file = \"/etc/berth/clients.pem\"\n";

std::string api_complaint(const std::string& text) {
  const auto config = parse(text, "berthd.toml", "edge-1");
  return config ? "" : config.error().message;
}

TEST(ApiConfig, ReadsTheListenerAndItsClients) {
  const auto config = parse(kListener + R"([[api.client]]
name = "ci.example.org"
role = "deployer"
apps = ["web", "api"]
[[api.client]]
name = "*.ops.example.org"
role = "operator"
[[api.client]]
name = "spiffe://example.org/watch"
role = "viewer"
[[api.client]]
name = "boss@example.org"
role = "admin"
)", "berthd.toml", "edge-1");
  ASSERT_TRUE(config) << config.error().message;
  ASSERT_TRUE(config->remote);
  EXPECT_EQ(*config->remote, (RemoteApi{{"0.0.0.0", 9465}, {"/etc/berth/api.pem", "/etc/berth/api.key", "/etc/berth/clients.pem"}}));
  EXPECT_THAT(config->clients, ElementsAre(ApiClient{"ci.example.org", ClientRole::deployer, {"web", "api"}}, ApiClient{"*.ops.example.org", ClientRole::operator_, {}},
                                           ApiClient{"spiffe://example.org/watch", ClientRole::viewer, {}}, ApiClient{"boss@example.org", ClientRole::admin, {}}));
}

TEST(ApiConfig, NobodyListensUnlessItIsSaid) {
  EXPECT_FALSE(parse("environment = \"qa\"", "berthd.toml", "edge-1")->remote);
  EXPECT_FALSE(parse("environment = \"qa\"\n[api]\nlisten = \"\"\n", "berthd.toml", "edge-1")->remote);
}

TEST(ApiConfig, WhatDoesNotFitTogetherIsNamedWithItsPlace) {
  const std::string client = "[[api.client]]\nname = \"ci.example.org\"\nrole = \"viewer\"\n";
  const auto without = [](std::string text, const std::string& key) {
    const auto at = text.find(key);
    return text.erase(at, text.find('\n', at) + 1 - at);
  };
  EXPECT_EQ(api_complaint(kListener + client), "");
  EXPECT_EQ(api_complaint(kListener), "berthd.toml:3:10: [api] has a 'listen' and no [[api.client]]: nobody could use it; add one with a name and a role");
  for (const std::string key : {"certificate_file", "key_file", "client_ca_file"})
    EXPECT_THAT(api_complaint(without(kListener, key) + client), HasSubstr("berthd.toml:3:10: [api] with 'listen' needs '" + key + "'"));
  EXPECT_EQ(parse(kListener + "client_crl_file = \"/etc/berth/crl.pem\"\n" + client, "berthd.toml", "edge-1")->remote->files.client_crl_file, "/etc/berth/crl.pem");
  EXPECT_THAT(api_complaint("environment = \"qa\"\n[api]\nclient_crl_file = \"/etc/berth/crl.pem\"\n"), HasSubstr("berthd.toml:3:19: client_crl_file is for [api] with a 'listen'"));
  EXPECT_THAT(api_complaint(without(kListener, "listen")), HasSubstr("berthd.toml:3:20: certificate_file is for [api] with a 'listen'"));
  EXPECT_THAT(api_complaint("environment = \"qa\"\n" + client), HasSubstr("berthd.toml:3:8: [[api.client]] is for [api] with a 'listen'"));
}

TEST(ApiConfig, WrongClientsAreRefused) {
  const std::pair<const char*, const char*> cases[] = {
      {"role = \"viewer\"", "berthd.toml:7:1: [[api.client]] has no 'name'"},
      {"name = \"ci\"", "berthd.toml:7:1: [[api.client]] has no 'role'"},
      {"name = \"ci\"\nrole = \"root\"", "berthd.toml:9:8: role: 'root' is none of viewer, deployer, operator, admin"},
      {"name = \"ci\"\nrole = \"viewer\"\napps = []", "berthd.toml:10:8: apps: it names none"},
      {"name = \"ci\"\nrole = \"viewer\"\napps = [\"Web\"]", "'Web' is no name of an app"},
      {"name = \"ci\"\nrole = \"admin\"\napps = [\"web\"]", "berthd.toml:10:8: apps: an admin is one of the whole node"},
      {"name = \"ci\"\nrole = \"viewer\"\napp = \"web\"", "unknown key 'app' in [[api.client]] (did you mean 'apps'?)"},
      {"name = \"ci\"\nrole = \"viewer\"\n[[api.client]]\nname = \"ci\"\nrole = \"admin\"", "berthd.toml:11:8: name: there are two clients 'ci'"},
      {"name = \"*\"\nrole = \"viewer\"", "is no name that a certificate has"},
      {"name = \"ci.*.org\"\nrole = \"viewer\"", "is no name that a certificate has"},
      {"name = \"*ci.example.org\"\nrole = \"viewer\"", "is no name that a certificate has"},
      {"name = \"10.0.0.7\"\nrole = \"viewer\"", "is no name that a certificate has"},
      {"name = \"a b\"\nrole = \"viewer\"", "is no name that a certificate has"},
      {"name = \"spiffe://*/ci\"\nrole = \"viewer\"", "is no name that a certificate has"},
      {"name = \"@example.org\"\nrole = \"viewer\"", "is no name that a certificate has"},
      {"name = \"\"\nrole = \"viewer\"", "is no name that a certificate has"},
  };
  for (const auto& [text, why] : cases) EXPECT_THAT(api_complaint(kListener + "[[api.client]]\n" + text), HasSubstr(why)) << text;
  EXPECT_THAT(api_complaint(kListener + "[api.client]\nname = \"ci\"\n"), HasSubstr("write [[api.client]]"));
  std::string many = kListener;
  for (int i = 0; i < 256; ++i) many += "[[api.client]]\nname = \"c" + std::to_string(i) + "\"\nrole = \"viewer\"\n";
  EXPECT_EQ(api_complaint(many), "");
  EXPECT_THAT(api_complaint(many + "[[api.client]]\nname = \"x\"\nrole = \"viewer\"\n"), HasSubstr("more than 256 clients"));
}

TEST(ApiConfig, ReadsWhatGroupsOfTheNodeMayDo) {
  const auto config = parse("environment = \"qa\"\n[[api.local]]\ngroup = \"ops\"\nrole = \"operator\"\napps = [\"web\"]\n[[api.local]]\ngroup = \"watch\"\nrole = \"viewer\"\n", "berthd.toml", "edge-1");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_THAT(config->groups, ElementsAre(ApiGroup{"ops", ClientRole::operator_, {"web"}}, ApiGroup{"watch", ClientRole::viewer, {}}));
  EXPECT_FALSE(config->remote) << "they need no listener";
  EXPECT_EQ(config->group, "berth");
}

TEST(ApiConfig, WrongGroupsAreRefused) {
  const std::pair<const char*, const char*> cases[] = {
      {"role = \"viewer\"", "berthd.toml:2:1: [[api.local]] has no 'group'"},
      {"group = \"ops\"", "berthd.toml:2:1: [[api.local]] has no 'role'"},
      {"group = \"ops\"\nrole = \"boss\"", "'boss' is none of viewer, deployer, operator, admin"},
      {"group = \"o p\"\nrole = \"viewer\"", "berthd.toml:3:9: group: 'o p' is no name for a group"},
      {"group = \"\"\nrole = \"viewer\"", "is no name for a group"},
      {"group = \"berth\"\nrole = \"viewer\"", "berthd.toml:3:9: group: members of 'berth' may do everything already"},
      {"group = \"ops\"\nrole = \"viewer\"\n[[api.local]]\ngroup = \"ops\"\nrole = \"admin\"", "berthd.toml:6:9: group: 'ops' is there twice"},
      {"group = \"ops\"\nrole = \"admin\"\napps = [\"web\"]", "apps: an admin is one of the whole node"},
      {"group = \"ops\"\nrole = \"viewer\"\nname = \"x\"", "unknown key 'name' in [[api.local]]"},
  };
  for (const auto& [text, why] : cases) EXPECT_THAT(api_complaint(std::string("environment = \"qa\"\n[[api.local]]\n") + text), HasSubstr(why)) << text;
  EXPECT_THAT(api_complaint("environment = \"qa\"\n[api.local]\ngroup = \"ops\"\n"), HasSubstr("write [[api.local]]"));
}

TEST(ApiConfig, AReloadTakesClientsOverAndTheListenerNot) {
  const std::string client = "[[api.client]]\nname = \"ci\"\nrole = \"viewer\"\n";
  const Config running = parse(kListener + client, "berthd.toml", "edge-1").value();
  EXPECT_THAT(changed_until_restart(running, parse(kListener + client + "apps = [\"web\"]\n", "berthd.toml", "edge-1").value()), IsEmpty());
  EXPECT_THAT(changed_until_restart(running, parse(kListener + client + "[[api.local]]\ngroup = \"ops\"\nrole = \"viewer\"\n", "berthd.toml", "edge-1").value()), IsEmpty());
  EXPECT_THAT(changed_until_restart(running, parse("environment = \"qa\"", "berthd.toml", "edge-1").value()), ElementsAre("[api]"));
}

}  // namespace
}  // namespace berth::config
