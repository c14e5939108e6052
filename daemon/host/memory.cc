#include "daemon/host/memory.h"

#include <linux/magic.h>
#include <sys/prctl.h>
#include <sys/statfs.h>

namespace berth::host {

void forbid_core_files() { ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }

bool is_in_memory(const std::filesystem::path& path) {
  struct statfs about{};
  return ::statfs(path.c_str(), &about) == 0 && (about.f_type == TMPFS_MAGIC || about.f_type == RAMFS_MAGIC);
}

}  // namespace berth::host
