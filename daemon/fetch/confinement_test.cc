#include <cerrno>
#include <csignal>
#include <cstdint>
#include <set>
#include <tuple>

#include <linux/landlock.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "daemon/fetch/layer_fixture.h"
#include "daemon/fetch/worker_fixture.h"
#include "daemon/unpack/job.h"

// What a worker may not: seen from outside while it works, and from inside by one that tries.

namespace berth::fetch {
namespace {

class Confinement : public WorkerTest {
 protected:
  static std::string space(pid_t pid, const std::string& kind) { return fs::read_symlink(fmt::format("/proc/{}/ns/{}", pid, kind)).string(); }

  static std::set<std::string> descriptors(pid_t pid) {
    std::set<std::string> held;
    for (const auto& one : fs::directory_iterator(fmt::format("/proc/{}/fd", pid))) held.insert(one.path().filename());
    return held;
  }

  /// The soft and the hard limit, as /proc tells them.
  static void expect_limit(const std::string& limits, const std::string& name, std::uint64_t value) {
    const auto at = limits.find(name);
    ASSERT_NE(at, std::string::npos) << name;
    std::istringstream words(limits.substr(at + name.size()));
    std::string soft, hard;
    words >> soft >> hard;
    EXPECT_EQ(std::tie(soft, hard), std::tuple(std::to_string(value), std::to_string(value))) << name;
  }

  void expect_no_rights(pid_t pid) {
    const std::string status = proc(pid, "status");
    EXPECT_THAT(status, HasSubstr(fmt::format("\nUid:\t{0}\t{0}\t{0}\t{0}\n", spec.uid)));
    EXPECT_THAT(status, HasSubstr(fmt::format("\nGid:\t{0}\t{0}\t{0}\t{0}\n", spec.gid)));
    EXPECT_THAT(status, HasSubstr("\nGroups:\t \n"));
    for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"})
      EXPECT_THAT(status, HasSubstr(fmt::format("\n{}:\t0000000000000000\n", set)));
    EXPECT_THAT(status, HasSubstr("\nNoNewPrivs:\t1\n"));
    EXPECT_THAT(status, HasSubstr("\nSeccomp:\t2\n"));
    for (const char* kind : {"net", "pid", "ipc", "uts"}) EXPECT_NE(space(pid, kind), space(::getpid(), kind)) << kind;
    EXPECT_THAT(proc(pid, "net/dev"), Not(HasSubstr("eth")));
    EXPECT_THAT(proc(pid, "net/route"), Not(HasSubstr("\nlo"))) << "not even the loopback is up";
    EXPECT_EQ(proc(pid, "oom_score_adj"), "500\n");
  }

  /// What the sandbox leaves no choice about: the end by SIGSYS, with whatever was made before it.
  void expect_killed(const std::string& order) {
    const auto end = run("sandbox\n" + order + "\n");
    EXPECT_TRUE(WIFSIGNALED(end.status) && WTERMSIG(end.status) == SIGSYS) << order << " ended with " << end.status << ", saying " << end.words;
    EXPECT_THAT(end.words, Not(HasSubstr(order.substr(0, order.find(' ')) + ":"))) << "it came back";
  }

