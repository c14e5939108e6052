#include "core/spec/limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/spec/spec_fixture.h"

namespace berth::spec {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(Memory, IsReadAsSystemdReadsItAndAsBerthDoesElsewhere) {
  const std::pair<const char*, std::uint64_t> kCases[] = {{"512M", 512u << 20}, {"1K", 1024},           {"2G", std::uint64_t{2} << 30},
                                                          {"1T", std::uint64_t{1} << 40}, {"512MiB", 512u << 20}, {"500MB", 500'000'000}};
  for (const auto& [text, bytes] : kCases) EXPECT_EQ(parse_memory(text), bytes) << text;
  for (const char* text : {"", "M", "512", "512m", "512 M", "1.5G", "-1M", "50%", "infinity", "1025T", "99999999999999999999M", "1P"}) EXPECT_FALSE(parse_memory(text)) << text;
}

TEST(Quota, IsPercentsOfACpu) {
  EXPECT_EQ(parse_quota("1%"), 1);
  EXPECT_EQ(parse_quota("150%"), 150);
  EXPECT_EQ(parse_quota(quota_text(100'000)), 100'000);
  for (const char* text : {"", "%", "0%", "-5%", "50", "50 %", "1.5%", "100001%", "50%%"}) EXPECT_FALSE(parse_quota(text)) << text;
}

TEST(Limits, AreWrittenToTheFilesOfACgroup) {
  EXPECT_THAT(cgroup_values({}), IsEmpty());
  const Limits limits{.memory_max = 512u << 20, .memory_high = 256u << 20, .memory_swap_max = 0, .cpu_quota = 150, .cpu_weight = 50, .io_weight = 10, .tasks_max = 64};
  using Value = CgroupValue;
  EXPECT_THAT(cgroup_values(limits),
              ElementsAre(Value{"MemoryHigh", "memory.high", "268435456"}, Value{"MemorySwapMax", "memory.swap.max", "0"}, Value{"MemoryMax", "memory.max", "536870912"},
                          Value{"", "memory.oom.group", "1"}, Value{"CPUQuota", "cpu.max", "150000 100000"}, Value{"CPUWeight", "cpu.weight", "50"},
                          Value{"IOWeight", "io.weight", "10"}, Value{"TasksMax", "pids.max", "64"}));
  EXPECT_THAT(cgroup_values({.cpu_quota = 1}), ElementsAre(Value{"CPUQuota", "cpu.max", "1000 100000"}));
}

TEST(Limits, OfAProcessAreReadFromToml) {
  const AppSpec spec = parsed(kWhole);
  EXPECT_EQ(spec.processes.at("worker").limits,
            (Limits{.memory_max = 512u << 20, .memory_high = 400u << 20, .memory_swap_max = 0, .cpu_quota = 150, .cpu_weight = 50, .io_weight = 20, .tasks_max = 64}));
  EXPECT_FALSE(spec.processes.at("web").limits.any());
}

TEST(Limits, ThatAreWrongAreToldWithTheirPlace) {
  const std::pair<const char*, const char*> kCases[] = {
      {"MemoryMax = \"512\"", "berth.toml:5:13: 'MemoryMax' in [process.web.limits] is wrong: '512' is no amount of memory: write a whole number and K, M, G or T"},
      {"MemoryMax = 512", "'MemoryMax' in [process.web.limits] must be from 1M to 1024T; a number without a unit is bytes"},
      {"MemoryMax = true", "'MemoryMax' in [process.web.limits] must be text in quotes"},
      {"MemoryMax = \"1G\"\nMemoryHigh = \"2G\"", "berth.toml:6:14: 'MemoryHigh' in [process.web.limits] must not be over 'MemoryMax'"},
      {"CPUQuota = 50", "'CPUQuota' in [process.web.limits] must be text in quotes"},
      {"CPUQuota = \"50\"", "'50' is no share of CPUs: write percents of one, such as 50% or 150%"},
      {"CPUWeight = 0", "'CPUWeight' in [process.web.limits] must be a number from 1 to 10000"},
      {"IOWeight = 10001", "'IOWeight' in [process.web.limits] must be a number from 1 to 10000"},
      {"TasksMax = 0", "'TasksMax' in [process.web.limits] must be a number from 1 to 4194304"},
      {"MemoryMx = \"1G\"", "unknown key 'MemoryMx' in [process.web.limits] (did you mean 'MemoryMax'?)"}};
  for (const auto& [lines, complaint] : kCases) {
    const auto spec = parse_toml(std::string(kLeast) + "[process.web.limits]\n" + lines + "\n", "berth.toml");
    ASSERT_FALSE(spec) << lines;
    EXPECT_EQ(spec.error().code, Errc::usage);
    EXPECT_THAT(spec.error().message, HasSubstr(complaint)) << lines;
  }
}

}  // namespace
}  // namespace berth::spec
