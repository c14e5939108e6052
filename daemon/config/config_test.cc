#include "daemon/config/config.h"

#include <fstream>
#include <map>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/files/files.h"
#include "daemon/config/section.h"
#include "daemon/config/show.h"
#include "daemon/config/values.h"

namespace berth::config {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

/// A file sink's keys, as daemon/ship reads them.
const std::vector<SinkKind> kFileKind{{"file", [](Section& section) {
                                         for (const char* key : {"path", "rotate_bytes", "group"}) section.string(key, {});
                                         section.integer("keep_files", 0, 0, 1000);
                                         return std::any();
                                       }}};

Result<Config> read(std::string_view text) { return parse(text, "berthd.toml", "edge-1", kFileKind); }

std::string complaint(std::string_view text) {
  const auto config = read(text);
  if (config) return "";
  EXPECT_EQ(config.error().code, Errc::usage);
  return config.error().message;
}

TEST(Config, ReadsEveryKey) {
  const auto config = read(R"(
node = "node-7"
environment = "qa"
[labels]
rack = "r7"
[paths]
state = "/srv/state"
logs = "/srv/logs/"
run = "/run/b"
[repository]
url = "https://releases.example.org/berth/"
root = "/etc/berth/root.json"
ca_file = "/etc/berth/ca.pem"
certificate_file = "/etc/berth/node.pem"
key_file = "/etc/berth/node.key"
mirrors = ["https://mirror.example.org/berth/", "file:///srv/berth"]
token = "file:/etc/berth/token"
proxy = "http://proxy.example.org:3128/"
rate_limit = "2MB"
[secrets]
commands = ["/usr/local/bin/get-secret"]
[metrics]
listen = "[::1]:9999"
[api]
group = "operators"
[store]
reserve = "1GiB"
keep_releases = 0
keep_age = "30d"
keep_bytes = "20GB"
verify_every = "7d"
[start]
at_once = 3
[keepers]
orphans = "restart"
[log]
level = "debug"
[[follow]]
app = "web"
channel = "stable"
interval = "90s"
[[follow]]
app = "api"
release = "2026-11-24.1"
)");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->node, "node-7");
  EXPECT_EQ(config->environment, "qa");
  EXPECT_EQ(config->labels, (std::map<std::string, std::string>{{"rack", "r7"}}));
  EXPECT_EQ(config->state, "/srv/state");
  EXPECT_EQ(config->logs, "/srv/logs");
  EXPECT_EQ(config->run, "/run/b");
  EXPECT_EQ(config->repository.url, "https://releases.example.org/berth");
  EXPECT_EQ(config->repository.root, "/etc/berth/root.json");
  EXPECT_EQ(config->repository.ca_file, "/etc/berth/ca.pem");
  EXPECT_EQ(config->repository.certificate_file, "/etc/berth/node.pem");
  EXPECT_EQ(config->repository.key_file, "/etc/berth/node.key");
  EXPECT_EQ(config->repository.mirrors, (std::vector<std::string>{"https://mirror.example.org/berth", "file:///srv/berth"}));
  EXPECT_EQ(config->repository.token, "file:/etc/berth/token");
  EXPECT_EQ(config->repository.proxy, "http://proxy.example.org:3128");
  EXPECT_EQ(config->repository.rate_limit, 2'000'000u);
  EXPECT_EQ(config->secret_commands, std::vector<std::string>{"/usr/local/bin/get-secret"});
  EXPECT_EQ(config->metrics, (Listen{"::1", 9999}));
  EXPECT_EQ(config->group, "operators");
  EXPECT_EQ(config->reserve, 1u << 30);
  EXPECT_EQ(config->keep_releases, 0);
  EXPECT_EQ(config->keep_age, std::chrono::hours(30 * 24));
  EXPECT_EQ(config->keep_bytes, 20'000'000'000u);
  EXPECT_EQ(config->verify_every, std::chrono::hours(7 * 24));
  EXPECT_EQ(config->start_at_once, 3);
  EXPECT_FALSE(config->keep_orphans);
  EXPECT_EQ(config->log_level, LogLevel::debug);
  EXPECT_EQ(config->follow, (std::vector<Follow>{{.app = "web", .channel = "stable", .interval = std::chrono::seconds(90)},
                                                 {.app = "api", .release = "2026-11-24.1", .interval = std::chrono::minutes(1)}}));
}

TEST(Config, TheEnvironmentAloneIsEnough) {
  const auto config = read("environment = \"production\"");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->node, "edge-1");
  EXPECT_EQ(config->state, "/var/lib/berth");
  EXPECT_EQ(config->metrics, (Listen{"127.0.0.1", 9464}));
  EXPECT_EQ(config->group, "berth");
  EXPECT_EQ(config->reserve, 256'000'000u);
  EXPECT_EQ(config->keep_releases, 3);
  EXPECT_TRUE(config->repository.url.empty());
  EXPECT_FALSE(config->repository.proxy) << "as the environment says";
  EXPECT_TRUE(config->follow.empty());
  EXPECT_TRUE(config->secret_commands.empty()) << "a release may run nothing unless the node says so";
}

TEST(Config, TheShippedFileSaysTheDefaults) {
  const auto text = files::read(BERTH_SHIPPED_CONFIG, 1u << 20);
  ASSERT_TRUE(text) << text.error().message;
  const auto shipped = read(*text);
  ASSERT_TRUE(shipped) << shipped.error().message;
  const Config defaults;
  EXPECT_EQ(shipped->metrics, defaults.metrics);
  EXPECT_EQ(shipped->group, defaults.group);
  EXPECT_EQ(shipped->reserve, defaults.reserve);
  EXPECT_EQ(shipped->keep_releases, defaults.keep_releases);
  EXPECT_EQ(shipped->keep_age, defaults.keep_age);
  EXPECT_EQ(shipped->keep_bytes, defaults.keep_bytes);
  EXPECT_EQ(shipped->verify_every, defaults.verify_every);
  EXPECT_EQ(shipped->start_at_once, defaults.start_at_once);
  EXPECT_EQ(shipped->keep_orphans, defaults.keep_orphans);
  EXPECT_EQ(shipped->compress_logs, defaults.compress_logs);
  EXPECT_TRUE(shipped->sinks.empty());
  EXPECT_TRUE(shipped->webhooks.empty());
  EXPECT_EQ(shipped->log_level, defaults.log_level);

  // And with every key that stands behind a '#' it is right too, and says the same paths.
  std::string all;
  for (std::size_t at = 0; at < text->size();) {
    const std::size_t end = std::min(text->find('\n', at), text->size());
    std::string line = text->substr(at, end - at);
    if ((line.starts_with("# ") && line.find(" = ") != std::string::npos) || line.starts_with("# [[")) line.erase(0, 2);
    all += line + "\n";
    at = end + 1;
  }
  const auto whole = read(all);
  ASSERT_TRUE(whole) << whole.error().message;
  EXPECT_EQ(whole->state, defaults.state);
  EXPECT_EQ(whole->logs, defaults.logs);
  EXPECT_EQ(whole->run, defaults.run);
  EXPECT_FALSE(whole->repository.key_file.empty());
  ASSERT_EQ(whole->sinks.size(), 1u);
  EXPECT_EQ(whole->sinks[0].batch_lines, Sink().batch_lines);
  EXPECT_EQ(whole->sinks[0].batch_bytes, Sink().batch_bytes);
  EXPECT_EQ(whole->sinks[0].batch_wait, Sink().batch_wait);
  ASSERT_EQ(whole->webhooks.size(), 1u);
  EXPECT_EQ(whole->webhooks[0].keep, Webhook().keep);
  EXPECT_EQ(whole->webhooks[0].timeout, Webhook().timeout);
  EXPECT_EQ(whole->webhooks[0].format, Webhook().format);
  EXPECT_EQ(whole->follow, (std::vector<Follow>{{.app = "web", .channel = "stable", .windows = {*parse_window("Mon-Fri 02:00-05:00"), *parse_window("Sat,Sun 22:00-06:00")}}}))
      << "with the interval that it has anyway";
}

/// The shipped file with what stands behind '#' in it, by table; the lines before the first one below "".
std::map<std::string, std::string> shipped_tables() {
  const auto text = files::read(BERTH_SHIPPED_CONFIG, 1u << 20);
  EXPECT_TRUE(text) << text.error().message;
  std::map<std::string, std::string> tables;
  std::istringstream lines(*text);
  std::string table;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# [[")) line.erase(0, 2);
    if (line.starts_with('[')) table = line.substr(line.find_last_of('[') + 1, line.find(']') - line.find_last_of('[') - 1);
    tables[table] += line + "\n";
  }
  return tables;
}

