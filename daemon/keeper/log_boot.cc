#include "daemon/keeper/log_boot.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

namespace berth::keeper {
namespace {

constexpr char kMark[] = ".boot";
constexpr size_t kIdSize = 36;  ///< a UUID

/// The boot id in a file, without a NUL; false where the file has none, which `errno` tells where it could not be opened.
bool read_id(int folder, const char* name, char* id) {
  const int file = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (file < 0) return false;
  const ssize_t size = read(file, id, kIdSize);
  close(file);
  errno = 0;
  return size == static_cast<ssize_t>(kIdSize);
}

bool read_kernels_id(char* id) { return read_id(AT_FDCWD, "/proc/sys/kernel/random/boot_id", id); }

}  // namespace

WrittenIn written_in(int folder) {
  char now[kIdSize], then[kIdSize];
  if (!read_kernels_id(now)) return WrittenIn::this_boot;
  if (!read_id(folder, kMark, then)) return errno == ENOENT ? WrittenIn::unknown : WrittenIn::another_boot;
  return memcmp(now, then, kIdSize) == 0 ? WrittenIn::this_boot : WrittenIn::another_boot;
}

void note_this_boot(int folder) {
  char id[kIdSize + 1];
  if (!read_kernels_id(id)) return;
  id[kIdSize] = '\n';
  const int file = openat(folder, kMark, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
  if (file < 0) return;
  (void)!write(file, id, sizeof id);  // half of one counts as another one
  close(file);
}

}  // namespace berth::keeper
