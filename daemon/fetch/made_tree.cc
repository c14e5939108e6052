#include "daemon/fetch/made_tree.h"

#include <algorithm>
#include <cerrno>
#include <memory>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "core/bundle/file_type.h"
#include "core/files/files.h"

namespace berth::fetch {
namespace {

using bundle::Entry;
using bundle::EntryType;
using bundle::kind_of;
using bundle::type_of;

std::string link_target(int folder, const std::string& name) {
  char target[PATH_MAX];
  const ssize_t size = ::readlinkat(folder, name.c_str(), target, sizeof target);
  return size < 0 ? std::string() : std::string(target, static_cast<std::size_t>(size));
}

/// The first extended attribute that somebody set: capabilities, an access list, anything but the kernel's own labels. Empty: there is none.
std::string set_attribute(int fd) {
  char names[4096];
  const ssize_t size = ::flistxattr(fd, names, sizeof names);
  if (size < 0) return errno == ENOTSUP ? "" : "?";  // more of them than fit: not the kernel's
  for (std::string_view rest(names, static_cast<std::size_t>(size)); !rest.empty(); rest.remove_prefix(rest.find('\0') + 1)) {
    const std::string_view name = rest.substr(0, rest.find('\0'));
    if (!name.starts_with("security.") || name == "security.capability") return std::string(name);
  }
  return {};
}

/// Goes through the tree by descriptors, so that no link in it is ever followed.
class TakeOver {
 public:
  TakeOver(const std::vector<Entry>& expected, const std::set<std::string>& linked, uid_t worker)
      : expected_(expected), linked_(linked), worker_(worker) {}

  /// The names in a folder, then itself. A folder is only entered where it is expected, which bounds depth and number.
  Result<void> folder(Fd fd, const std::string& path) {
    BERTH_TRY(const auto names, list(fd.get(), path));
    for (const std::string& name : names) BERTH_CHECK(entry(fd.get(), name, path.empty() ? name : path + '/' + name));
    if (::fchown(fd.get(), 0, 0) != 0 || ::fchmod(fd.get(), sealed_mode(0755)) != 0) return fail_errno("seal the folder " + path);
    return {};
  }

  Result<void> nothing_is_missing() const {
    for (const Entry& one : expected_) {
      if (!found_.contains(one.path) && !linked_.contains(one.path)) return refuse(one.path, "is missing");
    }
    return {};
  }

 private:
  static std::unexpected<Error> refuse(const std::string& path, const std::string& why) { return fail(Errc::trust, fmt::format("{}: {}", path, why)); }

  Result<std::vector<std::string>> list(int fd, const std::string& path) const {
    Fd own(::openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!own) return fail_errno("list the folder " + path);
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(own.get()), ::closedir);
    if (!stream) return fail_errno("list the folder " + path);
    own.release();  // the stream's now
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* one = ::readdir(stream.get())) {
      const std::string name = one->d_name;
      if (name != "." && name != "..") names.push_back(name);
      if (names.size() > expected_.size()) break;  // one of them is too many, and will be found to be
    }
    if (errno != 0) return fail_errno("list the folder " + path);
    return names;
  }

  const Entry* expected(const std::string& path) const {
    const auto found = std::ranges::lower_bound(expected_, path, {}, &Entry::path);
    return found != expected_.end() && found->path == path ? &*found : nullptr;
  }