TEST(Config, TheShippedFileHasEveryKeyThatIsKnown) {
  const auto tables = shipped_tables();
  std::string text = "environment = \"production\"\n";
  for (const auto& [table, lines] : tables)
    if (lines.starts_with("[[")) text += "[[" + table + "]]\n" + (table == "sink" ? "kind = \"file\"\n" : "");
  auto document = Document::parse(text, "berthd.toml");
  ASSERT_TRUE(document) << document.error().message;
  EXPECT_FALSE(read_document(*document, "edge-1", kFileKind)) << "lists of tables have keys that must be there";
  EXPECT_GT(document->asked().size(), 70u);
  for (const AskedKey& asked : document->asked()) {
    const auto table = tables.find(asked.table);
    ASSERT_NE(table, tables.end()) << asked.table;
    EXPECT_THAT(table->second, testing::AnyOf(HasSubstr("\n" + asked.key + " = "), HasSubstr("\n# " + asked.key + " = "), HasSubstr(" " + asked.key + "=\""))) << asked.table;
  }
}

TEST(Config, AnUnknownKeyIsNamedWithItsPlaceAndTheNearestKnownOne) {
  EXPECT_EQ(complaint("environment = \"qa\"\n[metrics]\n  lissten = \"127.0.0.1:1\"\n"),
            "berthd.toml:3:3: unknown key 'lissten' in [metrics] (did you mean 'listen'?)");
  EXPECT_EQ(complaint("environment = \"qa\"\n[metrix]\n"), "berthd.toml:2:2: unknown table 'metrix' (did you mean 'metrics'?)");
  EXPECT_EQ(complaint("environment = \"qa\"\nwhatever = 1\n"), "berthd.toml:2:1: unknown key 'whatever'");
  EXPECT_EQ(complaint("environment = \"qa\"\nkeep_releases = 3\n"), "berthd.toml:2:1: unknown key 'keep_releases' (it is a key of [store])");
  EXPECT_EQ(complaint("environment = \"qa\"\nlisten = \"\"\n"), "berthd.toml:2:1: unknown key 'listen'") << "of more than one";
}

