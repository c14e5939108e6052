#include "daemon/deploy/own_limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace berth::deploy {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr std::uint64_t kInfinity = ResourceLimit::kInfinity;

spec::Limits wants(int resource, std::uint64_t soft, std::uint64_t hard) { return {.resources = {{resource, {soft, hard}}}}; }

std::string refusal(const OwnLimits& own, const spec::Limits& limits) {
  const auto checked = check_limits(own, limits);
  return checked ? std::string() : checked.error().message;
}

TEST(OwnLimits, NobodyHasMoreFilesThanTheKernelGives) {
  const OwnLimits root{.most_files = 1'048'576, .resources = {{RLIMIT_NOFILE, {1024, 4096}}}};
  EXPECT_EQ(refusal(root, wants(RLIMIT_NOFILE, 64, 1'048'576)), "");
  EXPECT_EQ(refusal(root, wants(RLIMIT_FSIZE, kInfinity, kInfinity)), "") << "fs.nr_open is about files";
  EXPECT_THAT(refusal(root, wants(RLIMIT_NOFILE, 64, 1'048'577)),
              AllOf(HasSubstr("LimitNOFILE of its limits says 1048577"), HasSubstr("no process have more than 1048576 (fs.nr_open)"), HasSubstr("raise fs.nr_open by sysctl")));
  EXPECT_THAT(refusal(root, wants(RLIMIT_NOFILE, kInfinity, kInfinity)), HasSubstr("says \"infinity\""));
}

TEST(OwnLimits, WithoutTheCapabilityItsOwnHardLimitIsTheMost) {
  const OwnLimits contained{.most_files = 1'048'576, .resources = {{RLIMIT_NOFILE, {1024, 4096}}, {RLIMIT_CORE, {0, kInfinity}}}, .may_raise = false};
  EXPECT_EQ(refusal(contained, wants(RLIMIT_NOFILE, 4096, 4096)), "");
  EXPECT_EQ(refusal(contained, wants(RLIMIT_CORE, kInfinity, kInfinity)), "");
  EXPECT_THAT(refusal(contained, wants(RLIMIT_NOFILE, 64, 65535)),
              AllOf(HasSubstr("LimitNOFILE of its limits says 65535"), HasSubstr("lacks CAP_SYS_RESOURCE"), HasSubstr("its own hard limit, 4096"), HasSubstr("a higher LimitNOFILE")));
}

TEST(OwnLimits, AreThoseOfThisProcess) {
  rlimit files{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &files), 0);
  const OwnLimits own = read_own_limits();
  EXPECT_EQ(own.resources.at(RLIMIT_NOFILE), (ResourceLimit{files.rlim_cur, files.rlim_max}));
  EXPECT_GE(own.most_files, files.rlim_max);
  EXPECT_EQ(refusal(own, wants(RLIMIT_NOFILE, files.rlim_max, files.rlim_max)), "");
}

}  // namespace
}  // namespace berth::deploy
