#include <sys/resource.h>

#include "core/kill_one.h"
#include "daemon/keeper/keeper_fixture.h"

namespace berth::keeper {
namespace {

/// A keeper of a berthd that is protected and may have many files open.
class KeeperResources : public KeeperFixture {
 protected:
  void SetUp() override {
    KeeperFixture::SetUp();
    start_keeper();
    protection = "-900";
    if (!write_score(protection)) protection = "300";  // without CAP_SYS_RESOURCE none may lower it, and it may come back to what it was
    ASSERT_TRUE(protection == "-900" || write_score(protection));
    ASSERT_EQ(::prlimit(keeper, RLIMIT_NOFILE, nullptr, &files), 0);
    files.rlim_cur = files.rlim_max = std::min<rlim_t>(files.rlim_max, 65'536);
    ASSERT_EQ(::prlimit(keeper, RLIMIT_NOFILE, &files, nullptr), 0);
  }
  bool write_score(const std::string& score) const {
    std::ofstream file(fmt::format("/proc/{}/oom_score_adj", keeper));
    file << score << std::flush;
    return file.good();
  }
  static std::string score_of(pid_t pid) { return slurp(fmt::format("/proc/{}/oom_score_adj", pid)); }
  /// "SOFT:HARD", as /proc tells them.
  static std::string limit_of(pid_t pid, const std::string& name) {
    std::istringstream lines(slurp(fmt::format("/proc/{}/limits", pid)));
    for (std::string line; std::getline(lines, line);) {
      if (!line.starts_with(name)) continue;
      std::istringstream words(line.substr(name.size()));
      std::string soft, hard;
      words >> soft >> hard;
      return soft + ":" + hard;
    }
    return {};
  }
  static std::string files_of(pid_t pid) { return limit_of(pid, "Max open files"); }

  std::string protection;
  rlimit files{};
};

TEST_F(KeeperResources, AreNotWhatItsBerthdHas) {
  auto plan = shell("exec sleep 100");
  plan.usual_files = true;
  launch(plan);
  const State started = expect(Event::started);
  EXPECT_EQ(score_of(keeper), protection + "\n") << "the keeper stays what it is";
  EXPECT_EQ(score_of(started.app_pid), "0\n");
  const bool may_raise = protection == "-900";
  EXPECT_EQ(files_of(started.app_pid), may_raise ? "1024:524288" : fmt::format("1024:{}", files.rlim_max));
  kill_one(started.app_pid, SIGKILL);
  EXPECT_EQ(score_of(expect(Event::started).app_pid), "0\n") << "at each start";
}

TEST_F(KeeperResources, OfFilesStayThoseOfAService) {
  launch(shell("exec sleep 100"));
  EXPECT_EQ(files_of(expect(Event::started).app_pid), fmt::format("{}:{}", files.rlim_cur, files.rlim_max));
}

TEST_F(KeeperResources, AreThoseOfItsLaunch) {
  auto plan = shell("exec sleep 100");
  plan.uid = plan.gid = 65534;
  plan.usual_files = true;
  plan.groups = {61001, 61002};
  plan.nice = 7;
  plan.oom_score_adjust = 321;
  rlimit cores{};
  ASSERT_EQ(::getrlimit(RLIMIT_CORE, &cores), 0);
  const rlim_t most_core = cores.rlim_max;  // sudo leaves none, and not every root may raise it
  plan.resources = {{RLIMIT_NOFILE, {64, 128}}, {RLIMIT_CORE, {0, most_core == RLIM_INFINITY ? ResourceLimit::kInfinity : most_core}}, {RLIMIT_FSIZE, {ResourceLimit::kInfinity, ResourceLimit::kInfinity}}};
  launch(plan);
  const State started = expect(Event::started);
  const auto has_all = [&](pid_t pid) {
    EXPECT_EQ(score_of(pid), "321\n");
    EXPECT_EQ(::getpriority(PRIO_PROCESS, static_cast<id_t>(pid)), 7);
    EXPECT_NE(slurp(fmt::format("/proc/{}/status", pid)).find("\nGroups:\t61001 61002 \n"), std::string::npos);
  };
  has_all(started.app_pid);
  EXPECT_EQ(files_of(started.app_pid), "64:128");
  EXPECT_EQ(limit_of(started.app_pid, "Max core file size"), most_core == RLIM_INFINITY ? "0:unlimited" : fmt::format("0:{}", most_core));
  EXPECT_EQ(limit_of(started.app_pid, "Max file size"), "unlimited:unlimited");
  kill_one(started.app_pid, SIGKILL);
  has_all(expect(Event::started).app_pid);
}

TEST_F(KeeperResources, ThatTheKernelRefusesKeepTheAppFromStarting) {
  auto plan = shell("exec sleep 100");
  plan.resources = {{RLIMIT_NOFILE, {1024, std::uint64_t{1} << 40}}};  // over fs.nr_open for anybody
  launch(plan);
  const auto state = expect(Event::exited);
  EXPECT_EQ(state.last_exit.cause, Cause::not_started);
  EXPECT_EQ(state.last_exit.stage, Stage::set_resources);
  EXPECT_EQ(state.last_exit.error, EPERM);
}

}  // namespace
}  // namespace berth::keeper
