#include "core/spec/resource_words.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "core/spec/spec_fixture.h"

namespace berth::spec {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::uint64_t kInfinity = ResourceLimit::kInfinity;

ResourceWord word(std::string_view name) { return *std::ranges::find(resource_words(), name, &ResourceWord::word); }

TEST(ResourceLimits, AreReadAsSystemdReadsThem) {
  const struct {
    const char *word, *text;
    ResourceLimit limit;
    const char* written;
  } table[] = {{"LimitNOFILE", "4096", {4096, 4096}, "4096"},
               {"LimitNOFILE", "1024:524288", {1024, 524288}, "1024:524288"},
               {"LimitNOFILE", "infinity", {kInfinity, kInfinity}, "infinity"},
               {"LimitNOFILE", "7:7", {7, 7}, "7"},
               {"LimitNPROC", "64:infinity", {64, kInfinity}, "64:infinity"},
               {"LimitCORE", "0", {0, 0}, "0"},
               {"LimitCORE", "0:infinity", {0, kInfinity}, "0:infinity"},
               {"LimitFSIZE", "1G:2GiB", {1u << 30, std::uint64_t{2} << 30}, "1073741824:2147483648"},
               {"LimitMEMLOCK", "64K", {65536, 65536}, "65536"},
               {"LimitAS", "500MB", {500'000'000, 500'000'000}, "500000000"},
               {"LimitSTACK", "8M:infinity", {8u << 20, kInfinity}, "8388608:infinity"},
               {"LimitCPU", "10m:3600", {600, 3600}, "600:3600"}};
  for (const auto& row : table) {
    const auto limit = parse_resource(word(row.word), row.text);
    ASSERT_TRUE(limit) << row.text << ": " << limit.error().message;
    EXPECT_EQ(*limit, row.limit) << row.text;
    EXPECT_EQ(resource_text(*limit), row.written);
    EXPECT_EQ(parse_resource(word(row.word), row.written), row.limit) << row.written;
  }
}

TEST(ResourceLimits, ThatAreNoneAreRefused) {
  for (const char* text : {"", ":", "1:", ":1", "1:2:3", "-1", "many", "1K", "10s", "Infinity", "1 : 2", "1125899906842625", "99999999999999999999"})
    EXPECT_FALSE(parse_resource(word("LimitNOFILE"), text)) << text;
  for (const char* text : {"1500ms", "1M", "-5s"}) EXPECT_FALSE(parse_resource(word("LimitCPU"), text)) << text;
  for (const char* text : {"2:1", "infinity:1"})
    EXPECT_THAT(parse_resource(word("LimitNOFILE"), text).error().message, HasSubstr("has a soft limit over its hard one")) << text;
}

/// kLeast with limits that a process can have beside those of a cgroup.
constexpr const char* kLimited = R"(app = "web"
[process.web]
command = ["bin/server"]
[process.web.limits]
LimitNOFILE = 65536
LimitCORE = "0:infinity"
LimitCPU = "1h"
Nice = -5
OOMScoreAdjust = 300
[process.web.sandbox]
SupplementaryGroups = ["video", "render"]
)";

TEST(ResourceLimits, OfAProcessAreReadAndWrittenAsTheyWereMeant) {
  const AppSpec spec = parsed(kLimited);
  const Process& web = spec.processes.at("web");
  EXPECT_EQ(web.limits.resources, (ResourceLimits{{RLIMIT_NOFILE, {65536, 65536}}, {RLIMIT_CORE, {0, kInfinity}}, {RLIMIT_CPU, {3600, 3600}}}));
  EXPECT_EQ(web.limits.nice, -5);
  EXPECT_EQ(web.limits.oom_score_adjust, 300);
  EXPECT_THAT(web.sandbox.supplementary_groups, ElementsAre("video", "render"));
  EXPECT_THAT(cgroup_values(web.limits), IsEmpty()) << "they are of no cgroup";
  const auto json = to_json(spec);
  EXPECT_THAT(boost::json::serialize(json), HasSubstr(R"("limits":{"LimitCPU":"3600","LimitCORE":"0:infinity","LimitNOFILE":"65536","Nice":-5,"OOMScoreAdjust":300})"));
  const auto again = from_json(json);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(*again, spec);
}

