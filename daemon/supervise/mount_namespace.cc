#include "daemon/supervise/mount_namespace.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>

namespace berth::supervise {

Fd mount_namespace_of(pid_t pid) {
  Fd its(::open(fmt::format("/proc/{}/ns/mnt", pid).c_str(), O_RDONLY | O_CLOEXEC));
  struct stat there{}, here{};
  if (!its || ::fstat(its.get(), &there) != 0 || ::stat("/proc/self/ns/mnt", &here) != 0 || there.st_ino == here.st_ino) return {};
  return its;
}

}  // namespace berth::supervise
