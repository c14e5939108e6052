#include "daemon/fetch/worker.h"

#include <csignal>
#include <filesystem>
#include <set>
#include <thread>

#include <fcntl.h>
#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "core/files/files.h"

namespace berth::fetch {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

/// A worker that obeys, started just as berth-unpack is.
class WorkerTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::getuid() != 0) GTEST_SKIP() << "only root starts workers";
    fs::create_directory(target);
    ASSERT_EQ(::chown(target.c_str(), spec.uid, spec.gid), 0);
    ASSERT_EQ(::chmod(target.c_str(), 0700), 0);
    ASSERT_EQ(::chmod(folder.path().c_str(), 0711), 0);
  }

  Worker start(const std::string& orders) {
    EXPECT_TRUE(files::replace(folder.path() / "orders", orders));
    job_ = std::move(*files::open("/dev/null", O_RDONLY));
    blob_ = std::move(*files::open(folder.path() / "orders", O_RDONLY));
    target_ = std::move(*files::open(target, O_RDONLY | O_DIRECTORY));
    spec.program = BERTH_ROGUE_WORKER;
    spec.job = job_.get();
    spec.blob = blob_.get();
    spec.target = target_.get();
    auto worker = Worker::start(spec);
    if (!worker) ADD_FAILURE() << worker.error().message;
    return std::move(*worker);
  }

  Worker::End run(const std::string& orders) {
    Worker worker = start(orders);
    auto end = worker.wait({.whole = 20s, .stalled = 20s}, {});
    EXPECT_TRUE(end) << end.error().message;
    return end.value_or(Worker::End{});
  }

  /// Until a worker has written something.
  static void wait_for(const fs::path& path) {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (!fs::exists(path)) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << path << " was never made";
      std::this_thread::sleep_for(5ms);
    }
  }

  static std::string proc(pid_t pid, const std::string& file) { return files::read(fmt::format("/proc/{}/{}", pid, file), 1u << 20).value_or(""); }
  static std::string space(pid_t pid, const std::string& kind) { return fs::read_symlink(fmt::format("/proc/{}/ns/{}", pid, kind)).string(); }

  /// What the sandbox leaves no choice about: the end by SIGSYS, with whatever was made before it.
  void expect_killed(const std::string& order) {
    const auto end = run("sandbox\n" + order + "\n");
    EXPECT_TRUE(WIFSIGNALED(end.status) && WTERMSIG(end.status) == SIGSYS) << order << " ended with " << end.status << ", saying " << end.words;
    EXPECT_THAT(end.words, Not(HasSubstr(order.substr(0, order.find(' ')) + ":"))) << "it came back";
  }

  files::TemporaryDirectory folder;
  fs::path target = folder.path() / "target";
  WorkerSpec spec{.limits = {.file_size = 1u << 20}};

 private:
  Fd job_, blob_, target_;
};

TEST_F(WorkerTest, HasNoRightsWhileItRuns) {
  const Worker worker = start("sandbox\nfolder ready 0755\nwait_in_sandbox\n");
  wait_for(target / "ready");
  const std::string status = proc(worker.pid(), "status");
  EXPECT_THAT(status, HasSubstr("\nUid:\t65534\t65534\t65534\t65534\n"));
  EXPECT_THAT(status, HasSubstr("\nGid:\t65534\t65534\t65534\t65534\n"));
  EXPECT_THAT(status, HasSubstr("\nGroups:\t \n"));
  for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"})
    EXPECT_THAT(status, HasSubstr(fmt::format("\n{}:\t0000000000000000\n", set)));
  EXPECT_THAT(status, HasSubstr("\nNoNewPrivs:\t1\n"));
  EXPECT_THAT(status, HasSubstr("\nSeccomp:\t2\n"));
  for (const char* kind : {"net", "pid", "ipc", "uts"}) EXPECT_NE(space(worker.pid(), kind), space(::getpid(), kind)) << kind;
  EXPECT_THAT(proc(worker.pid(), "net/dev"), Not(HasSubstr("eth")));
  EXPECT_EQ(proc(worker.pid(), "oom_score_adj"), "500\n");
}

TEST_F(WorkerTest, HoldsNoDescriptorButItsOwnFive) {
  const Fd ours = std::move(*files::open("/etc/passwd", O_RDONLY | O_CLOEXEC));
  const Fd inherited(::dup(ours.get()));  // without O_CLOEXEC
  const Worker worker = start("folder ready 0755\nstall\n");
  wait_for(target / "ready");
  std::set<std::string> held;
  for (const auto& one : fs::directory_iterator(fmt::format("/proc/{}/fd", worker.pid()))) held.insert(one.path().filename());
  EXPECT_EQ(held, (std::set<std::string>{"0", "1", "2", "3", "4"}));
}

TEST_F(WorkerTest, CanDoNothingThatItsSandboxDoesNotAllow) {
  for (const char* order : {"socket", "fork", "kill 1", "trace 1", "become_root", "mount", "code", "link ready again", "pipe fifo", "device null", "xattr"})
    expect_killed(order);
  EXPECT_TRUE(fs::is_empty(target));
}

#ifndef BERTH_SANITIZE
TEST_F(WorkerTest, OpensNothingThatIsNotBelowItsFolder) {
  expect_killed("read /etc/passwd");
  expect_killed("create /tmp/berth-was-here");
  EXPECT_FALSE(fs::exists("/tmp/berth-was-here"));
}

