#include "core/trust/repository_lock.h"

#include <cerrno>
#include <chrono>
#include <thread>

#include <fcntl.h>
#include <sys/file.h>

#include <fmt/core.h>

#include "core/files/files.h"

namespace berth::trust {

namespace {

constexpr std::chrono::milliseconds kBetweenTries{50};

}  // namespace

Result<Fd> lock_folder(const std::filesystem::path& folder, std::chrono::milliseconds wait) {
  BERTH_TRY(Fd lock, files::open(folder / ".lock", O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
  const auto end = std::chrono::steady_clock::now() + wait;
  while (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return fail_errno("lock " + folder.string());
    if (std::chrono::steady_clock::now() >= end)
      return fail(Errc::conflict, fmt::format("{}: another publisher is {}at work in this repository; try again when it is done, or have --wait DURATION wait for it", folder.string(), wait.count() > 0 ? "still " : ""));
    std::this_thread::sleep_for(kBetweenTries);
  }
  return lock;
}

}  // namespace berth::trust
