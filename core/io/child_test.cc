#include "core/io/child.h"

#include <csignal>
#include <fstream>
#include <thread>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "core/files/files.h"
#include "core/io/on_loop.h"

namespace berth::io {
namespace {

using namespace std::chrono_literals;
using boost::asio::awaitable;

ChildSpec shell(const std::string& script) {
  return {.argv = {"sh", "-c", script}, .environment = {{"PATH", "/usr/bin:/bin"}}, .deadline = 10s};
}

Result<ChildResult> run(ChildSpec spec) {
  Loop loop;
  return on_loop(loop, run_child(std::move(spec)));
}

/// Whether a process ends within the seconds that a loaded machine may need. A zombie has ended.
bool is_gone(pid_t pid) {
  const auto until = Steady::now() + 10s;
  while (Steady::now() < until) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string line;
    if (!std::getline(file, line)) return true;
    if (line.find(") Z ") != std::string::npos) return true;
    ::usleep(2000);
  }
  return false;
}

TEST(Child, GivesStatusAndOutputOfBoth) {
  const auto result = run(shell("echo out; echo err >&2; exit 3"));
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(WEXITSTATUS(result->status), 3);
  EXPECT_EQ(result->output, "out\nerr\n");
  EXPECT_FALSE(result->timed_out);
}

TEST(Child, HasItsOwnEnvironmentFolderSessionAndSignalsOnly) {
  auto spec = shell("env | grep -v -e ^_= -e ^SHLVL= -e ^PWD= | sort; pwd; read -r x || echo no input; grep -E '^Sig(Blk|Ign)' /proc/self/status");
  spec.environment["NAME"] = "value with spaces";
  spec.directory = "/usr";
  const auto result = run(spec);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->output, "NAME=value with spaces\nPATH=/usr/bin:/bin\n/usr\nno input\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

TEST(Child, GetsNoDescriptorThatItsParentLeftOpen) {
  const Fd leaked(::dup(0));  // without O_CLOEXEC
  const auto result = run(shell("ls /proc/self/fd | tr '\\n' ' '"));
  ASSERT_TRUE(result);
  EXPECT_EQ(result->output, "0 1 2 3 ");  // 3 is ls's own
}

/// This process as one that is protected and may have many files open, while it lives.
class Protected {
 public:
  Protected() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    if (!write("-900")) write("300");  // without CAP_SYS_RESOURCE none may lower it, and it may come back to what it was
    const rlimit many{std::min<rlim_t>(before_.rlim_max, 65'536), before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &many);
  }
  ~Protected() {
    write("0");
    ::setrlimit(RLIMIT_NOFILE, &before_);
  }

 private:
  static bool write(const char* score) {
    std::ofstream file("/proc/self/oom_score_adj");
    file << score << std::flush;
    return file.good();
  }
  rlimit before_{};
};

constexpr const char* kTellResources = "cat /proc/self/oom_score_adj; ulimit -Sn; ulimit -Sc; nice";

TEST(Child, HasNothingOfWhatItsParentIsAllowedAndProtectedFrom) {
  const Protected now;
  const auto result = run(shell(kTellResources));
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_TRUE(result->output.starts_with("0\n1024\n")) << result->output;
}

TEST(Child, HasTheLimitsThatAreSaid) {
  const Protected now;
  auto spec = shell(kTellResources);
  spec.nice = 11;
  spec.oom_score_adjust = 250;
  spec.resources = {{RLIMIT_NOFILE, {77, 100}}, {RLIMIT_CORE, {0, 0}}};
  const auto result = run(spec);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->output, "250\n77\n0\n11\n");
}

TEST(Child, IsNotRunWithoutALimitThatTheKernelRefuses) {
  auto spec = shell("true");
  spec.resources = {{RLIMIT_NOFILE, {77, std::uint64_t{1} << 40}}};
  const auto result = run(spec);
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, testing::HasSubstr("run sh: set the limits of its process"));
}

TEST(Child, RunsAsAnotherUserWithoutTheGroupsOfRoot) {
  if (::getuid() != 0) GTEST_SKIP() << "needs root";
  auto spec = shell("id -u; id -G");
  spec.uid = 65534;
  spec.gid = 65533;
  const auto result = run(spec);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->output, "65534\n65533\n");
  spec.groups = {61001, 61002};
  EXPECT_EQ(run(spec)->output, "65534\n65533 61001 61002\n");
}

