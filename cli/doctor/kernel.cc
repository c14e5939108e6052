#include <algorithm>
#include <cerrno>
#include <sstream>

#include <fcntl.h>
#include <fmt/core.h>
#include <fmt/ranges.h>
#include <linux/landlock.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cli/doctor/checks.h"
#include "core/files/files.h"
#include "daemon/host/cgroup.h"

namespace berth::cli::doctor {
namespace {


std::set<std::string> words_in(const std::string& text) {
  std::istringstream stream(text);
  std::set<std::string> words;
  for (std::string word; stream >> word;) words.insert(word);
  return words;
}

bool has_openat2() {
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  const Fd opened(static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, "/", &how, sizeof how)));
  return opened || errno != ENOSYS;
}

bool has_pidfd() {
  const Fd opened(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
  return static_cast<bool>(opened);
}

bool has_seccomp() {
  std::uint32_t action = SECCOMP_RET_KILL_PROCESS;
  return ::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

}  // namespace

KernelFacts kernel_facts(const fs::path& root) {
  KernelFacts facts;
  utsname name{};
  if (::uname(&name) == 0) facts.release = name.release;
  if (const auto mounts = files::read(root / "proc/self/mountinfo", kMostSystemFile)) {
    if (const auto mount = host::cgroup2_mount(*mounts)) {
      facts.cgroup2 = true;
      facts.controllers = words_in(files::read(root / mount->relative_path() / "cgroup.controllers", kMostSystemFile).value_or(""));
    }
  }
  std::error_code missing;
  for (const char* space : {"cgroup", "ipc", "mnt", "net", "pid", "user", "uts"})
    if (fs::exists(fs::symlink_status(root / "proc/self/ns" / space, missing))) facts.namespaces.insert(space);
  facts.openat2 = has_openat2();
  facts.pidfd = has_pidfd();
  facts.seccomp = has_seccomp();
  facts.landlock = std::max(0, static_cast<int>(::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION)));
  return facts;
}

Findings judge_kernel(const KernelFacts& facts) {
  Findings findings;
  const auto say = [&](Level level, std::string seen, std::string why, std::string remedy) {
    findings.push_back({level, "kernel", std::move(seen), std::move(why), std::move(remedy)});
  };
  const std::string other_kernel = "boot a kernel of Debian 12 or newer (6.1), or one that is built with it";
  if (!facts.openat2) say(Level::error, "openat2 is missing", "berthd opens files of releases by it, so that no link leads out of a folder", other_kernel);
  if (!facts.pidfd) say(Level::error, "pidfd_open is missing", "keepers and workers are watched and ended by it", other_kernel);
  if (!facts.seccomp) say(Level::error, "seccomp filters are missing", "nothing is unpacked, and no sandbox holds, without them", other_kernel);
  std::set<std::string> lacking;
  for (const char* space : {"ipc", "mnt", "net", "pid", "uts"})
    if (!facts.namespaces.contains(space)) lacking.insert(space);
  if (!lacking.empty())
    say(Level::error, fmt::format("namespaces are missing: {}", fmt::join(lacking, ", ")), "the worker that unpacks releases is shut in by them, and does not start without", other_kernel);
  if (!facts.cgroup2) {
    say(Level::warning, "no cgroup2 is mounted", "limits of apps are not enforced, and memory is counted by process", "boot with systemd.unified_cgroup_hierarchy=1, or mount cgroup2 at /sys/fs/cgroup");
  } else {
    std::set<std::string> missing;
    for (const char* controller : {"cpu", "io", "memory", "pids"})
      if (!facts.controllers.contains(controller)) missing.insert(controller);
    if (!missing.empty())
      say(Level::warning, fmt::format("cgroup2 lacks the controllers {}", fmt::join(missing, ", ")), "limits of that kind are not enforced",
          "unmount the hierarchies of cgroup v1 that hold them, or boot without cgroup_disable=");
  }
  if (facts.landlock == 0)
    say(Level::warning, "Landlock is missing", "the worker that unpacks releases has one wall less; its root, user, namespaces and seccomp list hold all the same",
        "boot with landlock among lsm=");
  if (findings.empty())
    say(Level::ok, fmt::format("{}: cgroup2, openat2, pidfd, seccomp, Landlock {}, namespaces ({})", facts.release, facts.landlock, fmt::join(facts.namespaces, ", ")), {}, {});
  return findings;
}

Findings judge_worker(const host::WorkerUser& user) {
  if (!user.is_nobody) return {{Level::ok, "worker", fmt::format("what unpacks releases runs as a user of its own ({}, uid {})", host::kWorkerUser, user.uid)}};
  return {{Level::warning, "worker", fmt::format("there is no user {}: what unpacks releases runs as nobody", host::kWorkerUser),
           "whatever else runs as nobody is of the same user: the worker has one wall less", host::kMakeWorkerUser}};
}

}  // namespace berth::cli::doctor
