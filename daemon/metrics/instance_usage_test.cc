#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <utility>

#include <sys/wait.h>
#include <unistd.h>

#include "core/files/files.h"
#include "core/kill_one.h"
#include "daemon/metrics/instance_usage.h"

namespace berth::metrics {
namespace {

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
    for (pid_t child = 0; children >> child;) kill_one(child, SIGKILL);
    kill_one(app_, SIGKILL);
    ::waitpid(app_, nullptr, 0);
  }
  supervise::InstanceStatus status() const { return {.id = {"web", "web", 1, "v1"}, .pid = app_, .keeper_pid = ::getpid()}; }
  pid_t app_ = 0;
};

TEST_F(InstanceUsages, AreOfTheTreeBelowTheKeeperWhereThereIsNoCgroup) {
  const auto usages = instance_usages({status()});
  ASSERT_EQ(usages.size(), 1u);
  const InstanceUsage& usage = usages.begin()->second;
  EXPECT_EQ(usage.processes, 2u);
  EXPECT_GE(usage.cpu_seconds, 0.1);
  EXPECT_GT(usage.resident_bytes, 4096u);
  EXPECT_GE(usage.open_fds, 3u);
  EXPECT_FALSE(usage.memory_limit);
}

TEST_F(InstanceUsages, AreOfTheAppsCgroupWhereThatTells) {
  const files::TemporaryDirectory leaf;
  for (const auto& [name, text] : std::initializer_list<std::pair<const char*, const char*>>{
           {"cpu.stat", "usage_usec 2500000\n"}, {"memory.stat", "anon 4096\nfile_mapped 12\n"}, {"pids.current", "7\n"}, {"memory.events", "oom_kill 2\n"}, {"io.stat", ""}, {"memory.max", "max\n"}})
    ASSERT_TRUE(files::replace(leaf.path() / name, text));
  auto limited = status();
  limited.cgroup = leaf.path();
  const InstanceUsage usage = instance_usages({limited}).begin()->second;
  EXPECT_EQ(usage.processes, 7u);
  EXPECT_EQ(usage.cpu_seconds, 2.5);
  EXPECT_EQ(usage.resident_bytes, 4108u);
  EXPECT_EQ(usage.oom_kills, 2);
  EXPECT_FALSE(usage.memory_limit);
  EXPECT_GE(usage.open_fds, 3u);

  ASSERT_TRUE(files::remove_tree(leaf.path() / "memory.stat"));
  const InstanceUsage by_processes = instance_usages({limited}).begin()->second;
  EXPECT_EQ(by_processes.processes, 2u);
  EXPECT_EQ(by_processes.cpu_seconds, 2.5) << "which is told there alone";
}

TEST(InstanceUsage, OfWhatDoesNotRunIsNone) { EXPECT_TRUE(instance_usages({{.id = {"web", "web", 1, "v1"}}}).empty()); }

}  // namespace
}  // namespace berth::metrics
