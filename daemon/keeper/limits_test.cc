#include "core/kill_one.h"
#include "daemon/keeper/keeper_fixture.h"

namespace berth::keeper {
namespace {

/// A folder stands for the app's cgroup: what the keeper reads and writes there are files, and a kernel without controllers has them not either.
class KeeperLimits : public KeeperFixture {
 protected:
  void SetUp() override {
    KeeperFixture::SetUp();
    cgroup = root / "cgroup";
    fs::create_directories(cgroup);
    write("cgroup.procs", "");
    write("memory.max", "max");
  }
  void write(const char* file, const std::string& text) const { std::ofstream(cgroup / file) << text; }
  Launch limited(const std::string& script) const {
    auto plan = shell(script);
    plan.cgroup = cgroup;
    plan.cgroup_values = {{"memory.max", "1048576"}, {"io.weight", "50"}};
    return plan;
  }
  fs::path cgroup;
};

TEST_F(KeeperLimits, AreSetBeforeTheAppStartsWhereTheKernelHasThem) {
  start_keeper();
  launch(limited("exec sleep 100"));
  expect(Event::started);
  EXPECT_EQ(slurp(cgroup / "memory.max"), "1048576");
  EXPECT_FALSE(fs::exists(cgroup / "io.weight"));

  write("memory.max", "max");  // whoever changed it by hand
  restart(false, "");
  expect(Event::started);
  EXPECT_EQ(slurp(cgroup / "memory.max"), "1048576") << "at each start";
}

TEST_F(KeeperLimits, ThatTheKernelRefusesKeepTheAppFromStarting) {
  fs::remove(cgroup / "memory.max");
  fs::create_directory(cgroup / "memory.max");
  start_keeper();
  launch(limited("exec sleep 100"));
  const auto state = expect(Event::exited);
  EXPECT_EQ(state.last_exit.cause, Cause::not_started);
  EXPECT_EQ(state.last_exit.stage, Stage::set_limits);
  EXPECT_EQ(state.last_exit.error, EISDIR);
}

TEST_F(KeeperLimits, TellAnAppThatTheKernelKilledForItsMemoryFromOneThatEndedOtherwise) {
  write("memory.events", "low 0\nhigh 0\nmax 7\noom 1\noom_kill 1\noom_group_kill 1\n");
  start_keeper();
  launch(limited("exec sleep 100"));
  kill_one(expect(Event::started).app_pid, SIGKILL);
  EXPECT_EQ(expect(Event::exited).last_exit.cause, Cause::signal) << "that kill was before it started";

  const auto started = expect(Event::started);
  write("memory.events", "low 0\nhigh 0\nmax 7\noom 1\noom_kill 2\noom_group_kill 1\n");
  kill_one(started.app_pid, SIGKILL);
  const auto exited = expect(Event::exited);
  EXPECT_EQ(exited.last_exit.cause, Cause::oom);
  EXPECT_EQ(exited.exits[static_cast<int>(Cause::oom)], 1u);
}

TEST_F(KeeperLimits, AnAppThatEndsWellAfterAChildWasKilledForItsMemoryEndedByItself) {
  write("memory.events", "oom 0\noom_kill 0\n");
  start_keeper();
  launch(limited("printf 'oom 1\\noom_kill 1\\n' > " + (cgroup / "memory.events").string() + "; exit 0"));
  EXPECT_EQ(expect(Event::exited).last_exit.cause, Cause::exit);
}

}  // namespace
}  // namespace berth::keeper