TEST(Child, HasTheCapabilitiesAndMayGainWhatIsSaid) {
  if (::getuid() != 0) GTEST_SKIP() << "needs root";
  const auto fields = [](const ChildSpec& spec) {
    const auto result = run(spec);
    return result ? result->output : result.error().message;
  };
  auto spec = shell("grep -E '^(CapEff|CapBnd|NoNewPrivs)' /proc/self/status");
  spec.bounding = 1u << 5;  // CAP_KILL
  EXPECT_EQ(fields(spec), "CapEff:\t0000000000000020\nCapBnd:\t0000000000000020\nNoNewPrivs:\t0\n");
  spec.uid = 65534;
  spec.gid = 65533;
  spec.may_gain_privileges = false;
  EXPECT_EQ(fields(spec), "CapEff:\t0000000000000000\nCapBnd:\t0000000000000020\nNoNewPrivs:\t1\n");
}

TEST(Child, KeepsTheLastBytesOfALongOutput) {
  auto spec = shell("head -c 3000000 /dev/zero | tr '\\0' x; echo; echo the end");
  spec.most_output = 12;
  const auto result = run(spec);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->output, "xxx\nthe end\n");
}

TEST(Child, SaysThatACommandIsMissingOrMayNotRun) {
  EXPECT_EQ(run({.argv = {"/no/such/program"}}).error().code, Errc::not_found);
  const auto missing = run({.argv = {"no-such-program"}});
  EXPECT_EQ(missing.error().code, Errc::not_found);
  EXPECT_EQ(missing.error().message, "run no-such-program: no such program in PATH");
  EXPECT_EQ(run({.argv = {"/etc/passwd"}}).error().code, Errc::permission);
  const auto folder = run({.argv = {"/bin/true"}, .directory = "/no/such/folder"});
  EXPECT_THAT(folder.error().message, testing::HasSubstr("/no/such/folder"));
  const auto cgroup = run({.argv = {"/bin/true"}, .cgroup_procs = "/no/such/cgroup.procs"});
  EXPECT_THAT(cgroup.error().message, testing::HasSubstr("/no/such/cgroup.procs"));
  EXPECT_EQ(run({}).error().code, Errc::usage);
}

TEST(Child, IsNotHeldUpByAGrandchildWithItsOutputAndEndsIt) {
  const auto began = Steady::now();
  const auto result = run(shell("sleep 600 & echo $!"));
  ASSERT_TRUE(result);
  EXPECT_LT(Steady::now() - began, 9s);
  EXPECT_FALSE(result->timed_out);
  EXPECT_TRUE(is_gone(std::stoi(result->output)));
}

TEST(Child, EndsItsWholeSessionAtTheDeadline) {
  // A job-control shell puts the first into a process group of its own; the second ignores the polite signals.
  auto spec = shell("set -m; sleep 600 & echo $!; trap '' TERM HUP INT; sleep 600 & echo $!; wait");
  spec.argv[0] = "bash";  // dash wants a terminal for job control
  spec.deadline = 1s;
  const auto result = run(spec);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_TRUE(result->timed_out);
  EXPECT_TRUE(WIFSIGNALED(result->status));
  std::size_t next = 0;
  EXPECT_TRUE(is_gone(std::stoi(result->output, &next)));
  EXPECT_TRUE(is_gone(std::stoi(result->output.substr(next))));
}

TEST(Child, EndsAtTheDeadlineAlsoWhenItWritesWithoutEnd) {
  auto spec = shell("yes");
  spec.deadline = 700ms;
  spec.most_output = 4;
  const auto result = run(spec);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_TRUE(result->timed_out);
  EXPECT_EQ(result->output.size(), 4U);
}

TEST(Child, LivesOnAfterItClosedItsOutput) {
  const auto result = run(shell("exec >&- 2>&-; sleep 0.1; exit 7"));
  ASSERT_TRUE(result);
  EXPECT_EQ(WEXITSTATUS(result->status), 7);
}

TEST(Child, DiesWhenTheCoroutineThatWaitsIsCancelled) {
  const files::TemporaryDirectory folder;
  const std::string file = folder.path() / "pid";
  ASSERT_EQ(::mkfifo(file.c_str(), 0600), 0);
  Loop loop;
  boost::asio::cancellation_signal cancel;
  boost::asio::co_spawn(loop.executor(), run_child(shell("echo $$ >" + file + "; sleep 600")),
                        boost::asio::bind_cancellation_slot(cancel.slot(), [&](std::exception_ptr, const Result<ChildResult>&) { loop.stop(); }));
  pid_t pid = 0;
  std::thread reader([&] {
    std::ifstream(file) >> pid;
    loop.post([&] { cancel.emit(boost::asio::cancellation_type::terminal); });
  });
  loop.run();
  reader.join();
  ASSERT_GT(pid, 0);
  EXPECT_TRUE(is_gone(pid));
}

}  // namespace
}  // namespace berth::io
