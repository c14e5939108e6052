#include <gmock/gmock.h>

#include "daemon/keeper/keeper_fixture.h"

namespace berth::keeper {
namespace {

using Kind = Confinement::Kind;

/// What an app in a sandbox finds of the folder `root`.
class KeeperSandbox : public KeeperFixture {
 protected:
  void SetUp() override {
    KeeperFixture::SetUp();
    for (const char* folder : {"a", "a/b", "a/b/c"}) {
      fs::create_directories(root / folder);
      fs::permissions(root / folder, fs::perms(0777));
      std::ofstream(root / folder / "file") << folder;
      fs::permissions(root / folder / "file", fs::perms(0666));
    }
  }
  std::string at(const char* path) const { return (root / path).string(); }

  /// Runs a script in Python; what it prints is in the log by then.
  void run(const std::string& script, std::vector<Confinement> confinement, const std::function<void(Launch&)>& more = [](Launch&) {}) {
    auto plan = shell("");
    plan.argv = {"/usr/bin/python3", "-c",
                 "import ctypes, errno, mmap, os, socket, sys\n"
                 "def tried(name, what):\n"
                 "    try:\n"
                 "        got = what()\n"
                 "        print(name, 'done' if got is None else got, flush=True)\n"
                 "    except OSError as error: print(name, errno.errorcode[error.errno], flush=True)\n"
                 "root = '" + root.string() + "/'\n"
                 "def write(path): tried('write ' + path, lambda: open(root + path, 'w').close())\n"
                 "def read(path): tried('read ' + path, lambda: open(root + path).read())\n" + script};
    plan.confinement = std::move(confinement);
    plan.restart = RestartWhen::never;
    plan.uid = plan.gid = 65534;
    more(plan);
    start_keeper();
    launch(plan);
    ended = expect(Event::ended);
  }
  std::string said() const {
    std::string all;
    for (const auto& line : lines()) all += line.substr(std::min<std::size_t>(9, line.size())) + "\n";
    return all;
  }

