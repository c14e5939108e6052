#include "daemon/unpack/sandbox.h"

#include <memory>

#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "daemon/unpack/landlock.h"

namespace berth::unpack {
namespace {

/// What decoding, writing below one folder, memory and an orderly end need.
constexpr int kAllowed[] = {
    SCMP_SYS(read), SCMP_SYS(pread64), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(close),
    SCMP_SYS(openat2), SCMP_SYS(mkdirat), SCMP_SYS(symlinkat),
    SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(futex),
    SCMP_SYS(clock_gettime), SCMP_SYS(getrandom), SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(tgkill),
    SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack), SCMP_SYS(restart_syscall),
    SCMP_SYS(exit), SCMP_SYS(exit_group),
#ifdef BERTH_SANITIZE
    // What a sanitizer's own runtime does, above all to tell what it found.
    SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(fstat),
    SCMP_SYS(newfstatat), SCMP_SYS(getrlimit), SCMP_SYS(prlimit64), SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity), SCMP_SYS(uname),
    SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(getppid), SCMP_SYS(dup), SCMP_SYS(fcntl), SCMP_SYS(lseek),
    SCMP_SYS(ioctl), SCMP_SYS(prctl), SCMP_SYS(pipe), SCMP_SYS(pipe2), SCMP_SYS(process_vm_readv),
#endif
};

Result<void> fail_with(const char* doing, int negative) { return fail_errno(doing, -negative); }

/// Only these calls; memory never becomes code; anything else is the end of the process.
Result<void> filter_calls() {
  const std::unique_ptr<void, decltype(&seccomp_release)> filter(seccomp_init(SCMP_ACT_KILL_PROCESS), seccomp_release);
  if (!filter) return fail(Errc::io, "make a seccomp filter: no memory");
  for (const int call : kAllowed) {
    if (const int done = seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, call, 0); done < 0) return fail_with("make a seccomp filter", done);
  }
  for (const int call : {SCMP_SYS(mmap), SCMP_SYS(mprotect)}) {
    const int done = seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, call, 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    if (done < 0) return fail_with("make a seccomp filter", done);
  }
  if (const int done = seccomp_load(filter.get()); done < 0) return fail_with("enter the seccomp filter", done);
  return {};
}

}  // namespace

Result<void> enter_sandbox(int target) {
  // Undumpable: a process of the same user can then neither trace this one nor borrow its descriptors.
  if (::prctl(PR_SET_DUMPABLE, 0) < 0) return fail_errno("become undumpable");
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return fail_errno("give up new privileges");
  BERTH_CHECK(restrict_to(target));
  return filter_calls();
}

}  // namespace berth::unpack