TEST(Config, EveryComplaintIsToldInTheOrderOfTheFile) {
  EXPECT_EQ(complaint("[store]\nkeep_releases = -1\n[log]\nlevel = \"loud\"\n"),
            "berthd.toml: 'environment' is missing: say which one this node has, such as environment = \"production\"\n"
            "berthd.toml:2:17: 'keep_releases' is not a whole number from 0 to 1000\n"
            "berthd.toml:4:9: level: 'loud' is none of trace, debug, info, warning, error");
}

TEST(Config, WhatIsNoTomlIsNamedWithItsPlace) {
  EXPECT_THAT(complaint("environment = \n"), testing::StartsWith("berthd.toml:1:"));
  EXPECT_THAT(complaint("environment = \"qa\"\nenvironment = \"qa\"\n"), testing::StartsWith("berthd.toml:2:"));
}

TEST(Config, WrongValuesAreRefused) {
  const std::pair<const char*, const char*> cases[] = {
      {"node = \"a b\"", "no name for a node"},
      {"node = 7", "'node' is not a string"},
      {"metrics = 1", "'metrics' is a table"},
      {"[labels]\n\"a b\" = \"x\"", "no name for a label"},
      {"[labels]\nrack = \"a\\nb\"", "one line"},
      {"[labels]\nrack = 7", "'rack' is not a string"},
      {"[paths]\nstate = \"state\"", "not an absolute path"},
      {"[paths]\nstate = \"/a\"\nlogs = \"/a\"", "three folders"},
      {"[repository]\nurl = \"https://host\"", "no 'root'"},
      {"[repository]\nurl = \"https://host\"\nroot = \"/r\"\nkey_file = \"/k\"", "go together"},
      {"[repository]\nurl = \"http://host\"\nroot = \"/r\"\nca_file = \"/k\"", "for https:// alone"},
      {"[metrics]\nlisten = \"localhost:1\"", "listen: 'localhost:1' has no numeric address"},
      {"[api]\ngroup = \"a b\"", "no name for a group"},
      {"[secrets]\ncommands = \"/bin/x\"", "'commands' is not a list"},
      {"[secrets]\ncommands = [7]", "not a string"},
      {"[keepers]\norphans = \"kill\"", "is \"keep\" or \"restart\""},
      {"[secrets]\ncommands = [\"get\"]", "not an absolute path"},
      {"[secrets]\ncommands = [\"/bin/get all\"]", "the program's path alone"},
      {"[repository]\nmirrors = [\"https://m\"]", "mirrors are of a 'url'"},
      {"[repository]\nmirrors = [\"ftp://m\"]", "no URL with http://"},
      {"[repository]\nuser = \"u\"", "user and password go together"},
      {"[repository]\nuser = \"u:v\"\npassword = \"env:P\"", "has a ':' in it"},
      {"[repository]\ntoken = \"env:T\"\nuser = \"u\"\npassword = \"env:P\"", "room for one"},
      {"[repository]\ntoken = \"hunter2\"", "token: it is no reference to a secret"},
      {"[repository]\nproxy = \"http://u:hunter2@proxy:1\"", "do not belong here"},
      {"[repository]\nproxy = \"https://proxy:1\"", "no proxy's address"},
      {"[repository]\nrate_limit = \"fast\"", "is no size"},
      {"[store]\nreserve = \"256\"", "has no unit"},
      {"[policy]\nusers = \"web:root\"", "'users' is not a list"},
      {"[policy]\nusers = [\"root\"]", "users: 'root' is not APP:"},
      {"[policy]\nusers = [\"Web:root\"]", "users: 'Web:root' is not APP:"},
      {"[policy]\nusers = [\"web:a b\"]", "'a b' is no name of a user"},
      {"[policy]\ncapabilities = [\"web:CAP_EVERYTHING\"]", "'CAP_EVERYTHING' is no capability"},
      {"[policy]\nsecret_folders = [\"web:secrets\"]", "not an absolute path"},
      {"[policy]\nroot = [\"web\"]", "unknown key 'root' in [policy]"},
  };
  for (const auto& [text, why] : cases) {
    std::string whole(text);
    whole.starts_with('[') ? whole.insert(0, "environment = \"qa\"\n") : whole.append("\nenvironment = \"qa\"\n");
    EXPECT_THAT(complaint(whole), HasSubstr(why)) << whole;
    EXPECT_THAT(complaint(whole), testing::Not(HasSubstr("hunter2")));
  }
  EXPECT_THAT(complaint("environment = \"Production\""), HasSubstr("no name for an environment"));
}

