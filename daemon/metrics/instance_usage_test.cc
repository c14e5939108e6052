#include <gtest/gtest.h>

#include <csignal>
#include <fstream>

#include <sys/wait.h>
#include <unistd.h>

#include "daemon/metrics/instance_usage.h"

namespace berth::metrics {
namespace {

TEST(UnifiedCgroup, IsTheLineOfTheUnifiedHierarchy) {
  EXPECT_EQ(unified_cgroup("0::/berth.slice/berth-web.service/app\n"), "/berth.slice/berth-web.service/app");
  EXPECT_EQ(unified_cgroup("2:memory:/x\n0::/y\n"), "/y");
  EXPECT_EQ(unified_cgroup("0::/\n"), "") << "the root is nobody's own";
  EXPECT_EQ(unified_cgroup("2:memory:/x\n"), "");
  EXPECT_EQ(unified_cgroup(""), "");
}

TEST(CounterIn, IsTheNumberAfterTheWholeWord) {
  const std::string text = "anon_thp 7\nanon 4096\nfile_mapped 12\n";
  EXPECT_EQ(counter_in(text, "anon"), 4096u);
  EXPECT_EQ(counter_in(text, "file_mapped"), 12u);
  EXPECT_EQ(counter_in(text, "file"), 0u);
  EXPECT_EQ(counter_in("", "anon"), 0u);
  const std::string io = "8:0 rbytes=4096 wbytes=100 rios=1 wios=2\n8:16 rbytes=1 wbytes=7 rios=1 wios=1\n";
  EXPECT_EQ(sum_in(io, "rbytes"), 4097u);
  EXPECT_EQ(sum_in(io, "wbytes"), 107u);
  EXPECT_EQ(sum_in("", "wbytes"), 0u);
}

/// This process in the keeper's place, with a child as the app that has a child of its own and used some CPU.
class InstanceUsages : public testing::Test {
 protected:
  void SetUp() override {
    int ready[2];
    ASSERT_EQ(::pipe(ready), 0);
    app_ = ::fork();
    if (app_ == 0) {
      if (::fork() == 0) {
        for (;;) ::pause();
      }
      volatile unsigned turns = 0;
      for (const auto end = std::clock() + CLOCKS_PER_SEC / 5; std::clock() < end;) turns = turns + 1;
      [[maybe_unused]] const auto told = ::write(ready[1], "x", 1);
      for (;;) ::pause();
    }
    char byte;
    ASSERT_EQ(::read(ready[0], &byte, 1), 1);
    ::close(ready[0]);
    ::close(ready[1]);
  }
  void TearDown() override {
    std::ifstream children("/proc/" + std::to_string(app_) + "/task/" + std::to_string(app_) + "/children");
    for (pid_t child = 0; children >> child;) ::kill(child, SIGKILL);
    ::kill(app_, SIGKILL);
    ::waitpid(app_, nullptr, 0);
  }
  supervise::InstanceStatus status() const { return {.id = {"web", "web", 1, "v1"}, .pid = app_, .keeper_pid = ::getpid()}; }
  pid_t app_ = 0;
};

TEST_F(InstanceUsages, AreOfTheTreeBelowTheKeeperWhereThereIsNoCgroup) {
  const auto usages = instance_usages({status()}, "");
  ASSERT_EQ(usages.size(), 1u);
  const InstanceUsage& usage = usages.begin()->second;
  EXPECT_EQ(usage.processes, 2u);
  EXPECT_GE(usage.cpu_seconds, 0.1);
  EXPECT_GT(usage.resident_bytes, 4096u);
  EXPECT_GE(usage.open_fds, 3u);
  EXPECT_FALSE(usage.memory_limit);
}

TEST_F(InstanceUsages, AreNotThoseOfACgroupThatIsTheKeepersToo) {
  const auto usages = instance_usages({status()}, "/sys/fs/cgroup");
  ASSERT_EQ(usages.size(), 1u);
  EXPECT_EQ(usages.begin()->second.processes, 2u);
}

TEST(InstanceUsage, OfWhatDoesNotRunIsNone) { EXPECT_TRUE(instance_usages({{.id = {"web", "web", 1, "v1"}}}, "").empty()); }

}  // namespace
}  // namespace berth::metrics
