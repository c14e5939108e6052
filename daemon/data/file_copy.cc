#include "daemon/data/file_copy.h"

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <fmt/core.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "core/files/files.h"

namespace berth::data {
namespace {

constexpr std::size_t kBuffer = 256u << 10;
constexpr std::uint64_t kAskFreeEvery = 16u << 20;
constexpr std::size_t kMostAttribute = 64u << 10;  // what Linux takes of one, and of their list

/// What the copy has taken stays within its limits.
Result<void> count(Copying& copying, std::uint64_t bytes) {
  copying.done.copied += bytes;
  copying.unchecked += bytes;
  if (copying.limits.stop.stop_requested()) return fail(Errc::cancelled, "the copy was stopped");
  if (copying.done.copied > copying.limits.max_bytes)
    return fail(Errc::no_space, fmt::format("there are more than the {} bytes that may be copied", copying.limits.max_bytes));
  if (copying.unchecked < kAskFreeEvery) return {};
  copying.unchecked = 0;
  BERTH_TRY(const auto free, files::free_bytes(fmt::format("/proc/self/fd/{}", copying.to)));
  if (free < copying.limits.reserve_bytes) return fail(Errc::no_space, "the disk came down to its reserve");
  return {};
}

Result<void> copy_range(int from, int to, std::uint64_t begin, std::uint64_t end, Copying& copying, const fs::path& shown) {
  std::vector<char> buffer(std::min<std::uint64_t>(kBuffer, end - begin));
  for (std::uint64_t at = begin; at < end;) {
    const ssize_t got = ::pread(from, buffer.data(), std::min<std::uint64_t>(buffer.size(), end - at), static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("read " + shown.string());
    if (got == 0) break;  // it became shorter meanwhile
    for (ssize_t wrote = 0; wrote < got;) {
      const ssize_t n = ::pwrite(to, buffer.data() + wrote, static_cast<std::size_t>(got - wrote), static_cast<off_t>(at) + wrote);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return fail_errno("write a copy of " + shown.string());
      wrote += n;
    }
    at += static_cast<std::uint64_t>(got);
    BERTH_CHECK(count(copying, static_cast<std::uint64_t>(got)));
  }
  return {};
}

bool cannot_share(int error) { return error == EOPNOTSUPP || error == ENOTTY || error == EXDEV || error == ENOSYS; }

}  // namespace

std::uint64_t bytes_of(const struct stat& status) {
  const auto size = static_cast<std::uint64_t>(status.st_size), blocks = static_cast<std::uint64_t>(status.st_blocks) * 512;
  return blocks == 0 ? size : std::min(size, blocks);  // small ones may have none: they lie in the inode
}

Result<void> copy_content(int from, int to, const struct stat& status, Copying& copying, const fs::path& shown) {
  copying.done.bytes += bytes_of(status);
  if (status.st_size == 0) return {};
  if (copying.may_share) {
    if (::ioctl(to, FICLONE, from) == 0) {
      copying.done.shared = true;
      return count(copying, 0);
    }
    if (cannot_share(errno)) copying.may_share = false;
    else if (errno == ENOSPC || errno == EDQUOT || errno == EIO) return fail_errno("copy " + shown.string());
  }
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (::ftruncate(to, status.st_size) != 0) return fail_errno("write a copy of " + shown.string());
  for (std::uint64_t at = 0; at < size;) {
    const off_t data = ::lseek(from, static_cast<off_t>(at), SEEK_DATA);
    if (data < 0 && errno == ENXIO) break;  // nothing but a hole follows
    const std::uint64_t begin = data < 0 ? at : static_cast<std::uint64_t>(data);
    const off_t hole = data < 0 ? -1 : ::lseek(from, data, SEEK_HOLE);
    const std::uint64_t end = hole < 0 ? size : std::min(size, static_cast<std::uint64_t>(hole));
    if (begin >= end) break;
    BERTH_CHECK(copy_range(from, to, begin, end, copying, shown));
    at = end;
  }
  return {};
}

Result<void> copy_attributes(int from, int to, const struct stat& status, const fs::path& shown) {
  if (::fchown(to, status.st_uid, status.st_gid) != 0) return fail_errno("chown a copy of " + shown.string());
  if (::fchmod(to, status.st_mode & 07777) != 0) return fail_errno("chmod a copy of " + shown.string());
  std::vector<char> names(kMostAttribute), value(kMostAttribute);
  const ssize_t size = ::flistxattr(from, names.data(), names.size());
  for (ssize_t at = 0; at < size;) {
    const std::string_view name(names.data() + at);
    at += static_cast<ssize_t>(name.size()) + 1;
    const ssize_t length = ::fgetxattr(from, name.data(), value.data(), value.size());
    if (length < 0) continue;
    if (::fsetxattr(to, name.data(), value.data(), static_cast<std::size_t>(length), 0) == 0) continue;
    if (errno == ENOTSUP || errno == EPERM) continue;  // a label of the kernel's own
    return fail_errno(fmt::format("set {} on a copy of {}", name, shown.string()));
  }
  const timespec times[] = {status.st_atim, status.st_mtim};
  if (::futimens(to, times) != 0) return fail_errno("set the times of a copy of " + shown.string());
  return {};
}

}  // namespace berth::data
