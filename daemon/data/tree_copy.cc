#include "daemon/data/tree_copy.h"

#include <cerrno>
#include <climits>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/files/files.h"
#include "daemon/data/file_copy.h"

namespace berth::data {
namespace {

constexpr int kDeepest = 128;  ///< folders in each other: each holds two descriptors open

using Listing = std::unique_ptr<DIR, int (*)(DIR*)>;
using Inode = std::pair<dev_t, ino_t>;

Result<Fd> open_folder(int parent, const char* name, const fs::path& shown) {
  Fd folder(::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!folder) return fail_errno("open " + shown.string());
  return folder;
}

/// A listing of its own: reading it moves no offset of `folder`.
Result<Listing> list_folder(int folder, const fs::path& shown) {
  BERTH_TRY(Fd again, open_folder(folder, ".", shown));
  Listing listing(::fdopendir(again.get()), ::closedir);
  if (!listing) return fail_errno("list " + shown.string());
  again.release();  // closedir closes it
  return listing;
}

/// The next entry's name; null at the end.
Result<const char*> next_entry(DIR* listing, const fs::path& shown) {
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(listing);
    if (entry == nullptr && errno != 0) return fail_errno("list " + shown.string());
    if (entry == nullptr) return nullptr;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") return entry->d_name;
  }
}

class TreeCopy {
 public:
  TreeCopy(int root, const CopyLimits& limits) : copying_{.limits = limits, .to = root, .done = {}} {}

  Result<void> folder(int from, int to, const std::string& below, const fs::path& shown, int depth) {
    if (depth > kDeepest) return fail(Errc::io, fmt::format("{}: more than {} folders in each other are not copied", shown.string(), kDeepest));
    BERTH_TRY(const Listing listing, list_folder(from, shown));
    for (;;) {
      if (copying_.limits.stop.stop_requested()) return fail(Errc::cancelled, "the copy was stopped");
      BERTH_TRY(const char* name, next_entry(listing.get(), shown));
      if (name == nullptr) break;
      BERTH_CHECK(entry(from, to, name, below, shown / name, depth));
    }
    struct stat status{};
    if (::fstat(from, &status) != 0) return fail_errno("stat " + shown.string());
    return copy_attributes(from, to, status, shown);
  }

  const CopiedTree& done() const { return copying_.done; }

 private:
  Result<void> entry(int from, int to, const char* name, const std::string& below, const fs::path& shown, int depth) {
    struct stat status{};
    if (::fstatat(from, name, &status, AT_SYMLINK_NOFOLLOW) != 0) return errno == ENOENT ? Result<void>() : fail_errno("stat " + shown.string());
    switch (status.st_mode & S_IFMT) {
      case S_IFDIR: {
        if (::mkdirat(to, name, 0700) != 0) return fail_errno("make a copy of " + shown.string());
        BERTH_TRY(const Fd source, open_folder(from, name, shown));
        BERTH_TRY(const Fd target, open_folder(to, name, shown));
        return folder(source.get(), target.get(), below + name + "/", shown, depth + 1);
      }
      case S_IFREG: return file(from, to, name, below, shown, status);
      case S_IFLNK: return link(from, to, name, shown, status);
      default: return special(to, name, shown, status);
    }
  }

  Result<void> file(int from, int to, const char* name, const std::string& below, const fs::path& shown, const struct stat& status) {
    const Inode inode(status.st_dev, status.st_ino);
    if (const auto known = linked_.find(inode); status.st_nlink > 1 && known != linked_.end()) {
      if (::linkat(copying_.to, known->second.c_str(), to, name, 0) != 0) return fail_errno("link a copy of " + shown.string());
      return {};
    }
    const Fd source(::openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!source) return fail_errno("open " + shown.string());
    struct stat opened{};
    if (::fstat(source.get(), &opened) != 0) return fail_errno("stat " + shown.string());
    if (!S_ISREG(opened.st_mode)) return fail(Errc::io, shown.string() + ": it was exchanged while it was copied");
    const Fd target(::openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!target) return fail_errno("make a copy of " + shown.string());
    BERTH_CHECK(copy_content(source.get(), target.get(), opened, copying_, shown));
    if (status.st_nlink > 1) linked_.emplace(inode, below + name);
    return copy_attributes(source.get(), target.get(), opened, shown);
  }

