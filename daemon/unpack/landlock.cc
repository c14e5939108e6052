#include "daemon/unpack/landlock.h"

#include <cerrno>
#include <cstdint>

#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/files/fd.h"

namespace berth::unpack {
namespace {

/// `struct landlock_ruleset_attr` of version 6; the header may be older than the kernel, which wants zeros in what it does not know.
struct Handled {
  std::uint64_t files = 0;
  std::uint64_t network = 0;
  std::uint64_t scoped = 0;
};

/// Everything that this version can forbid.
Handled everything(int version) {
  Handled all{.files = (1u << 13) - 1};        // execute … make_sym
  if (version >= 2) all.files |= 1u << 13;     // refer
  if (version >= 3) all.files |= 1u << 14;     // truncate
  if (version >= 4) all.network = 3;           // bind, connect (TCP)
  if (version >= 5) all.files |= 1u << 15;     // ioctl_dev
  if (version >= 6) all.scoped = 3;            // abstract sockets, signals
  return all;
}

}  // namespace

Result<int> restrict_to(int target) {
  const int version = static_cast<int>(::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION));
  // EPERM: a container's seccomp profile that is older than Landlock refuses the call; a kernel never does.
  if (version < 0 && (errno == ENOSYS || errno == EOPNOTSUPP || errno == EPERM)) return 0;
  if (version < 0) return fail_errno("ask for Landlock");

  const Handled handled = everything(version);
  const Fd rules(static_cast<int>(::syscall(SYS_landlock_create_ruleset, &handled, sizeof handled, 0)));
  if (!rules) return fail_errno("make Landlock rules");
  const landlock_path_beneath_attr allowed{
      .allowed_access = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_SYM,
      .parent_fd = target};
  if (::syscall(SYS_landlock_add_rule, rules.get(), LANDLOCK_RULE_PATH_BENEATH, &allowed, 0) < 0) return fail_errno("add a Landlock rule");
  if (::syscall(SYS_landlock_restrict_self, rules.get(), 0) < 0) return fail_errno("enter Landlock");
  return version;
}

}  // namespace berth::unpack
