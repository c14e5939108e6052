#include "core/spec/deploy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/json/json.h"
#include "core/spec/spec_fixture.h"

namespace berth::spec {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

Deploy deploy_of(const std::string& lines) { return parsed(std::string(kLeast) + "[deploy]\n" + lines).deploy; }

const std::string kWithPort = std::string(kLeast) + "port = 8080\n";

Deploy deploy_of_web(const std::string& lines) { return parsed(kWithPort + "[deploy]\n" + lines).deploy; }

std::string complaint_of(const std::string& lines) {
  const auto spec = parse_toml(std::string(kLeast) + "[deploy]\n" + lines, "berth.toml");
  return spec ? "" : spec.error().message;
}

TEST(Share, RoundsUpWhatMayBeMoreAndDownWhatMayBeMissing) {
  const Share quarter{.number = 25, .percent = true};
  EXPECT_EQ(quarter.of(4, true), 1);
  EXPECT_EQ(quarter.of(5, true), 2);
  EXPECT_EQ(quarter.of(5, false), 1);
  EXPECT_EQ(quarter.of(1, false), 0);
  EXPECT_EQ(quarter.of(0, true), 0);
  EXPECT_EQ((Share{.number = 3, .percent = false}).of(1, false), 3);
}

TEST(Share, IsANumberOrPercents) {
  EXPECT_EQ(*parse_share("2"), (Share{.number = 2, .percent = false}));
  EXPECT_EQ(*parse_share("100%"), (Share{.number = 100, .percent = true}));
  for (const char* text : {"", "%", "-1", "-1%", "101%", "257", "1.5", "a", "1 %", "99999999999"}) EXPECT_FALSE(parse_share(text)) << text;
}

TEST(DeploySpec, SaysHowInstancesAreReplaced) {
  EXPECT_EQ(deploy_of("strategy = \"rolling\"\nmax_unavailable = 0\nmax_surge = \"50%\"\n"),
            (Deploy{.strategy = Strategy::rolling, .max_unavailable = {0, false}, .max_surge = {50, true}}));
  EXPECT_EQ(deploy_of("strategy = \"canary\"\ncanary = { instances = 2, bake = \"5m\" }\n"),
            (Deploy{.strategy = Strategy::canary, .canary = {.instances = 2, .bake = 5min}}));
}

TEST(Rate, IsANumberAndAUnit) {
  EXPECT_DOUBLE_EQ(parse_rate("2")->per_second(), 2);
  EXPECT_DOUBLE_EQ(parse_rate("3/m")->per_second(), 0.05);
  EXPECT_DOUBLE_EQ(parse_rate("36/h")->per_second(), 0.01);
  EXPECT_EQ(to_string(*parse_rate("7")), "7/s");
  for (const char* text : {"", "/s", "-1", "1/d", "1 /s", "1.5", "1/", "1000001", "99999999999"}) EXPECT_FALSE(parse_rate(text)) << text;
}

TEST(DeploySpec, SaysWhatRevertsInABake) {
  const Bake bake = deploy_of_web("bake = { duration = \"5m\", reboots = 2, metric = { query = \"errors_total\", max_rate = 1 },"
                                  " log = { pattern = \"ERROR|FATAL\", max_rate = \"5/m\" } }\n").bake;
  EXPECT_EQ(bake, (Bake{.duration = 5min,
                        .reboots = 2,
                        .metric = BakeMetric{.path = "/metrics", .query = "errors_total", .max_rate = {1, 's'}, .port = {}, .process = {}},
                        .log = BakeLog{.pattern = "ERROR|FATAL", .max_rate = {5, 'm'}}}));
  EXPECT_EQ(deploy_of_web("bake.metric = { path = \"/m\", query = \"e{code=\\\"500\\\"}\", max_rate = \"0/s\", port = \"http\", process = \"web\" }\n").bake.metric,
            (BakeMetric{.path = "/m", .query = "e{code=\"500\"}", .max_rate = {0, 's'}, .port = "http", .process = "web"}));
}

TEST(DeploySpec, ComplainsOfWhatABakeCannotLookAt) {
  const std::pair<const char*, const char*> rows[] = {
      {"bake.reboots = 0\n", "'reboots' in [deploy.bake] must be a number from 1 to 1000"},
      {"bake.metric = { max_rate = 1 }\n", "'query' in [deploy.bake.metric] is missing"},
      {"bake.metric = { query = \"a\" }\n", "'max_rate' in [deploy.bake.metric] is missing"},
      {"bake.metric = { query = \"rate(a)\", max_rate = 1 }\n", "'rate(a)' names no counter: expected nothing more at byte 4"},
      {"bake.metric = { query = \"a\", max_rate = \"5/day\" }\n", "'5/day' is no rate"},
      {"bake.metric = { query = \"a\", max_rate = -1 }\n", "must be a number from 0 to 1000000"},
      {"bake.metric = { query = \"a\", max_rate = 1, path = \"metrics\" }\n", "'path' in [deploy.bake.metric] must be a path"},
      {"bake.metric = { query = \"a\", max_rate = 1, port = \"admin\" }\n", "'port' in [deploy.bake.metric] names 'admin', which is no port of any process"},
      {"bake.metric = { query = \"a\", max_rate = 1, process = \"worker\" }\n", "names 'worker', which is no process"},
      {"bake.log = { pattern = \"(\", max_rate = 1 }\n", "'pattern' in [deploy.bake.log] is wrong: regular expression '('"},
      {"bake.log = { pattern = \"\", max_rate = 1 }\n", "must be a regular expression"},
      {"bake.logs = { pattern = \"x\", max_rate = 1 }\n", "(did you mean 'log'?)"},
      {"bake = 30\n", "must be a duration in quotes"},
  };
  for (const auto& [lines, expected] : rows) {
    const auto spec = parse_toml(kWithPort + std::string("[deploy]\n") + lines, "berth.toml");
    ASSERT_FALSE(spec) << lines;
    EXPECT_THAT(spec.error().message, HasSubstr(expected)) << lines;
  }
  EXPECT_THAT(complaint_of("bake.metric = { query = \"a\", max_rate = 1 }\n"), HasSubstr("is asked of a process at its port, and none has one"));
}

TEST(DeploySpec, ComplainsOfWhatMakesNoSense) {
  const std::pair<const char*, const char*> rows[] = {
      {"max_surge = 1\n", "'max_surge' in [deploy] goes with strategy = \"rolling\" or \"canary\" only"},
      {"strategy = \"rolling\"\ncanary = { instances = 1 }\n", "'canary' in [deploy] goes with strategy = \"canary\" only"},
      {"strategy = \"rolling\"\nmax_surge = 0\nmax_unavailable = \"0%\"\n", "no instance could be replaced"},
      {"strategy = \"rolling\"\nmax_surge = \"200%\"\n", "'200%' is no share of instances"},
      {"strategy = \"rolling\"\nmax_surge = true\n", "'max_surge' in [deploy]"},
      {"strategy = \"rolling\"\nmax_surge = -1\n", "must be a number from 0 to 256"},
      {"strategy = \"canary\"\ncanary = { instances = 0 }\n", "'instances' in [deploy.canary] must be a number from 1 to 256"},
      {"strategy = \"canary\"\ncanary = { instance = 1 }\n", "(did you mean 'instances'?)"},
  };
  for (const auto& [lines, expected] : rows) EXPECT_THAT(complaint_of(lines), HasSubstr(expected)) << lines;
}

TEST(DeploySpec, TheJsonHasWhatTheStrategyHasAndNothingElse) {
  const std::pair<const char*, const char*> rows[] = {
      {"strategy = \"rolling\"\nmax_surge = 2\n",
       R"({"bake":"30s","drain":"30s","max_surge":"2","max_unavailable":"25%","ready_timeout":"1m","strategy":"rolling"})"},
      {"strategy = \"canary\"\n", R"({"bake":"30s","canary":{"bake":"30s","instances":1},"drain":"30s","max_surge":"25%","max_unavailable":"25%",)"
                                  R"("ready_timeout":"1m","strategy":"canary"})"},
      {"bake = { reboots = 5 }\n", R"({"bake":{"duration":"30s","reboots":5},"drain":"30s","ready_timeout":"1m"})"},
      {"bake.log = { pattern = \"E\", max_rate = 2 }\n",
       R"({"bake":{"duration":"30s","log":{"max_rate":"2/s","pattern":"E"},"reboots":3},"drain":"30s","ready_timeout":"1m"})"},
      {"bake = { duration = \"1m\" }\n", R"({"bake":"1m","drain":"30s","ready_timeout":"1m"})"},
      {"strategy = \"blue-green\"\n", R"({"bake":"30s","drain":"30s","ready_timeout":"1m","strategy":"blue-green"})"},
  };
  for (const auto& [lines, expected] : rows) {
    const AppSpec spec = parsed(std::string(kLeast) + "[deploy]\n" + lines);
    const auto json = to_json(spec);
    EXPECT_EQ(*json::canonical(json.at("deploy")), expected);
    const auto again = from_json(json);
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(*again, spec);
  }
}

TEST(DeploySpec, TheJsonIsReadStrictly) {
  const std::string rolling = std::string(kLeast) + "[deploy]\nstrategy = \"rolling\"\n", canary = std::string(kLeast) + "[deploy]\nstrategy = \"canary\"\n";
  const std::string log = std::string(kLeast) + "[deploy]\nbake.log = { pattern = \"E\", max_rate = 2 }\n";
  const struct {
    const std::string& toml;
    const char *from, *to, *complaint;
  } rows[] = {
      {rolling, R"("max_surge":"25%",)", "", "spec: deploy: member 'max_surge' is missing"},
      {rolling, R"("max_surge":"25%")", R"("max_surge":"025%")", "not in its shortest form"},
      {rolling, R"("max_surge":"25%")", R"("max_surge":25)", "member 'max_surge'"},
      {rolling, R"("strategy":"rolling")", R"("strategy":"blue-green")", "is not known"},
      {log, R"("reboots":3)", R"("reboots":0)", "member 'reboots' is 0"},
      {log, R"("max_rate":"2/s")", R"("max_rate":"2")", "member 'max_rate': '2' is no rate, or not in its only form"},
      {log, R"("log":{"max_rate":"2/s","pattern":"E"},)", "", "says no more than its duration"},
      {log, R"("pattern":"E")", R"("pattern":"(")", "'pattern' in [deploy.bake.log] is wrong"},
      {canary, R"("canary":{"bake":"30s","instances":1},)", "", "member 'canary' is missing"},
      {canary, R"("instances":1},"drain")", R"("instances":0},"drain")", "member 'instances' is 0"},
      {canary, R"("canary":{)", R"("canary":{"x":1,)", "spec: deploy.canary: member 'x' is not known"},
  };
  for (const auto& [toml, from, to, complaint] : rows) {
    const auto changed = json::parse(replaced(*json::canonical(to_json(parsed(toml))), from, to));
    ASSERT_TRUE(changed) << to;
    const auto spec = from_json(*changed);
    ASSERT_FALSE(spec) << to;
    EXPECT_THAT(spec.error().message, HasSubstr(complaint)) << to;
  }
}

}  // namespace
}  // namespace berth::spec