  /// Without a sandbox, whatever else confines it says no.
  void expect_refused(const std::string& order, const std::string& reason) {
    EXPECT_THAT(run(order + "\n").words, HasSubstr(order.substr(0, order.find(' ')) + ": " + reason)) << order;
  }
};

/// A job that keeps berth-unpack in the middle of its frames for long: a small file, and one of 8 GiB that it decodes and does not pour.
class LongJob {
 public:
  LongJob() {
    constexpr std::uint64_t kSize = 8ull << 30;
    bundle::Entry large = file_entry("zeros", "");
    large.size = kSize;
    const std::string head = HandMadeTar().add_file("first", "1234").add(large).text();
    const std::string first = zstd_frame(head + std::string(bundle::kFrame - head.size(), '\0'));
    const std::string zeros = zstd_frame(std::string(bundle::kFrame, '\0'));
    blob = first + zeros;
    unpack::Job parts{.frames = {{0, first.size(), bundle::kFrame}}, .pour = true, .gaps = {{head.size(), kSize}}};
    for (std::uint64_t at = bundle::kFrame; at < kSize; at += bundle::kFrame) parts.frames.push_back({first.size(), zeros.size(), bundle::kFrame});
    job = unpack::to_text(parts);
  }
  std::string job, blob;
};

TEST_F(Confinement, HoldsWhileBerthUnpackIsInTheMiddleOfAFrame) {
  const LongJob work;
  spec.limits.cpu_seconds = 77;
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const Fd tar(ends[0]);
  Fd pouring(ends[1]);
  spec.scratch = pouring.get();
  const Worker worker = start(BERTH_UNPACK_PROGRAM, work.job, work.blob);
  pouring.reset();
  char first[512];
  ASSERT_EQ(::read(tar.get(), first, sizeof first), static_cast<ssize_t>(sizeof first));
  EXPECT_STREQ(first, "first");
  ASSERT_EQ(::kill(worker.pid(), SIGSTOP), 0);  // and there it stands still, with its frame half decoded
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  while (proc(worker.pid(), "status").find("State:\tT") == std::string::npos) ASSERT_LT(std::chrono::steady_clock::now(), deadline);

  expect_no_rights(worker.pid());
  const std::string limits = proc(worker.pid(), "limits");
  expect_limit(limits, "Max file size", spec.limits.file_size);
  expect_limit(limits, "Max cpu time", spec.limits.cpu_seconds);
  expect_limit(limits, "Max open files", 16);
  expect_limit(limits, "Max processes", 0);
  expect_limit(limits, "Max core file size", 0);
  expect_limit(limits, "Max locked memory", 0);
#ifndef BERTH_SANITIZE
  expect_limit(limits, "Max address space", spec.limits.memory);
  expect_limit(limits, "Max stack size", 1u << 20);
  EXPECT_EQ(fs::read_symlink(fmt::format("/proc/{}/root", worker.pid())), fs::canonical(target)) << "its folder is its whole file system";
#endif
  const auto held = descriptors(worker.pid());
  EXPECT_EQ(held, (std::set<std::string>{"0", "1", "2", "3", "4", "5"}));
  EXPECT_TRUE(fs::is_empty(target)) << "it writes nothing but into its pipe";
}

TEST_F(Confinement, LeavesARogueNoMoreThanBerthUnpack) {
  const Worker worker = start("sandbox\nfolder ready 0755\nwait_in_sandbox\n");
  wait_for(target / "ready");
  expect_no_rights(worker.pid());
}

TEST_F(Confinement, LeavesNoDescriptorsButThoseOfItsJob) {
  const Fd ours = std::move(*files::open("/etc/passwd", O_RDONLY | O_CLOEXEC));
  const Fd inherited(::dup(ours.get()));  // without O_CLOEXEC
  const Worker worker = start("folder ready 0755\nstall\n");
  wait_for(target / "ready");
  EXPECT_EQ(descriptors(worker.pid()), (std::set<std::string>{"0", "1", "2", "3", "4"}));
}

TEST_F(Confinement, EndsWhoeverTriesWhatItsSandboxDoesNotAllow) {
  for (const char* order :
       {"fork", "fork_bomb", "thread", "run /bin/sh", "kill 1", "kill_all", "trace 1", "borrow 1",
        "become_root", "become_root_group", "join_groups", "user_namespace", "code",
        "socket", "packets", "connect 80", "connect_abstract berth",
        "mount", "leave_root", "open_by_handle", "link ready again", "rename ready", "remove ready", "setuid_bit ready", "pipe fifo", "socket_file s",
        "device null",
        "ring", "load_program", "watch_kernel", "load_module", "keys", "faults", "set_clock", "set_name", "reboot"})
    expect_killed(order);
  EXPECT_TRUE(fs::is_empty(target));
}

TEST_F(Confinement, LeavesTheFolderItselfOnlyToBeWrittenTo) {
  const long landlock = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (landlock < 0) GTEST_SKIP() << "this kernel has no Landlock: " << ::strerrorname_np(errno);
  const auto without = run("file own 0644 1234\nfolder inner 0755\nread_own own\nlist_own inner\ncut_own own\n");
  for (const char* order : {"read_own", "list_own", "cut_own"}) EXPECT_THAT(without.words, HasSubstr(std::string(order) + ": done")) << "else this shows nothing";
  const auto end = run("sandbox\nfile new 0644 1234\nfolder within 0755\nread_own new\nlist_own within\ncut_own new\n");
  EXPECT_TRUE(WIFEXITED(end.status)) << end.status << ": the calls themselves are allowed";
  EXPECT_THAT(end.words, HasSubstr("file: done; folder: done; "));
  EXPECT_THAT(end.words, HasSubstr("read_own: EACCES; list_own: EACCES; "));
  if (landlock < 3) return;
  EXPECT_THAT(end.words, HasSubstr("cut_own: EACCES; "));
}

// A sanitized worker is not shut into its folder, and its sandbox lets through what the sanitizer's own runtime does.
#ifndef BERTH_SANITIZE
TEST_F(Confinement, EndsWhoeverDoesWhatOnlyASanitizerMayDo) {
  expect_killed("peek 1");
  expect_killed("raise_limits");
}

TEST_F(Confinement, EndsWhoeverOpensAnythingByAnyWayButItsOwn) {
  expect_killed("read /etc/shadow");
  expect_killed("above");
  expect_killed("create /tmp/berth-was-here");
  expect_killed("attribute ready");
  expect_killed("capabilities ready");
  EXPECT_FALSE(fs::exists("/tmp/berth-was-here"));
}

TEST_F(Confinement, ShowsNoFolderButItsOwnEvenWithoutASandbox) {
  expect_refused("user_namespace", "EPERM");  // as in any chroot
  expect_refused("read /etc/shadow", "ENOENT");
  expect_refused("read /proc/self/status", "ENOENT");
  expect_refused("create /tmp/berth-was-here", "ENOENT");
  expect_refused("run /bin/sh", "ENOENT");
  EXPECT_THAT(run("folder seen 0755\nread /seen\n").words, HasSubstr("read: done")) << "its root is its folder";
  EXPECT_FALSE(fs::exists("/tmp/berth-was-here"));
}
#endif

TEST_F(Confinement, LetsNobodyForkGainRightsOrReachOthersEvenWithoutASandbox) {
  const std::string berthd = std::to_string(::getpid());
  const std::pair<std::string, const char*> refused[] = {
      {"fork", "EAGAIN"},           {"fork_bomb", "EAGAIN"},          {"kill " + berthd, "ESRCH"},  {"trace " + berthd, "ESRCH"},
      {"peek " + berthd, "ESRCH"},  {"borrow " + berthd, "ESRCH"},    {"become_root", "EPERM"},     {"become_root_group", "EPERM"},
      {"join_groups", "EPERM"},     {"raise_limits", "EPERM"},    {"mount", "EPERM"},
      {"leave_root", "EPERM"},      {"open_by_handle", "EPERM"},      {"device null", "EPERM"},     {"packets", "EPERM"},
      {"set_clock", "EPERM"},       {"set_name", "EPERM"},          {"reboot", "EPERM"},
  };
  for (const auto& [order, reason] : refused) expect_refused(order, reason);
  for (const char* order : {"load_program", "watch_kernel", "load_module"}) expect_refused(order, "E");  // or the kernel has no such thing
}

TEST_F(Confinement, ReachesNobodyWhoListensOnTheNodeEvenWithoutASandbox) {
  const Fd tcp(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(tcp.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(tcp.get(), 1), 0);
  ASSERT_EQ(::getsockname(tcp.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  expect_refused(fmt::format("connect {}", ntohs(address.sin_port)), "ENETUNREACH");

  const std::string name = fmt::format("berth-confinement-{}", ::getpid());
  const Fd local(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un abstract{};
  abstract.sun_family = AF_UNIX;
  name.copy(abstract.sun_path + 1, name.size());
  ASSERT_EQ(::bind(local.get(), reinterpret_cast<const sockaddr*>(&abstract), static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size())), 0);
  ASSERT_EQ(::listen(local.get(), 1), 0);
  expect_refused("connect_abstract " + name, "ECONNREFUSED");
}

}  // namespace
}  // namespace berth::fetch