  Result<void> entry(int folder_fd, const std::string& name, const std::string& path) {
    const Entry* wanted = expected(path);
    if (wanted == nullptr) return refuse(path, "is not in the signed index");
    struct stat is {};
    if (::fstatat(folder_fd, name.c_str(), &is, AT_SYMLINK_NOFOLLOW) != 0) return fail_errno("stat " + path);
    BERTH_CHECK(compare(*wanted, is));
    found_.insert(path);
    if (wanted->type == EntryType::symlink) {
      if (link_target(folder_fd, name) != wanted->target) return refuse(path, fmt::format("leads elsewhere than to {}", wanted->target));
      if (::fchownat(folder_fd, name.c_str(), 0, 0, AT_SYMLINK_NOFOLLOW) != 0) return fail_errno("take over " + path);
      return {};
    }
    const int flags = wanted->type == EntryType::directory ? O_RDONLY | O_DIRECTORY : O_RDONLY | O_NONBLOCK;
    auto opened = files::open_below(folder_fd, name, flags);
    if (!opened) return pass(std::move(opened.error()), path);
    if (const std::string set = set_attribute(opened->get()); !set.empty()) return refuse(path, fmt::format("has the extended attribute '{}'", set));
    if (wanted->type == EntryType::directory) return folder(std::move(*opened), path);
    if (::fchown(opened->get(), 0, 0) != 0 || ::fchmod(opened->get(), sealed_mode(wanted->mode)) != 0) return fail_errno("seal " + path);
    return {};
  }

  Result<void> compare(const Entry& wanted, const struct stat& is) const {
    const mode_t mode = is.st_mode & 07777;
    if ((is.st_mode & S_IFMT) != type_of(wanted.type))
      return refuse(wanted.path, fmt::format("is {}, not {}", kind_of(is.st_mode), kind_of(type_of(wanted.type))));
    if (is.st_uid != worker_) return refuse(wanted.path, fmt::format("is of user {}, not of the worker that made it", is.st_uid));
    if (wanted.type != EntryType::symlink && mode != wanted.mode)
      return refuse(wanted.path, fmt::format("has mode {:04o}, not {:04o}", mode, wanted.mode));
    if (wanted.type == EntryType::directory) return {};
    if (is.st_nlink != 1) return refuse(wanted.path, fmt::format("has {} links: what was unpacked has one", is.st_nlink));
    if (wanted.type == EntryType::symlink) return {};
    if (linked_.contains(wanted.path)) return refuse(wanted.path, "was not to be unpacked");
    if (static_cast<std::uint64_t>(is.st_size) != wanted.size)
      return refuse(wanted.path, fmt::format("has {} bytes, not {}", is.st_size, wanted.size));
    return {};
  }

  const std::vector<Entry>& expected_;
  const std::set<std::string>& linked_;
  uid_t worker_;
  std::set<std::string> found_;
};

}  // namespace

mode_t sealed_mode(mode_t mode) { return (mode & 0111) != 0 ? 0555 : 0444; }

Result<void> take_over(int tree, const std::vector<Entry>& expected, const std::set<std::string>& linked, uid_t worker) {
  Fd root(::openat(tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root) return fail_errno("open what was unpacked");
  TakeOver walk(expected, linked, worker);
  BERTH_CHECK(walk.folder(std::move(root), ""));
  return walk.nothing_is_missing();
}

Result<void> make_without_files(int tree, const std::vector<Entry>& expected) {
  for (const Entry& one : expected) {
    if (one.type == EntryType::file) continue;
    const auto slash = one.path.rfind('/');
    BERTH_TRY(const Fd folder, files::open_below(tree, slash == std::string::npos ? "." : std::string_view(one.path).substr(0, slash), O_PATH | O_DIRECTORY));
    const std::string name = one.path.substr(slash + 1);
    if (one.type == EntryType::symlink) {
      if (::symlinkat(one.target.c_str(), folder.get(), name.c_str()) != 0) return fail_errno("make the link " + one.path);
      continue;
    }
    if (::mkdirat(folder.get(), name.c_str(), 0755) != 0) return fail_errno("make the folder " + one.path);
    if (::fchmodat(folder.get(), name.c_str(), sealed_mode(0755), 0) != 0) return fail_errno("seal the folder " + one.path);
  }
  if (::fchown(tree, 0, 0) != 0 || ::fchmod(tree, sealed_mode(0755)) != 0) return fail_errno("seal a folder");
  return {};
}

}  // namespace berth::fetch
