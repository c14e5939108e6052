#include "daemon/data/snapshot.h"

#include <cerrno>
#include <cstring>
#include <optional>
#include <vector>

#include <fcntl.h>
#include <fmt/core.h>
#include <linux/btrfs.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "core/files/files.h"
#include "daemon/data/mounts.h"

namespace berth::data {
namespace {

constexpr ino_t kSubvolumeInode = 256;  // BTRFS_FIRST_FREE_OBJECTID: the top folder of each subvolume has it

bool is_on_btrfs(int fd) {
  struct statfs about{};
  return ::fstatfs(fd, &about) == 0 && static_cast<std::uint32_t>(about.f_type) == BTRFS_SUPER_MAGIC;
}

/// The top folder of a subvolume; nothing where `path` is none.
Fd open_subvolume(const fs::path& path) {
  Fd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat status{};
  if (folder && is_on_btrfs(folder.get()) && ::fstat(folder.get(), &status) == 0 && status.st_ino == kSubvolumeInode) return folder;
  return Fd();
}

/// The ids of the subvolumes right below the one whose top folder `fd` is; nothing where the kernel does not tell.
std::optional<std::vector<std::uint64_t>> subvolumes_below(int fd) {
  std::vector<std::uint64_t> ids;
  btrfs_ioctl_get_subvol_rootref_args references{};
  for (bool more = true; more;) {
    const int asked = ::ioctl(fd, BTRFS_IOC_GET_SUBVOL_ROOTREF, &references);
    more = asked != 0 && errno == EOVERFLOW;  // and `min_treeid` is where to go on
    if (asked != 0 && !more) return std::nullopt;
    for (int i = 0; i < references.num_items; ++i) ids.push_back(references.rootref[i].treeid);
  }
  return ids;
}

/// A snapshot has empty folders in the places of subvolumes, which anybody may make below a folder of his.
bool may_have_subvolumes(int fd) {
  const auto below = subvolumes_below(fd);
  return !below || !below->empty();
}

/// An ioctl of btrfs about `path`, on its parent.
template <class Arguments>
bool ask_btrfs(const fs::path& path, unsigned long request, Arguments& arguments) {
  const std::string name = path.filename().string();
  const Fd parent(::open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!parent || name.size() >= sizeof arguments.name) return false;
  std::memcpy(arguments.name, name.c_str(), name.size() + 1);
  return ::ioctl(parent.get(), request, &arguments) == 0;
}

/// A file without a name, with a block of content.
Result<Fd> nameless_file(const fs::path& folder, std::string_view content) {
  BERTH_TRY(Fd file, files::open(folder, O_RDWR | O_TMPFILE, 0600));
  BERTH_CHECK(files::write_all(file.get(), content, folder.string()));
  return file;
}

/// Tried, not guessed: xfs may be made without it.
bool can_share_blocks(const fs::path& folder) {
  const std::string block(4096, 'b');
  const auto one = nameless_file(folder, block), other = nameless_file(folder, "");
  return one && other && ::ioctl(other->get(), FICLONE, one->get()) == 0;
}

std::string size_text(std::uint64_t bytes) {
  if (bytes < 1'000'000) return fmt::format("{} bytes", bytes);
  return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6);
}

Result<void> check_room(const fs::path& data, std::uint64_t needed, std::uint64_t reserve) {
  BERTH_TRY(const auto free, files::free_bytes(data));
  if (free >= reserve && free - reserve >= needed) return {};
  return fail(Errc::no_space, fmt::format("too little disk space for a snapshot of {}: it needs {} beside the reserve of {}, and {} are free",
                                          data.string(), size_text(needed), size_text(reserve), size_text(free)));
}

/// Fills the folder `to`; what a failure leaves is the caller's.
Result<Snapshot> fill(const fs::path& data, const fs::path& to, Method method, const CopyLimits& limits) {
  BERTH_CHECK(make_folder(to, 0700));
  const auto copied = copy_tree(data, to, limits);
  if (!copied) return pass(copied.error(), "take a snapshot of " + data.string());
  return Snapshot{.method = copied->shared || copied->copied == 0 ? method : Method::copy, .bytes = copied->bytes};
}

}  // namespace

std::string_view to_string(Method method) {
  switch (method) {
    case Method::subvolume: return "subvolume";
    case Method::reflink: return "reflink";
    case Method::copy: return "copy";
  }
  return "copy";
}

Result<Method> method_for(const fs::path& data) {
  if (const Fd subvolume = open_subvolume(data); subvolume && !may_have_subvolumes(subvolume.get())) return Method::subvolume;
  // Beside the data and not in them: the app's folder is berthd's own.
  return can_share_blocks(data.parent_path()) ? Method::reflink : Method::copy;
}

