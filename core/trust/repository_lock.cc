#include "core/trust/repository_lock.h"

#include <cerrno>

#include <fcntl.h>
#include <sys/file.h>

#include <fmt/core.h>

#include "core/files/files.h"

namespace berth::trust {

Result<Fd> lock_folder(const std::filesystem::path& folder) {
  BERTH_TRY(Fd lock, files::open(folder / ".lock", O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) == 0) return lock;
  if (errno == EWOULDBLOCK)
    return fail(Errc::conflict, fmt::format("{}: another publisher is at work in this repository; try again when it is done", folder.string()));
  return fail_errno("lock " + folder.string());
}

}  // namespace berth::trust