  Result<void> link(int from, int to, const char* name, const fs::path& shown, const struct stat& status) {
    std::string target(PATH_MAX, '\0');
    const ssize_t size = ::readlinkat(from, name, target.data(), target.size());
    if (size < 0) return fail_errno("read the link " + shown.string());
    target.resize(static_cast<std::size_t>(size));
    if (::symlinkat(target.c_str(), to, name) != 0) return fail_errno("make a copy of " + shown.string());
    return dress(to, name, shown, status);
  }

  /// A pipe, a socket's name, a device.
  Result<void> special(int to, const char* name, const fs::path& shown, const struct stat& status) {
    if (::mknodat(to, name, (status.st_mode & S_IFMT) | 0600, status.st_rdev) != 0) return fail_errno("make a copy of " + shown.string());
    BERTH_CHECK(dress(to, name, shown, status));
    if (::fchmodat(to, name, status.st_mode & 07777, 0) != 0) return fail_errno("chmod a copy of " + shown.string());
    return {};
  }

  /// Owner and times of what cannot be opened.
  static Result<void> dress(int to, const char* name, const fs::path& shown, const struct stat& status) {
    if (::fchownat(to, name, status.st_uid, status.st_gid, AT_SYMLINK_NOFOLLOW) != 0) return fail_errno("chown a copy of " + shown.string());
    const timespec times[] = {status.st_atim, status.st_mtim};
    if (::utimensat(to, name, times, AT_SYMLINK_NOFOLLOW) != 0) return fail_errno("set the times of a copy of " + shown.string());
    return {};
  }

  Copying copying_;
  std::map<Inode, std::string> linked_;  ///< files of several names → the first one's copy, below the top
};

Result<void> add_bytes(int folder, const fs::path& shown, int depth, const std::stop_token& stop, std::set<Inode>& seen, std::uint64_t& bytes) {
  if (depth > kDeepest) return {};  // copying it says so
  BERTH_TRY(const Listing listing, list_folder(folder, shown));
  for (;;) {
    if (stop.stop_requested()) return fail(Errc::cancelled, "stopped");
    BERTH_TRY(const char* name, next_entry(listing.get(), shown));
    if (name == nullptr) return {};
    struct stat status{};
    if (::fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) != 0) continue;  // it is at work, and may go
    if (S_ISREG(status.st_mode) && (status.st_nlink == 1 || seen.emplace(status.st_dev, status.st_ino).second)) bytes += bytes_of(status);
    if (!S_ISDIR(status.st_mode)) continue;
    const auto inside = open_folder(folder, name, shown / name);
    if (inside) BERTH_CHECK(add_bytes(inside->get(), shown / name, depth + 1, stop, seen, bytes));
  }
}

}  // namespace

Result<CopiedTree> copy_tree(const fs::path& from, const fs::path& to, const CopyLimits& limits) {
  BERTH_TRY(const Fd source, open_folder(AT_FDCWD, from.c_str(), from));
  BERTH_TRY(const Fd target, open_folder(AT_FDCWD, to.c_str(), to));
  TreeCopy copy(target.get(), limits);
  BERTH_CHECK(copy.folder(source.get(), target.get(), "", from, 0));
  if (::syncfs(target.get()) != 0) return fail_errno("sync " + to.string());
  return copy.done();
}

Result<std::uint64_t> tree_bytes(const fs::path& folder, const std::stop_token& stop) {
  BERTH_TRY(const Fd opened, open_folder(AT_FDCWD, folder.c_str(), folder));
  std::set<Inode> seen;
  std::uint64_t bytes = 0;
  BERTH_CHECK(add_bytes(opened.get(), folder, 0, stop, seen, bytes));
  return bytes;
}

}  // namespace berth::data