TEST(ResourceLimits, ThatAreWrongAreToldWithTheirPlace) {
  const std::pair<const char*, const char*> kCases[] = {
      {"LimitNOFILE = \"many\"", "berth.toml:5:15: 'LimitNOFILE' in [process.web.limits] is wrong: 'many' is no limit: write a whole number, \"infinity\", or two of them as \"soft:hard\""},
      {"TasksMax = 5\nLimitCORE = \"2:1\"", "berth.toml:6:13: 'LimitCORE' in [process.web.limits] is wrong: '2:1' has a soft limit over its hard one"},
      {"LimitAS = \"64 M\"", "'64 M' is no limit: write a number of bytes such as 64M"},
      {"LimitCPU = \"1500ms\"", "write a whole number of seconds such as 60 or 10m"},
      {"LimitNPROC = -1", "'LimitNPROC' in [process.web.limits] must be a number from 0 to 1125899906842624"},
      {"LimitNPROC = true", "'LimitNPROC' in [process.web.limits] must be text in quotes"},
      {"Nice = 20", "berth.toml:5:8: 'Nice' in [process.web.limits] must be a number from -20 to 19"},
      {"Nice = \"5\"", "'Nice' in [process.web.limits] must be a number from -20 to 19"},
      {"OOMScoreAdjust = -1001", "'OOMScoreAdjust' in [process.web.limits] must be a number from -1000 to 1000"},
      {"LimitNOFILES = 5", "unknown key 'LimitNOFILES' in [process.web.limits] (did you mean 'LimitNOFILE'?)"},
      {"OOMScoreAdj = 5", "unknown key 'OOMScoreAdj' in [process.web.limits] (did you mean 'OOMScoreAdjust'?)"},
      {"[process.web.sandbox]\nSupplementaryGroups = [\"two words\"]", "berth.toml:6:23: 'SupplementaryGroups' in [process.web.sandbox] has 'two words', which is no group's name"},
      {"[process.web.sandbox]\nSupplementaryGroup = [\"x\"]", "unknown key 'SupplementaryGroup' in [process.web.sandbox] (did you mean 'SupplementaryGroups'?)"}};
  for (const auto& [lines, complaint] : kCases) {
    const auto spec = parse_toml(std::string(kLeast) + "[process.web.limits]\n" + lines + "\n", "berth.toml");
    ASSERT_FALSE(spec) << lines;
    EXPECT_EQ(spec.error().code, Errc::usage);
    EXPECT_THAT(spec.error().message, HasSubstr(complaint)) << lines;
  }
}

TEST(ResourceLimits, OfAManifestAreInTheirOnlyForm) {
  const std::string json = boost::json::serialize(to_json(parsed(kLimited)));
  const std::pair<const char*, const char*> kCases[] = {{R"("LimitNOFILE":"65536")", R"("LimitNOFILE":"65536:65536")"}, {R"("LimitNOFILE":"65536")", R"("LimitNOFILE":"64K")"},
                                                        {R"("LimitCPU":"3600")", R"("LimitCPU":"1h")"},                 {R"("LimitCORE":"0:infinity")", R"("LimitCORE":0)"},
                                                        {R"("LimitNOFILE":"65536")", R"("LimitNOFILE":"065536")"},      {R"("Nice":-5)", R"("Nice":-21)"},
                                                        {R"("OOMScoreAdjust":300)", R"("OOMScoreAdjust":1001)"},        {R"(["video","render"])", R"(["video","Render"])"}};
  for (const auto& [from, to] : kCases) {
    const auto spec = from_json(boost::json::parse(replaced(json, from, to)));
    ASSERT_FALSE(spec) << to;
    EXPECT_EQ(spec.error().code, Errc::trust) << to;
  }
}

TEST(ResourceLimits, OfHooksAreThoseThatAllProcessesHaveAlike) {
  AppSpec spec = parsed(kLimited);
  EXPECT_EQ(limits_of_hooks(spec), spec.processes["web"].limits);
  EXPECT_THAT(groups_of_hooks(spec), ElementsAre("video", "render"));
  spec.processes["web"].limits.memory_max = 1u << 30;
  spec.processes["worker"].limits = {.resources = {{RLIMIT_NOFILE, {65536, 65536}}, {RLIMIT_CORE, {1, 1}}}, .nice = -5, .oom_score_adjust = 200};
  spec.processes["worker"].sandbox.supplementary_groups = {"render", "audio"};
  EXPECT_EQ(limits_of_hooks(spec), (Limits{.resources = {{RLIMIT_NOFILE, {65536, 65536}}}, .nice = -5}));
  EXPECT_THAT(groups_of_hooks(spec), ElementsAre("render"));
  spec.processes["idle"];
  EXPECT_FALSE(limits_of_hooks(spec).any());
  EXPECT_THAT(groups_of_hooks(spec), IsEmpty());
}

}  // namespace
}  // namespace berth::spec