TEST(Config, WhatIsFollowedIsSaidWhole) {
  const std::string head = "environment = \"qa\"\n[repository]\nurl = \"https://host\"\nroot = \"/r\"\n";
  const std::pair<const char*, const char*> cases[] = {
      {"[[follow]]\nchannel = \"stable\"", "berthd.toml:5:1: [[follow]] has no 'app'"},
      {"[[follow]]\napp = \"web\"", "berthd.toml:6:7: [[follow]] has neither 'channel' nor 'release'"},
      {"[[follow]]\napp = \"web\"\nchannel = \"stable\"\nrelease = \"v1\"", "berthd.toml:8:11: channel or release"},
      {"[[follow]]\napp = \"web\"\nchannel = \"stable\"\n[[follow]]\napp = \"web\"\nchannel = \"canary\"", "berthd.toml:9:7: app: 'web' follows twice"},
      {"[[follow]]\napp = \"Web\"\nchannel = \"stable\"", "no name of an app"},
      {"[[follow]]\napp = \"web\"\nchannel = \"Stable\"", "no name of a channel"},
      {"[[follow]]\napp = \"web\"\nrelease = \"../v1\"", "no release id"},
      {"[[follow]]\napp = \"web\"\nchannel = \"stable\"\ninterval = \"999ms\"", "interval: '999ms' is not from '1s' to '24h'"},
      {"[[follow]]\napp = \"web\"\nchannel = \"stable\"\ninterval = \"25h\"", "interval: '25h' is not from '1s' to '24h'"},
      {"[[follow]]\napp = \"web\"\nchannel = \"stable\"\ninterval = \"often\"", "interval: 'often' is no length of time"},
      {"[[follow]]\napp = \"web\"\nchannel = \"stable\"\ninterval = 60", "'interval' is not a string"},
      {"[[follow]]\napp = \"web\"\nchannel = \"stable\"\nwindows = [\"Mon-Fri\"]", "berthd.toml:8:11: windows: 'Mon-Fri' is no window, such as '02:00-05:00'"},
      {"[[follow]]\napp = \"web\"\nchannel = \"stable\"\nwindows = [\"Sat 02:00-02:14\"]", "'Sat 02:00-02:14' is 14 minutes long; 15 at least"},
      {"[[follow]]\napp = \"web\"\nchanel = \"stable\"", "unknown key 'chanel' in [[follow]] (did you mean 'channel'?)"},
      {"[follow]\napp = \"web\"\nchannel = \"stable\"", "'follow' is a list of tables: write [[follow]]"},
  };
  for (const auto& [text, why] : cases) EXPECT_THAT(complaint(head + text), HasSubstr(why)) << text;
  EXPECT_THAT(complaint("environment = \"qa\"\nfollow = [7]"), HasSubstr("list of tables"));
  EXPECT_THAT(complaint("environment = \"qa\"\n[[follow]]\napp = \"web\"\nchannel = \"stable\""), HasSubstr("needs a [repository] with a 'url'"));
  std::string many = head;
  for (int i = 0; i < 256; ++i) many += "[[follow]]\napp = \"a" + std::to_string(i) + "\"\nchannel = \"stable\"\n";
  EXPECT_EQ(complaint(many), "");
  EXPECT_THAT(complaint(many + "[[follow]]\napp = \"b\"\nchannel = \"stable\""), HasSubstr("more than 256"));
}

