#include <csignal>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/spec/spec_fixture.h"

namespace berth::spec {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

TEST(ParseToml, ReadsEverything) {
  const AppSpec spec = parsed(kWhole);
  EXPECT_EQ(spec.app, "web");
  EXPECT_EQ(spec.user, "www-data");
  EXPECT_TRUE(spec.writable_home);
  ASSERT_EQ(spec.processes.size(), 3u);

  const Process& web = spec.processes.at("web");
  EXPECT_THAT(web.command, ElementsAre("bin/server", "--port", "${PORT}", "--greeting", "${GREETING}"));
  EXPECT_EQ(web.routing, Routing::port);
  EXPECT_EQ(web.public_port, 8080);
  EXPECT_EQ(web.instances, 2);
  EXPECT_EQ(web.stop, (Stop{.signal = SIGQUIT, .grace = 5s}));
  EXPECT_EQ(web.restart, Restart::on_failure);
  EXPECT_EQ(web.directory, "server");
  EXPECT_EQ(web.startup, (Probe{.kind = ProbeKind::exec, .command = {"bin/is-up", "--quietly"}, .failure_threshold = 30}));
  EXPECT_EQ(web.readiness, (Probe{.kind = ProbeKind::http,
                                  .path = "/healthz?deep=1",
                                  .headers = {{"Host", "example.org"}},
                                  .lowest = 200,
                                  .highest = 204,
                                  .initial_delay = 100ms,
                                  .period = 200ms,
                                  .timeout = 2s,
                                  .success_threshold = 2,
                                  .failure_threshold = 4}));
  EXPECT_EQ(web.liveness, (Probe{.kind = ProbeKind::tcp}));

  const Process& nginx = spec.processes.at("nginx");
  EXPECT_EQ(nginx.routing, Routing::socket);
  EXPECT_EQ(nginx.public_port, 8443);
  EXPECT_EQ(nginx.readiness, (Probe{.by_tls = true}));
  EXPECT_EQ(nginx.liveness, (Probe{.kind = ProbeKind::grpc, .service = "db.Store"}));
  EXPECT_EQ(nginx.listen_env, (std::map<std::string, std::string>{{"NGINX", "${FD_http};"}}));
  const Process& worker = spec.processes.at("worker");
  EXPECT_EQ(worker.instances, 0);
  EXPECT_EQ(worker.readiness, (Probe{.kind = ProbeKind::notify}));
  EXPECT_EQ(std::tuple(is_notified(worker), watchdog_of(worker), is_notified(web)), std::tuple(true, std::optional<milliseconds>(), false));
  EXPECT_EQ(watchdog_of({.liveness = Probe{.kind = ProbeKind::notify, .period = 2s}}), 6s);

  EXPECT_EQ(spec.deploy, (Deploy{.strategy = Strategy::recreate, .bake = {.duration = 1min}, .ready_timeout = 90s, .drain = 0s}));
  EXPECT_EQ(spec.variables.at("GREETING"), (Variable{.required = true, .description = "What to say"}));
  EXPECT_EQ(spec.variables.at("TOKEN"), (Variable{.secret = true}));
  EXPECT_EQ(spec.variables.at("LEVEL"), (Variable{.preset = "info"}));
  EXPECT_EQ(spec.logs, (LogRules{.segment_bytes = 1'000'000, .keep_bytes = 4'000'000, .segment_age = std::chrono::hours(24)}));
  ASSERT_EQ(spec.hooks.size(), 3u);
  EXPECT_EQ(spec.hooks.at("pre-start"), (Hook{.command = {"bin/migrate", "--level", "${LEVEL}"}}));
  EXPECT_EQ(spec.hooks.at("ready-to-switch"), (Hook{.command = {"bin/may-i"}, .timeout = 10s, .retry = 5s, .give_up = 10min}));
  EXPECT_EQ(spec.hooks.at("on-revert"), (Hook{.command = {"bin/undo"}, .timeout = 2min}));
  EXPECT_EQ(spec.data, (DataRules{.snapshot = true, .max_bytes = 2'000'000'000}));
}

TEST(ParseToml, TakesASnapshotByAWordToo) {
  const std::string recreate = std::string(kLeast) + "[deploy]\nstrategy = \"recreate\"\n";
  EXPECT_EQ(parsed(recreate + "[data]\nsnapshot = true\n").data, (DataRules{.snapshot = true}));
  EXPECT_EQ(parsed(recreate + "[data]\nsnapshot = false\n").data, DataRules());
  EXPECT_EQ(parsed(recreate + "[data.snapshot]\n").data, (DataRules{.snapshot = true}));
}

TEST(ParseToml, HasDefaultsForWhatIsNotSaid) {
  AppSpec expected;
  expected.app = "web";
  expected.processes["web"].command = {"bin/server"};
  EXPECT_EQ(parsed(kLeast), expected);
  EXPECT_EQ(expected.strategy(), Strategy::blue_green);
}

/// The whole complaint, so that a change of its wording is seen.
TEST(ParseToml, ComplainsWithThePlaceAndTheNearestKey) {
  const std::pair<const char*, const char*> kCases[] = {
      {"app = \"web\"\n[process.web]\ncomand = [\"x\"]\n",
       "berth.toml:2:1: 'command' in [process.web] is missing\nberth.toml:3:1: unknown key 'comand' in [process.web] (did you mean 'command'?)"},
      {"app = \"web\"\n[proces.web]\n", "unknown key 'proces' at the top (did you mean 'process'?)"},
      {"app = \"web\"\n[process.web]\ncommand = [\"x\"]\nuser = \"www\"\n", "berth.toml:4:1: unknown key 'user' in [process.web]; it belongs to the top of the file, before the first [table]"},
      {"app = \"web\"\ncolour = 1\n[process.web]\ncommand = [\"x\"]\n", "berth.toml:2:1: unknown key 'colour' at the top"},
      {"app = \"web\"\n[process.web]\ncommand = [\"x\"]\nport = 8080\n[process.web.readiness]\n  htpp = \"/\"\n",
       "berth.toml:6:3: unknown key 'htpp' in [process.web.readiness] (did you mean 'http'?)"},
      {"app = \"web\"\n[process.web]\ncommand = [\"x\"]\nstop = { signal = \"TERM\", grac = \"1s\" }\n",
       "berth.toml:4:27: unknown key 'grac' in [process.web.stop] (did you mean 'grace'?)"},
      {"app = \"web\n", "berth.toml:1:"},
      {"app = \"web\"\napp = \"web\"\n", "berth.toml:2:"},
      {"", "'app' is missing"}};
  for (const auto& [text, expected] : kCases) {
    const auto spec = parse_toml(text, "berth.toml");
    ASSERT_FALSE(spec) << text;
    EXPECT_EQ(spec.error().code, Errc::usage);
    EXPECT_THAT(spec.error().message, HasSubstr(expected)) << text;
  }
}

/// Each replaces one line of the whole example; the complaint must name that place or the key.
TEST(ParseToml, RefusesValuesOfTheWrongKind) {
  const struct {
    const char *from, *to, *complaint;
  } kCases[] = {
      {"app = \"web\"", "app = 1", "berth.toml:1:7: 'app' must be text in quotes"},
      {"writable_home = true", "writable_home = 1", "berth.toml:3:17: 'writable_home' must be true or false"},
      {"instances = 2", "instances = \"2\"", "berth.toml:8:13: 'instances' in [process.web] must be a number from 0 to 256"},
      {"instances = 2", "instances = -1", "must be a number from 0 to 256"},
      {"instances = 2", "instances = 2.0", "must be a number"},
      {"port = 8080", "port = 0", "'port' in [process.web] must be a number from 1 to 65535"},
      {"port = 8080", "port = 65536", "must be a number from 1 to 65535"},
      {"port = 8080", "port = 8080\nsocket = 8080", "'socket' in [process.web] makes no sense beside 'port'"},
      {"command = [\"bin/server\", \"--port\", \"${PORT}\", \"--greeting\", \"${GREETING}\"]", "command = \"bin/server\"", "must be a list of texts"},
      {"command = [\"bin/worker\"]", "command = [\"bin/worker\", 1]", "'command' in [process.worker] must be a list of texts"},
      {"signal = \"QUIT\"", "signal = \"QUTI\"", "'signal' in [process.web.stop] is wrong: 'QUTI' is no signal"},
      {"grace = \"5s\"", "grace = 5", "'grace' in [process.web.stop] must be a duration in quotes"},
      {"grace = \"5s\"", "grace = \"5\"", "'5' is no duration"},
      {"\"on-failure\"", "\"sometimes\"", "is \"sometimes\", and must be \"always\" or \"on-failure\" or \"never\""},
      {"strategy = \"recreate\"", "strategy = \"green\"", "must be \"blue-green\" or \"recreate\" or \"rolling\" or \"canary\""},
      {"status = \"200-204\"", "status = \"2xx\"", "'2xx' names no HTTP statuses"},
      {"tcp = true", "tcp = false", "must be true"},
      {"tcp = true", "tcp = true\nhttp = \"/\"", "'http' in [process.web.liveness] is not the only one: a probe has one of http"},
      {"tcp = true", "period = \"1s\"", "[process.web.liveness] names no probe: it has one of http"},
      {"tcp = true", "tcp = true\nstatus = \"200\"", "goes with an http probe only"},
      {"tcp = true", "tcp = true\nscheme = \"https\"", "'scheme' in [process.web.liveness] goes with an http probe only"},
      {"scheme = \"https\"", "scheme = \"ftp\"", "'scheme' in [process.nginx.readiness] is \"ftp\", and must be \"http\" or \"https\""},
      {"segment_bytes = \"1MB\"", "segment_bytes = \"1M\"", "'1M' is no size"},
      {"[env.LEVEL]\ndefault = \"info\"", "[env]\nLEVEL = \"info\"", "'LEVEL' in [env] must be a table"},
      {"[deploy]", "[[deploy]]", "'deploy' must be a table"}};
  for (const auto& [from, to, complaint] : kCases) {
    const auto spec = parse_toml(replaced(kWhole, from, to), "berth.toml");
    ASSERT_FALSE(spec) << to;
    EXPECT_EQ(spec.error().code, Errc::usage) << to;
    EXPECT_THAT(spec.error().message, HasSubstr(complaint)) << to;
  }
}

TEST(ParseToml, TellsEverythingThatIsWrongInTheOrderOfPlacesTenAtMost) {
  std::string text = kLeast;
  for (int i = 0; i < 12; ++i) text += "wrong" + std::to_string(i) + " = 1\n";
  const auto spec = parse_toml(text, "berth.toml");
  ASSERT_FALSE(spec);
  EXPECT_THAT(spec.error().message, StartsWith("berth.toml:4:1: unknown key 'wrong0'"));
  EXPECT_THAT(spec.error().message, HasSubstr("\nberth.toml:13:1: unknown key 'wrong9'"));
  EXPECT_THAT(spec.error().message, HasSubstr("\nand 2 more"));
}

TEST(ParseToml, RefusesFilesThatAreTooLong) {
  EXPECT_FALSE(parse_toml(std::string(kLeast) + std::string(2u << 20, '\n'), "berth.toml"));
}

TEST(ParseToml, SaysWhereATablesNameBeginsWrongly) {
  for (const char* header : {"[^env]", "[{{x]", "[[^env]]"}) {
    const auto spec = parse_toml(std::string(kLeast) + header + "\n", "berth.toml");
    ASSERT_FALSE(spec) << header;
    EXPECT_THAT(spec.error().message, StartsWith("berth.toml:4:")) << header;
  }
}

TEST(ParseToml, TakesOtherLettersInQuotesAndCommentsOnly) {
  // U+00DC, U+020A and U+3002 are among those that toml++ must not see where it looks for keys and spaces.
  for (const std::string letter : {"\u00dc", "\u020a", "\u3002", "\u4e2d"}) {
    for (const std::string& good : {"# " + letter, "[env.A]\ndefault = \"" + letter + "\"", "[env.A]\ndefault = '" + letter + "'",
                                    "[env.A]\ndefault = \"\"\"\n\\\"" + letter + "\"\"\"", "[env.A]\ndefault = '''\n#\\" + letter + "'''"}) {
      const auto spec = parse_toml(kLeast + good + "\n", "berth.toml");
      EXPECT_TRUE(spec) << good << ": " << spec.error().message;
    }
    const std::pair<std::string, std::string> bad[] = {{letter + " = 1", "4:1"},
                                                       {"[env.A]\nA = " + letter, "5:5"},
                                                       {"[env.A]\nA =" + letter, "5:4"},
                                                       {"[env.A]\nA = x\"y\"" + letter, "5:9"},
                                                       {"[env.A]\nA = '" + letter + "'" + letter, "5:8"},
                                                       {"[env.A]\nA = \"\\" + letter + "\"", "5:7"},
                                                       {"[env.A]\nA = \"\"\"\\ \n " + letter + "\"\"\"", "6:2"}};
    for (const auto& [lines, place] : bad) {
      const auto spec = parse_toml(kLeast + lines + "\n", "berth.toml");
      ASSERT_FALSE(spec) << lines;
      EXPECT_THAT(spec.error().message, StartsWith("berth.toml:" + place + ": a character that is not ASCII")) << lines;
    }
  }
}

TEST(ParseToml, NamesAByteOrderMarkWhichNobodySees) {
  const auto spec = parse_toml("\xef\xbb\xbf" + std::string(kLeast), "berth.toml");
  ASSERT_FALSE(spec);
  EXPECT_EQ(spec.error().message, "berth.toml:1:1: begins with a byte order mark, which is not seen: save the file as UTF-8 without one");
}

TEST(ParseToml, TakesNoQuotesForThoseOfATextWhereAValueIsNone) {
  const auto place = [](const std::string& line) {
    const auto spec = parse_toml(std::string(kLeast) + line + "\n", "berth.toml");
    return spec ? std::string("it is right") : spec.error().message.substr(0, spec.error().message.find(' '));
  };
  // toml++ reads on behind what begins as a number, and U+FDFB is one of those it must not see there.
  EXPECT_EQ(place("apd =-[\"n[ct1\ufdfbress/s2\"]"), "berth.toml:4:6:");
  EXPECT_EQ(place("a = \"\u00e9\u00e8\" x"), "berth.toml:4:10:") << "columns are those of the file";
  EXPECT_EQ(place("[labels]\n\"gr\u00f6\u00dfe\" = 1\n\"gr\u00fc\u00dfe\" = x"), "berth.toml:6:11:") << "other letters are other keys";
}

TEST(ParseToml, SaysThatATextStandsInQuotes) {
  EXPECT_NE(parse_toml("app = web", "berth.toml").error().message.find("(a text stands in quotes: \"…\")"), std::string::npos);
  EXPECT_EQ(parse_toml("app = \"web", "berth.toml").error().message.find("stands in quotes"), std::string::npos);
}

TEST(ParseToml, SaysWhatIsNotClosed) {
  const std::pair<const char*, const char*> without_end[] = {
      {"app = \"web\nx = 1\n", "berth.toml:1:11: the text is not closed on this line: its last quote is missing"},
      {"app = \"wéb\nx = 1\n", "berth.toml:1:10: the text is not closed on this line: its last quote is missing"},
      {"x = 'web\n", "berth.toml:1:9: the text is not closed on this line: its last quote is missing"},
      {"x = \"web", "berth.toml:1:9: the text is not closed: its last quote is missing"},
      {"x = \"\"\"web\n", "berth.toml:1:12: the text is not closed: its last quote is missing"},
      {"x = [\"a\",\n", "berth.toml:1:11: the list is not closed: its ']' is missing"},
  };
  for (const auto& [text, said] : without_end) EXPECT_EQ(parse_toml(text, "berth.toml").error().message, said) << text;
}

TEST(ParseToml, RefusesNestingWithoutEnd) {
  EXPECT_FALSE(parse_toml("app = " + std::string(100'000, '['), "berth.toml"));
}

TEST(ParseToml, TakesFromTheDefaultsWhatItDoesNotSay) {
  Defaults defaults;
  defaults.process = {.command = {"/bin/web"}, .routing = Routing::port, .public_port = 80, .stop = {.signal = 3}, .directory = "srv", .root = Root::image};
  defaults.variables["LEVEL"].preset = "info";
  const auto read = [&](const std::string& text) { return parse_toml("app = \"web\"\n" + text, "berth.toml", defaults); };

  const auto nothing = read("");
  ASSERT_TRUE(nothing) << nothing.error().message;
  EXPECT_EQ(nothing->processes.at("web"), defaults.process);
  EXPECT_EQ(nothing->variables, defaults.variables);

  const auto some = read("[process.main]\nsocket = 90\nstop = { grace = \"1s\" }\n[process.own]\ncommand = [\"x\"]\n[env.LEVEL]\ndefault = \"debug\"\n");
  ASSERT_TRUE(some) << some.error().message;
  const Process& own = some->processes.at("own");
  const Process& changed = some->processes.at("main");
  EXPECT_FALSE(some->processes.contains("web"));
  EXPECT_EQ(std::tuple(changed.routing, changed.public_port, changed.stop.signal, changed.stop.grace), std::tuple(Routing::socket, 90, 3, milliseconds(1000)));
  EXPECT_EQ(own, (Process{.command = {"x"}, .directory = "srv", .root = Root::image}));
  EXPECT_EQ(some->variables.at("LEVEL").preset, "debug");

  EXPECT_FALSE(read("[process.a]\n[process.b]\n"));
  const auto jail = read("[process.a]\nroot = \"jail\"\n");
  ASSERT_FALSE(jail);
  EXPECT_NE(jail.error().message.find("berth.toml:3:8: 'root' in [process.a] is \"jail\", and must be \"node\" or \"image\""), std::string::npos) << jail.error().message;
}

}  // namespace
}  // namespace berth::spec
