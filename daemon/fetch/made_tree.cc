#include "daemon/fetch/made_tree.h"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <memory>
#include <string>
#include <string_view>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "core/bundle/file_type.h"
#include "core/files/files.h"
#include "core/in_parallel.h"
#include "daemon/fetch/file_content.h"
#include "daemon/fetch/file_hashes.h"
#include "daemon/fetch/folder_cache.h"

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

std::unexpected<Error> refuse(const std::string& path, const std::string& why) { return fail(Errc::trust, fmt::format("{}: {}", path, why)); }

/// One thread's way through the tree. It goes by what is expected, and by descriptors, so that no link is ever followed and no folder entered that is
/// not expected.
class TakeOver {
 public:
  TakeOver(int tree, const std::vector<Entry>& expected, const LinkPlan& plan, uid_t worker, const std::stop_token& stop)
      : folders_(tree), expected_(expected), plan_(plan), worker_(worker), stop_(stop) {}

  /// Whether nothing lies in a folder but what is expected there. What is missing is seen when its turn comes.
  Result<void> folder(int fd, const std::string& path) {
    BERTH_TRY(const auto names, list(fd, path));
    const auto below = std::ranges::subrange(path.empty() ? expected_.begin() : std::ranges::lower_bound(expected_, path + '/', {}, &Entry::path),
                                             path.empty() ? expected_.end() : std::ranges::lower_bound(expected_, path + char('/' + 1), {}, &Entry::path));
    for (const std::string& name : names) {
      const std::string inside = path.empty() ? name : path + '/' + name;
      if (!std::ranges::binary_search(below, inside, {}, &Entry::path)) return refuse(inside, "is not in the signed index");
    }
    return seal(fd, path, 0755);
  }

  Result<void> entry(const Entry& wanted) {
    if (stop_.stop_requested()) return fail(Errc::cancelled, "verifying what was unpacked was cancelled");
    const auto folder_fd = folders_.folder_of(wanted.path);
    if (!folder_fd) return pass(folder_fd.error(), wanted.path);  // where the folder is not as signed, that is told first: its number is lower
    const std::string name = wanted.path.substr(wanted.path.rfind('/') + 1);
    struct stat is {};
    if (::fstatat(*folder_fd, name.c_str(), &is, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) return refuse(wanted.path, "is missing");
      return fail_errno("stat " + wanted.path);
    }
    if ((is.st_mode & S_IFMT) != type_of(wanted.type))
      return refuse(wanted.path, fmt::format("is {}, not {}", kind_of(is.st_mode), kind_of(type_of(wanted.type))));
    if (const LinkPlan::Link* const link = link_of(wanted)) return linked(*folder_fd, name, wanted, *link, is);
    BERTH_CHECK(compare(wanted, is));
    if (wanted.type == EntryType::symlink) return link(*folder_fd, name, wanted);
    const int flags = wanted.type == EntryType::directory ? O_RDONLY | O_DIRECTORY : O_RDONLY | O_NONBLOCK;
    auto opened = files::open_below(*folder_fd, name, flags);
    if (!opened) return pass(opened.error(), wanted.path);
    if (const std::string set = set_attribute(opened->get()); !set.empty()) return refuse(wanted.path, fmt::format("has the extended attribute '{}'", set));
    if (wanted.type == EntryType::directory) return folder(opened->get(), wanted.path);
    BERTH_CHECK(seal(opened->get(), wanted.path, wanted.mode));
    return content(std::move(*opened), wanted);
  }

  /// Some entries one after the other, to the end of each.
  Result<void> entries(const EntryRun& run) {
    for (std::size_t i = run.begin; i < run.end; ++i) {
      auto looked = entry(expected_[i]);
      if (looked) continue;
      BERTH_CHECK(contents_end());  // what is told of an earlier one is told first
      return looked;
    }
    return contents_end();
  }

 private:
  static Result<void> seal(int fd, const std::string& path, mode_t mode) {
    if (::fchown(fd, 0, 0) == 0 && ::fchmod(fd, sealed_mode(mode)) == 0) return {};
    return fail_errno(path.empty() ? "seal the folder" : "seal " + path);
  }

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

  Result<void> compare(const Entry& wanted, const struct stat& is) const {
    const mode_t mode = is.st_mode & 07777;
    if (is.st_uid != worker_) return refuse(wanted.path, fmt::format("is of user {}, not of the worker that made it", is.st_uid));
    if (wanted.type != EntryType::symlink && mode != wanted.mode)
      return refuse(wanted.path, fmt::format("has mode {:04o}, not {:04o}", mode, wanted.mode));
    if (wanted.type == EntryType::directory) return {};
    if (is.st_nlink != 1) return refuse(wanted.path, fmt::format("has {} links: what was unpacked has one", is.st_nlink));
    return wanted.type == EntryType::symlink ? Result<void>() : compare_size(wanted, is);
  }