TEST(Config, TheRunFolderLeavesRoomForTheNamesOfSockets) {
  const auto with_run = [](std::size_t bytes) { return "environment = \"qa\"\n[paths]\nrun = \"/" + std::string(bytes - 1, 'r') + "\"\n"; };
  EXPECT_EQ(complaint(with_run(69)), "");
  EXPECT_THAT(complaint(with_run(70)), HasSubstr("69 at most"));
}

TEST(Config, ANodeWithoutANameHasTheHosts) {
  EXPECT_EQ(parse("environment = \"qa\"", "berthd.toml", "host.example").value().node, "host.example");
  const auto strange = parse("environment = \"qa\"", "berthd.toml", "(none)");
  ASSERT_FALSE(strange);
  EXPECT_THAT(strange.error().message, HasSubstr("give one with the key 'node'"));
}

TEST(Config, AStatusPageIsThereWhereItIsWantedAlone) {
  EXPECT_FALSE(read("environment = \"qa\"\n").value().status_page);
  EXPECT_TRUE(read("environment = \"qa\"\n[metrics]\npage = true\n").value().status_page);
}

TEST(Config, TheMetricsListenerMaySpeakTlsAndWantAToken) {
  const auto config = read("environment = \"qa\"\n[metrics]\nlisten = \"0.0.0.0:9464\"\ncertificate_file = \"/etc/m.pem\"\nkey_file = \"/etc/m.key\"\nclient_ca_file = \"/etc/ca.pem\"\n"
                           "token = \"credential:metrics\"\n");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->metrics_tls, (TlsFiles{"/etc/m.pem", "/etc/m.key", "/etc/ca.pem"}));
  EXPECT_EQ(config->metrics_token, "credential:metrics");
  const Config plain = read("environment = \"qa\"\n[metrics]\nlisten = \"0.0.0.0:9464\"\n").value();
  EXPECT_EQ(plain.metrics_tls, TlsFiles());
  EXPECT_EQ(plain.metrics_token, "");
  EXPECT_THAT(changed_until_restart(plain, *config), ElementsAre("[metrics]"));
  for (const char* here : {"127.0.0.1:9464", "127.8.9.1:9464", "[::1]:9464", "[::ffff:127.0.0.1]:9464"})
    EXPECT_EQ(complaint(std::string("environment = \"qa\"\n[metrics]\nlisten = \"") + here + "\"\ntoken = \"file:/etc/token\"\n"), "") << here;
}