Result<void> may_snapshot(const fs::path& data, const CopyLimits& limits) {
  BERTH_TRY(const Method method, method_for(data));
  struct stat inside{}, outside{};
  if (::stat(data.c_str(), &inside) != 0) return fail_errno("stat " + data.string());
  if (::stat(data.parent_path().c_str(), &outside) != 0) return fail_errno("stat " + data.parent_path().string());
  BERTH_TRY(const auto mounted, mount_in(data));
  std::error_code ignored;
  const bool is_mount = mounted && *mounted == fs::canonical(data, ignored).string();
  if (is_mount || (inside.st_dev != outside.st_dev && !open_subvolume(data)))  // a subvolume has a number of its own, and can be renamed
    return fail(Errc::usage, fmt::format("{} is a file system of its own, so that no copy of it could take its place: leave `snapshot` out of [data] in berth.toml, or "
                                         "keep the data with berth's state",
                                         data.string()));
  if (mounted)
    return fail(Errc::usage, fmt::format("something is mounted at {}, which would not come back with a copy of {}: mount it elsewhere, or leave `snapshot` out of [data] in "
                                         "berth.toml",
                                         *mounted, data.string()));
  if (method != Method::copy) return check_room(data, 0, limits.reserve_bytes);
  BERTH_TRY(const auto bytes, tree_bytes(data, limits.stop));
  if (bytes > limits.max_bytes)
    return fail(Errc::no_space, fmt::format("a snapshot of {} would copy {}, and `snapshot.max_bytes` in [data] of berth.toml allows {}: raise it, or keep "
                                            "berth's state on btrfs or xfs, where a snapshot copies nothing",
                                            data.string(), size_text(bytes), size_text(limits.max_bytes)));
  return check_room(data, bytes, limits.reserve_bytes);
}

Result<Snapshot> take_snapshot(const fs::path& data, const fs::path& to, const CopyLimits& limits) {
  BERTH_CHECK(may_snapshot(data, limits));
  BERTH_TRY(const Method method, method_for(data));
  if (method == Method::subvolume) {
    BERTH_TRY(const Fd source, files::open(data, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    btrfs_ioctl_vol_args_v2 arguments{};
    arguments.fd = source.get();
    if (ask_btrfs(to, BTRFS_IOC_SNAP_CREATE_V2, arguments)) {
      if (::syncfs(source.get()) != 0) return fail_errno("sync " + to.string());
      return Snapshot{.method = Method::subvolume};
    }
  }
  auto filled = fill(data, to, method == Method::subvolume ? Method::reflink : method, limits);
  if (filled) {
    if (auto synced = files::sync(to.parent_path()); !synced) filled = std::unexpected(synced.error());
  }
  if (!filled) static_cast<void>(remove_folder(to));
  return filled;
}

Result<void> make_folder(const fs::path& path, mode_t mode) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) == 0) return S_ISDIR(status.st_mode) ? Result<void>() : fail_errno("make folder " + path.string(), ENOTDIR);
  const Fd parent(::open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  btrfs_ioctl_vol_args arguments{};
  const bool made = parent && is_on_btrfs(parent.get()) && ask_btrfs(path, BTRFS_IOC_SUBVOL_CREATE, arguments);
  if (!made && ::mkdir(path.c_str(), mode) != 0) return fail_errno("make folder " + path.string());
  if (::chmod(path.c_str(), mode) != 0) return fail_errno("chmod " + path.string());
  return {};
}

namespace {

/// A removed subvolume is gone for good with btrfs's next transaction.
Result<void> sync_removal(const fs::path& folder, bool of_subvolume) {
  const Fd parent(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!parent) return errno == ENOENT ? Result<void>() : fail_errno("open " + folder.string());
  if ((of_subvolume ? ::syncfs(parent.get()) : ::fsync(parent.get())) != 0) return fail_errno("sync " + folder.string());
  return {};
}

}  // namespace

Result<void> remove_folder(const fs::path& path) {
  if (const Fd subvolume = open_subvolume(path)) {
    // One that has others is not removed in one step; and those may be read-only.
    for (const std::uint64_t id : subvolumes_below(subvolume.get()).value_or(std::vector<std::uint64_t>())) {
      btrfs_ioctl_vol_args_v2 below{};
      below.flags = BTRFS_SUBVOL_SPEC_BY_ID;
      below.subvolid = id;
      static_cast<void>(::ioctl(subvolume.get(), BTRFS_IOC_SNAP_DESTROY_V2, &below));
    }
    btrfs_ioctl_vol_args arguments{};
    if (ask_btrfs(path, BTRFS_IOC_SNAP_DESTROY, arguments)) return sync_removal(path.parent_path(), true);
  }
  BERTH_CHECK(files::remove_tree(path));
  return sync_removal(path.parent_path(), false);
}

}  // namespace berth::data
