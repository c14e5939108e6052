#include "daemon/unpack/landlock.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace berth::unpack {
namespace {

constexpr int kFailed = 99;

/// What `restrict_to` of an open folder gives in a process of its own, in which Landlock's first call is answered with `answer`; 0: by the kernel.
int version_with(int answer) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) ::_exit(kFailed);
    if (answer != 0) {
      scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
      if (filter == nullptr || seccomp_rule_add(filter, SCMP_ACT_ERRNO(static_cast<unsigned>(answer)), SYS_landlock_create_ruleset, 0) != 0 || seccomp_load(filter) != 0) ::_exit(kFailed);
    }
    const auto version = restrict_to(::open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC));
    ::_exit(version ? *version : kFailed);
  }
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child || !WIFEXITED(status)) return kFailed;
  return WEXITSTATUS(status);
}

TEST(Landlock, IsAsGoodAsMissingWhereTheKernelHasNoneOrAContainersFilterRefusesIt) {
  for (const int answer : {ENOSYS, EOPNOTSUPP, EPERM}) EXPECT_EQ(version_with(answer), 0) << answer;
  EXPECT_EQ(version_with(EMFILE), kFailed) << "else nobody would notice that it is not there";
}

TEST(Landlock, IsTheKernels) {
  const long version = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  EXPECT_EQ(version_with(0), std::max(0L, version));
}

}  // namespace
}  // namespace berth::unpack
