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
  const struct {
    const std::string& toml;
    const char *from, *to, *complaint;
  } rows[] = {
      {rolling, R"("max_surge":"25%",)", "", "spec: deploy: member 'max_surge' is missing"},
      {rolling, R"("max_surge":"25%")", R"("max_surge":"025%")", "not in its shortest form"},
      {rolling, R"("max_surge":"25%")", R"("max_surge":25)", "member 'max_surge'"},
      {rolling, R"("strategy":"rolling")", R"("strategy":"blue-green")", "is not known"},
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
