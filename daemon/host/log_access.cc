#include "daemon/host/log_access.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "core/files/fd.h"

namespace berth::host {
namespace {

namespace fs = std::filesystem;

constexpr int kDepth = 2;  ///< folders below the root: of apps, of instances

Result<void> share(const fs::path& path, gid_t group, int depth) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0) {
    if (errno == ENOENT || errno == ELOOP) return {};  // rotated away meanwhile, or nobody's log
    return fail_errno("let a group read " + path.string());
  }
  const bool is_folder = S_ISDIR(status.st_mode);
  if (!is_folder && !S_ISREG(status.st_mode)) return {};
  if (status.st_gid != group && ::fchown(file.get(), static_cast<uid_t>(-1), group) != 0) return fail_errno("let a group read " + path.string());
  if (!is_folder) return {};
  // After the owner, of which a change takes the bit away.
  if ((status.st_mode & S_ISGID) == 0 && ::fchmod(file.get(), (status.st_mode & 07777) | S_ISGID) != 0) return fail_errno("let a group read " + path.string());
  if (depth > kDepth) return {};
  std::error_code error;
  for (fs::directory_iterator entry(path, error); !error && entry != fs::directory_iterator(); entry.increment(error))
    BERTH_CHECK(share(entry->path(), group, depth + 1));
  return {};
}

}  // namespace

Result<void> share_logs(const fs::path& root, gid_t group) { return share(root, group, 0); }

}  // namespace berth::host