TEST(Config, WhatProtectsTheMetricsListenerHasToFitTogether) {
  const std::string start = "environment = \"qa\"\n[metrics]\n", certificate = "certificate_file = \"/etc/m.pem\"\n", key = "key_file = \"/etc/m.key\"\n",
                    ca = "client_ca_file = \"/etc/ca.pem\"\n", token = "token = \"file:/etc/token\"\n", anywhere = "listen = \"0.0.0.0:9464\"\n", nowhere = "listen = \"\"\n";
  EXPECT_THAT(complaint(start + certificate), HasSubstr("berthd.toml:3:20: certificate_file and key_file go together"));
  EXPECT_THAT(complaint(start + key), HasSubstr("berthd.toml:3:12: certificate_file and key_file go together"));
  EXPECT_THAT(complaint(start + ca), HasSubstr("berthd.toml:3:18: client_ca_file is for TLS"));
  EXPECT_THAT(complaint(start + "token = \"0123456789abcdef\"\n"), AllOf(HasSubstr("berthd.toml:3:9: "), HasSubstr("no reference to a secret"), Not(HasSubstr("0123456789abcdef"))));
  EXPECT_THAT(complaint(start + certificate + key + "client_crl_file = \"/etc/crl.pem\"\n"), HasSubstr("berthd.toml:5:19: client_crl_file is the lists of what the authorities of client_ca_file revoked"));
  EXPECT_EQ(complaint(start + certificate + key + ca + "client_crl_file = \"/etc/crl.pem\"\n"), "");
  EXPECT_EQ(complaint(start + token), "") << "at loopback";
  EXPECT_THAT(complaint(start + anywhere + token), AllOf(HasSubstr("berthd.toml:4:9: token: "), HasSubstr("0.0.0.0:9464"), HasSubstr("give certificate_file and key_file")));
  for (const char* elsewhere : {"[::]:9464", "10.0.0.1:9464", "[::ffff:10.0.0.1]:9464"})
    EXPECT_THAT(complaint(start + "listen = \"" + elsewhere + "\"\n" + token), HasSubstr("token: whoever looks on")) << elsewhere;
  EXPECT_EQ(complaint(start + anywhere + token + certificate + key), "");
  EXPECT_THAT(complaint(start + nowhere + token), HasSubstr("token is for a listener of metrics"));
  EXPECT_THAT(complaint(start + nowhere + certificate + key), HasSubstr("certificate_file is for a listener of metrics"));
}

