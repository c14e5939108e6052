#include "daemon/host/disks.h"

#include <sys/stat.h>
#include <sys/statvfs.h>

namespace berth::host {

std::optional<Room> room_on_another_disk(const std::filesystem::path& path, const std::filesystem::path& than) {
  struct stat one {}, other {};
  if (::stat(path.c_str(), &one) != 0 || ::stat(than.c_str(), &other) != 0 || one.st_dev == other.st_dev) return std::nullopt;
  struct statvfs about {};
  if (::statvfs(path.c_str(), &about) != 0) return std::nullopt;
  return Room{.free = static_cast<std::uint64_t>(about.f_bavail) * about.f_frsize, .size = static_cast<std::uint64_t>(about.f_blocks) * about.f_frsize};
}

}  // namespace berth::host