TEST_F(WorkerTest, SeesNoFolderButItsOwnBeforeItEntersItsSandbox) {
  const auto end = run("read /etc/passwd\nread /proc/self/status\nabove\ncreate /tmp/berth-was-here\n");
  EXPECT_THAT(end.words, HasSubstr("read: ENOENT; read: ENOENT; "));
  EXPECT_THAT(end.words, HasSubstr("create: ENOENT"));
  const auto inside = run("folder seen 0755\nread /seen\n");
  EXPECT_THAT(inside.words, HasSubstr("read: done")) << "its root is its folder";
}

TEST_F(WorkerTest, GetsNoMoreMemoryThanItsLimit) {
  EXPECT_THAT(run("memory 1000000\n").words, HasSubstr("memory: done"));
  EXPECT_THAT(run("memory 200000000\n").words, HasSubstr("memory: ENOMEM"));
}
#endif

TEST_F(WorkerTest, WithoutASandboxStillMayNotForkGainRightsOrReachOthers) {
  const auto end = run(fmt::format("fork\nbecome_root\nmount\ndevice null\nkill {}\ntrace {}\n", ::getpid(), ::getpid()));
  EXPECT_THAT(end.words, HasSubstr("fork: EAGAIN"));
  EXPECT_THAT(end.words, HasSubstr("become_root: EPERM"));
  EXPECT_THAT(end.words, HasSubstr("device: EPERM"));
  EXPECT_THAT(end.words, HasSubstr("kill: ESRCH"));
  EXPECT_THAT(end.words, HasSubstr("trace: E"));
  EXPECT_EQ(end.status, 0);
}

TEST_F(WorkerTest, WritesNoFileLongerThanItsLimit) {
  spec.limits.file_size = 10;
  EXPECT_THAT(run("file a 0644 0123456789\n").words, HasSubstr("file: done"));
  run("file b 0644 0123456789abcdef\n");
  EXPECT_EQ(fs::file_size(target / "b"), 10U);
}

TEST_F(WorkerTest, IsKilledWhenItIsToStop) {
  Worker worker = start("folder ready 0755\nstall\n");
  wait_for(target / "ready");
  const pid_t pid = worker.pid();
  std::stop_source source;
  std::jthread stopper([&] { source.request_stop(); });
  const auto end = worker.wait({}, source.get_token());
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().code, Errc::cancelled);
  EXPECT_EQ(::kill(pid, 0), -1);
}

TEST_F(WorkerTest, IsKilledWhenItMakesNoProgressOrTakesTooLong) {
  const auto stalled = start("stall\n").wait({.whole = 60s, .stalled = 300ms}, {});
  ASSERT_FALSE(stalled);
  EXPECT_EQ(stalled.error().code, Errc::timeout);
  EXPECT_THAT(stalled.error().message, HasSubstr("no progress"));

  const auto endless = start("spin\n").wait({.whole = 500ms, .stalled = 60s}, {});
  ASSERT_FALSE(endless);
  EXPECT_EQ(endless.error().code, Errc::timeout);
  EXPECT_THAT(endless.error().message, HasSubstr("not done"));
}

TEST_F(WorkerTest, IsKilledAsSoonAsWhoeverWatchesSaysSo) {
  const auto end = start("spin\n").wait({.still_fine = [] { return fail(Errc::no_space, "the disk got full"); }}, {});
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().code, Errc::no_space);
}

TEST_F(WorkerTest, UsesUpNoMoreProcessorThanItsLimit) {
  spec.limits.cpu_seconds = 1;
  const auto end = run("spin\n");
  EXPECT_TRUE(WIFSIGNALED(end.status) && WTERMSIG(end.status) == SIGKILL) << end.status;
}

TEST_F(WorkerTest, IsGoneWhenItsOwnerIs) {
  pid_t pid = 0;
  {
    const Worker worker = start("folder ready 0755\nstall\n");
    wait_for(target / "ready");
    pid = worker.pid();
  }
  EXPECT_EQ(::kill(pid, 0), -1);
  EXPECT_EQ(errno, ESRCH);
}

TEST_F(WorkerTest, SaysAtMostOnePrintableLine) {
  EXPECT_EQ(run("say\n").words, "?[2J?");
}

TEST_F(WorkerTest, ThatCannotBeRunIsToldOf) {
  spec.limits.cpu_seconds = 10;
  ASSERT_TRUE(files::replace(folder.path() / "no-program", "neither a program nor a script\n", 0755));
  const Fd null = std::move(*files::open("/dev/null", O_RDONLY));
  const Fd place = std::move(*files::open(target, O_RDONLY | O_DIRECTORY));
  spec.program = folder.path() / "no-program";
  spec.job = spec.blob = null.get();
  spec.target = place.get();
  Worker worker = std::move(*Worker::start(spec));
  const auto end = worker.wait({}, {});
  ASSERT_TRUE(end) << end.error().message;
  EXPECT_NE(end->status, 0);
  EXPECT_THAT(end->words, HasSubstr("run the program: Exec format error"));

  spec.program = folder.path() / "missing";
  const auto missing = Worker::start(spec);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Errc::not_found);
}

}  // namespace
}  // namespace berth::fetch