TEST(Config, NoMetricsListenerWhereItIsEmpty) {
  EXPECT_FALSE(read("environment = \"qa\"\n[metrics]\nlisten = \"\"").value().metrics);
}

TEST(Config, APolicySaysWhatEachAppMayHaveAndNothingWhereItIsMissing) {
  const auto none = read("environment = \"qa\"");
  EXPECT_FALSE(none->policy.users || none->policy.capabilities || none->policy.secret_folders) << "everything is allowed";
  const auto config = read("environment = \"qa\"\n[policy]\nusers = [\"web:root\", \"*:www-data\"]\ncapabilities = []\nsecret_folders = [\"web:/etc/berth/web/\"]\n");
  ASSERT_TRUE(config) << config.error().message;
  using Rules = std::vector<std::pair<std::string, std::string>>;
  EXPECT_EQ(config->policy.users, (Rules{{"web", "root"}, {"*", "www-data"}}));
  EXPECT_EQ(config->policy.capabilities, Rules{}) << "an empty list allows none";
  EXPECT_EQ(config->policy.secret_folders, (Rules{{"web", "/etc/berth/web"}}));
  EXPECT_THAT(changed_until_restart(*none, *config), ElementsAre("[policy]"));
}

TEST(Config, AMissingFileIsAWrongConfiguration) {
  const files::TemporaryDirectory folder;
  const auto config = load(folder.path() / "berthd.toml");
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().code, Errc::usage);
  EXPECT_THAT(config.error().message, HasSubstr("berthd.toml"));
}

TEST(Config, SaysWhichTablesOnlyARestartTakesOver) {
  const std::string text = "environment = \"qa\"\n[repository]\nurl = \"http://host\"\nroot = \"/r\"\n";
  const Config running = read(text).value();
  const auto changed = [&](const std::string& more) { return changed_until_restart(running, read(text + more).value()); };
  EXPECT_THAT(changed(""), IsEmpty());
  EXPECT_THAT(changed("[metrics]\npage = true\n"), ElementsAre("[metrics]"));
  EXPECT_THAT(changed("[log]\nlevel = \"debug\"\n"), IsEmpty()) << "that one is taken at once";
  EXPECT_THAT(changed("mirrors = [\"http://other\"]\n"), ElementsAre("[repository]"));
  EXPECT_THAT(changed("[[follow]]\napp = \"web\"\nchannel = \"stable\"\n[store]\nkeep_releases = 7\n[start]\nat_once = 1\n"), ElementsAre("[[follow]]", "[store]", "[start]"));
  EXPECT_THAT(changed("[labels]\nrack = \"7\"\n[metrics]\nlisten = \"\"\n[api]\ngroup = \"\"\n[paths]\nrun = \"/run/b\"\n[secrets]\ncommands = [\"/bin/x\"]\n[keepers]\norphans = \"restart\"\n"),
              ElementsAre("[labels]", "[paths]", "[metrics]", "[api]", "[secrets]", "[keepers]"));
  EXPECT_THAT(changed_until_restart(running, read("node = \"other\"\n" + text).value()), ElementsAre("node"));
}

TEST(Config, CheckLooksForTheFilesItNames) {
  const files::TemporaryDirectory folder;
  const auto root = folder.path() / "root.json";
  const auto config = read("environment = \"qa\"\n[repository]\nurl = \"http://host\"\nroot = \"" + root.string() + "\"\n");
  ASSERT_TRUE(config) << config.error().message;
  const auto missing = check_files(*config);
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().message, HasSubstr(root.string()));
  std::ofstream(root) << "{}";
  EXPECT_TRUE(check_files(*config));
}

}  // namespace
}  // namespace berth::config