  static Result<void> compare_size(const Entry& wanted, const struct stat& is) {
    if (static_cast<std::uint64_t>(is.st_size) == wanted.size) return {};
    return refuse(wanted.path, fmt::format("has {} bytes, not {}", is.st_size, wanted.size));
  }

  Result<void> link(int folder_fd, const std::string& name, const Entry& wanted) {
    if (link_target(folder_fd, name) != wanted.target) return refuse(wanted.path, fmt::format("leads elsewhere than to {}", wanted.target));
    if (::fchownat(folder_fd, name.c_str(), 0, 0, AT_SYMLINK_NOFOLLOW) != 0) return fail_errno("take over " + wanted.path);
    return {};
  }

  /// What berthd was to put there; nothing where it was not. Mostly the one after the last that was asked for.
  const LinkPlan::Link* link_of(const Entry& entry) {
    if (entry.type != EntryType::file) return nullptr;
    const auto& links = plan_.links;
    if (next_ == links.size() || links[next_].path != entry.path)
      next_ = static_cast<std::size_t>(std::ranges::lower_bound(links, entry.path, {}, &LinkPlan::Link::path) - links.begin());
    return next_ == links.size() || links[next_].path != entry.path ? nullptr : &links[next_++];
  }

  /// A file that berthd put there: the one that it read before, or a copy.
  Result<void> linked(int folder_fd, const std::string& name, const Entry& wanted, const LinkPlan::Link& link, const struct stat& is) {
    if (is.st_uid != 0) return refuse(wanted.path, "was not to be unpacked");
    if ((is.st_mode & 07777) != sealed_mode(wanted.mode))
      return refuse(wanted.path, fmt::format("has mode {:04o}, not {:04o}", is.st_mode & 07777, sealed_mode(wanted.mode)));
    BERTH_CHECK(compare_size(wanted, is));
    if (link.hashed == identity_of(is)) return {};
    auto opened = files::open_below(folder_fd, name, O_RDONLY | O_NONBLOCK);
    if (!opened) return pass(opened.error(), wanted.path);
    return content(std::move(*opened), wanted);
  }

  Result<void> content(Fd file, const Entry& wanted) {
    return contents_.add(std::move(file), static_cast<std::size_t>(&wanted - expected_.data()), wanted.path, comparing(), stop_);
  }
  Result<void> contents_end() { return contents_.finish(comparing(), stop_); }

  FileHashes::Take comparing() const {
    return [this](std::size_t number, Result<std::string> sha256) -> Result<void> {
      if (!sha256) return std::unexpected(std::move(sha256.error()));
      if (*sha256 != expected_[number].sha256) return refuse(expected_[number].path, "has another content");
      return {};
    };
  }

  FolderCache folders_;
  FileHashes contents_;
  const std::vector<Entry>& expected_;
  const LinkPlan& plan_;
  std::size_t next_ = 0;  ///< of the plan's links
  uid_t worker_;
  const std::stop_token& stop_;
};

}  // namespace

mode_t sealed_mode(mode_t mode) { return (mode & 0111) != 0 ? 0555 : 0444; }

Result<void> take_over(int tree, const std::vector<Entry>& expected, const LinkPlan& plan, uid_t worker, const std::stop_token& stop) {
  std::vector<TakeOver> threads;
  for (std::size_t i = 0; i < threads_worthwhile(); ++i) threads.emplace_back(tree, expected, plan, worker, stop);
  BERTH_CHECK(threads.front().folder(tree, ""));
  const auto runs = runs_of(expected);
  const auto look = [&](std::size_t run, std::size_t thread) { return threads[thread].entries(runs[run]); };
  return in_parallel(runs.size(), threads.size(), look);
}

Result<Fd> make_target(const std::filesystem::path& target) {
  if (::mkdir(target.c_str(), 0700) != 0) return fail_errno("make the folder " + target.string());
  return files::open(target, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

Result<void> make_without_files(int tree, const std::vector<Entry>& expected) {
  FolderCache folders(tree);
  for (const Entry& one : expected) {
    if (one.type == EntryType::file) continue;
    BERTH_TRY(const int folder, folders.folder_of(one.path));
    const std::string name = one.path.substr(one.path.rfind('/') + 1);
    if (one.type == EntryType::symlink) {
      if (::symlinkat(one.target.c_str(), folder, name.c_str()) != 0) return fail_errno("make the link " + one.path);
      continue;
    }
    if (::mkdirat(folder, name.c_str(), one.mode) != 0) return fail_errno("make the folder " + one.path);
    if (::fchmodat(folder, name.c_str(), one.mode, 0) != 0) return fail_errno("chmod the folder " + one.path);  // whatever the umask is
  }
  return {};
}

}  // namespace berth::fetch