  State ended{};
};

TEST_F(KeeperSandbox, HasPathsReadOnlyAndWritableInEachOther) {
  run("for path in ('a/file', 'a/b/file', 'a/b/c/file'): write(path)\nread('a/file')",
      {{.kind = Kind::read_only, .path = at("a")}, {.kind = Kind::writable, .path = at("a/b")}, {.kind = Kind::read_only, .path = at("a/b/c")}});
  EXPECT_EQ(said(), "write a/file EROFS\nwrite a/b/file done\nwrite a/b/c/file EROFS\nread a/file a\n");
  EXPECT_EQ(slurp(root / "a/file"), "a");
  EXPECT_EQ(slurp(root / "a/b/file"), "") << "it is the same file outside";
}

TEST_F(KeeperSandbox, HasEverythingReadOnlyButWhatIsNamed) {
  run("write('a/file'); write('a/b/file'); tried('dev', lambda: open('/dev/null', 'w').close())\n"
      "tried('tmp', lambda: open('/tmp/berth-sandbox-test', 'w').close())",
      {{.kind = Kind::read_only, .path = "/"}, {.kind = Kind::writable, .path = "/dev"}, {.kind = Kind::writable, .path = "/proc"},
       {.kind = Kind::writable, .path = at("a/b")}});
  EXPECT_EQ(said(), "write a/file EROFS\nwrite a/b/file done\ndev done\ntmp EROFS\n");
}

TEST_F(KeeperSandbox, HidesFoldersAndFiles) {
  run("read('a/file'); read('a/b/file'); tried('list', lambda: os.listdir(root + 'a/b')); read('a/b/c/file')",
      {{.kind = Kind::hidden, .path = at("a/file")}, {.kind = Kind::hidden, .path = at("a/b")}, {.kind = Kind::hidden, .path = at("none"), .optional = true}});
  EXPECT_EQ(said(), "read a/file EACCES\nread a/b/file EACCES\nlist EACCES\nread a/b/c/file EACCES\n");
  EXPECT_TRUE(fs::exists(root / "a/b/c/file"));
}

TEST_F(KeeperSandbox, HasMemoryOfItsOwnWhereThatIsSaid) {
  run("tried('list', lambda: sorted(os.listdir(root + 'a'))); write('a/new'); write('a/b/file')",
      {{.kind = Kind::memory, .path = at("a")}});
  EXPECT_EQ(said(), "list []\nwrite a/new done\nwrite a/b/file ENOENT\n");
  EXPECT_FALSE(fs::exists(root / "a/new"));
}

TEST_F(KeeperSandbox, HasItsOwnFoldersAlsoInWhatIsMemoryOrHiddenOrEmpty) {
  for (const Kind kind : {Kind::memory, Kind::hidden, Kind::empty}) {
    SCOPED_TRACE(static_cast<int>(kind));
    run("write('a/b/c/file'); read('a/file'); tried('list', lambda: os.listdir(root + 'a/b')); tried('make', lambda: os.mkdir(root + 'a/b/new'))",
        {{.kind = kind, .path = at("a")}, {.kind = Kind::writable, .path = at("a/b/c")}});
    const std::string list = kind == Kind::hidden ? "list EACCES\n" : "list ['c']\n", make = kind == Kind::memory ? "make EACCES\n" : "make EROFS\n";
    EXPECT_THAT(said(), testing::EndsWith("write a/b/c/file done\nread a/file ENOENT\n" + list + make));
    TearDown();
    SetUp();
  }
}

TEST_F(KeeperSandbox, HidesWhatIsHiddenInWhatIsHiddenAndShowsWhatIsWritableInThere) {
  run("read('a/b/c/file'); read('a/b/file')",
      {{.kind = Kind::writable, .path = at("a/b/c")}, {.kind = Kind::hidden, .path = at("a/b")}, {.kind = Kind::hidden, .path = at("a")}});
  EXPECT_EQ(said(), "read a/b/c/file a/b/c\nread a/b/file ENOENT\n");
}

TEST_F(KeeperSandbox, FollowsSymlinksToWhatIsMeantAndPutsItInOrderByThat) {
  fs::create_symlink("a/b/c", root / "link");
  fs::create_symlink("b/file", root / "a/name");
  run("write('a/b/c/file'); write('link/file'); write('a/b/file'); read('a/b/file'); read('a/name'); write('a/b/new')",
      {{.kind = Kind::read_only, .path = at("link")}, {.kind = Kind::hidden, .path = at("a/name")}, {.kind = Kind::writable, .path = at("a/b")}});
  EXPECT_EQ(said(), "write a/b/c/file EROFS\nwrite link/file EROFS\nwrite a/b/file EACCES\nread a/b/file EACCES\nread a/name EACCES\nwrite a/b/new done\n");
}

TEST_F(KeeperSandbox, PutsNothingInPlaceOfTheRootNorAFolderInPlaceOfAFile) {
  fs::create_directory_symlink("/", root / "top");
  run("", {{.kind = Kind::hidden, .path = at("top")}});
  EXPECT_EQ(ended.last_exit.stage, Stage::confine);
  EXPECT_EQ(ended.last_exit.error, EINVAL);
}

TEST_F(KeeperSandbox, DoesNotStartWhereAPathIsMissingAndSaysSo) {
  run("", {{.kind = Kind::read_only, .path = at("none")}});
  EXPECT_EQ(ended.last_exit.cause, Cause::not_started);
  EXPECT_EQ(ended.last_exit.stage, Stage::confine);
  EXPECT_EQ(ended.last_exit.error, ENOENT);
  EXPECT_EQ(describe_failure(static_cast<int>(ended.last_exit.stage), ended.last_exit.error, "x"),
            "enter its sandbox (a path of it is missing; '-' in front passes over it): No such file or directory");
}

TEST_F(KeeperSandbox, LeavesTheNodesOwnMountsAlone) {
  const auto before = slurp("/proc/self/mountinfo");
  run("", {{.kind = Kind::read_only, .path = "/"}, {.kind = Kind::memory, .path = at("a")}, {.kind = Kind::hidden, .path = at("a/file"), .optional = true}});
  EXPECT_EQ(slurp("/proc/self/mountinfo"), before);
}

TEST_F(KeeperSandbox, MakesSocketsOfTheNamedFamiliesAlone) {
  run("for family in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX, socket.AF_NETLINK):\n"
      "    tried(int(family), lambda: socket.socket(family, socket.SOCK_DGRAM).close())",
      {}, [](Launch& plan) { plan.address_families = {AF_INET, AF_UNIX}; });
  EXPECT_EQ(said(), fmt::format("{} done\n{} EAFNOSUPPORT\n{} done\n{} EAFNOSUPPORT\n", AF_INET, AF_INET6, AF_UNIX, AF_NETLINK));
}

TEST_F(KeeperSandbox, MakesSocketsByNoOtherWay) {
  run("libc = ctypes.CDLL(None, use_errno=True)\n"
      "print('ring', libc.syscall(425, 1, None), errno.errorcode[ctypes.get_errno()], flush=True)",
      {}, [](Launch& plan) { plan.address_families = {AF_INET}; });
  EXPECT_EQ(said(), "ring -1 ENOSYS\n");
}

TEST_F(KeeperSandbox, ExecutesNothingThatIsWrittenTo) {
  run("W, X, R = mmap.PROT_WRITE, mmap.PROT_EXEC, mmap.PROT_READ\n"
      "tried('both', lambda: mmap.mmap(-1, 4096, prot=R | W | X).close())\n"
      "tried('write', lambda: mmap.mmap(-1, 4096, prot=R | W).close())\n"
      "libc = ctypes.CDLL(None, use_errno=True)\n"
      "libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]\n"
      "page = mmap.mmap(-1, 4096, prot=R | W)\n"
      "address = ctypes.addressof(ctypes.c_char.from_buffer(page))\n"
      "print('later', libc.mprotect(address, 4096, R | X), errno.errorcode[ctypes.get_errno()], flush=True)\n"
      "print('read', libc.mprotect(address, 4096, R), flush=True)\n"
      "print('personality', libc.personality(0xffffffff), libc.personality(0x400000), errno.errorcode[ctypes.get_errno()], libc.personality(0), flush=True)",
      {}, [](Launch& plan) { plan.deny_write_execute = true; });
  EXPECT_EQ(said(), "both EPERM\nwrite done\nlater -1 EPERM\nread 0\npersonality 0 -1 EPERM 0\n");
}

TEST_F(KeeperSandbox, HasTheUmaskThatIsSaid) {
  run("print(oct(os.umask(0)), flush=True)", {}, [](Launch& plan) { plan.umask = 027; });
  EXPECT_EQ(said(), "0o27\n");
}

TEST_F(KeeperSandbox, IsOverForNobodyWhoGainsPrivileges) {
  run("print([line.split()[1] for line in open('/proc/self/status') if line.startswith(('NoNewPrivs', 'Seccomp:', 'CapEff'))], flush=True)", {},
      [](Launch& plan) { plan.address_families = {AF_UNIX}; });
  EXPECT_EQ(said(), "['0000000000000000', '1', '2']\n");
}

/// What the kernel says of its capabilities, a line a set.
constexpr const char* kTellCapabilities = "for line in open('/proc/self/status'):\n    if line.startswith('Cap'): print(line.split()[0], int(line.split()[1], 16), flush=True)\n";

TEST_F(KeeperSandbox, HasTheCapabilitiesThatItIsGivenAndCanHaveNoOthers) {
  constexpr std::uint64_t kBind = 1u << 10, kKill = 1u << 5;
  run(kTellCapabilities + std::string("tried('bind', lambda: socket.create_server(('127.0.0.1', 81)).close())\n"), {}, [](Launch& plan) {
    plan.bounding = kBind | kKill;
    plan.ambient = kBind;
  });
  EXPECT_EQ(said(), fmt::format("CapInh: {0}\nCapPrm: {0}\nCapEff: {0}\nCapBnd: {1}\nCapAmb: {0}\nbind done\n", kBind, kBind | kKill));
}

TEST_F(KeeperSandbox, HasNoneWhereNoneIsSaid) {
  run(kTellCapabilities, {}, [](Launch& plan) { plan.bounding = 0; });
  EXPECT_EQ(said(), "CapInh: 0\nCapPrm: 0\nCapEff: 0\nCapBnd: 0\nCapAmb: 0\n");
}

TEST_F(KeeperSandbox, MayLeaveRootLessThanAll) {
  constexpr std::uint64_t kKill = 1u << 5;
  run(kTellCapabilities + std::string("tried('chown', lambda: os.chown(root + 'a', 1, 1))\n"), {}, [](Launch& plan) {
    plan.uid = plan.gid = 0;
    plan.may_gain_privileges = true;
    plan.bounding = kKill;
  });
  EXPECT_EQ(said(), fmt::format("CapInh: 0\nCapPrm: {0}\nCapEff: {0}\nCapBnd: {0}\nCapAmb: 0\nchown EPERM\n", kKill));
}

TEST_F(KeeperSandbox, HasDevicesOfItsOwn) {
  std::vector<Confinement> devices{{.kind = Kind::devices, .path = "/dev"}};
  for (const char* device : {"null", "urandom", "pts", "shm", "no-such-device"}) devices.push_back({.kind = Kind::writable, .path = std::string("/dev/") + device, .optional = true});
  run("tried('null', lambda: print('x', file=open('/dev/null', 'w')))\n"
      "tried('random', lambda: len(open('/dev/urandom', 'rb').read(3)))\n"
      "tried('stdout', lambda: open('/dev/stdout', 'w').close())\n"
      "tried('more', lambda: sorted(set(os.listdir('/dev')) - {'null', 'urandom', 'pts', 'shm', 'fd', 'stdin', 'stdout', 'stderr', 'core', 'log', 'ptmx'}))\n"
      "tried('make', lambda: open('/dev/mine', 'w').close())\n"
      "import pty\ntried('terminal', lambda: [os.close(fd) for fd in pty.openpty()] and 'made')\n",
      devices);
  EXPECT_EQ(said(), "null done\nrandom 3\nstdout done\nmore []\nmake EROFS\nterminal made\n");
  EXPECT_TRUE(fs::exists("/dev/zero")) << "outside all is as it was";
}

}  // namespace
}  // namespace berth::keeper
