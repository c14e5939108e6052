#include "daemon/fetch/made_tree.h"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "core/bundle/file_type.h"
#include "core/bundle/paths.h"
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

constexpr mode_t kFolder = 0755, kSealedFolder = 0555;
constexpr std::size_t kMadeAtOnce = 32;  ///< folders and links that a thread makes before it takes the next ones

std::string link_target(int folder, const char* name) {
  char target[PATH_MAX];
  const ssize_t size = ::readlinkat(folder, name, target, sizeof target);
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

/// How many entries lie in each folder, by its number; behind all others, those at the top.
std::vector<std::size_t> children_of(const std::vector<Entry>& entries) {
  std::unordered_map<std::string_view, std::size_t> folders{{"", entries.size()}};
  for (std::size_t i = 0; i < entries.size(); ++i)
    if (entries[i].type == EntryType::directory) folders.emplace(entries[i].path, i);
  std::vector<std::size_t> children(entries.size() + 1, 0);
  auto in = folders.find("");
  for (const Entry& entry : entries) {
    const std::string_view parent = bundle::parent_of(entry.path);
    if (in->first != parent) in = folders.find(parent);
    if (in == folders.end()) in = folders.find("");  // no index is like that; it will be found to be one too many there
    ++children[in->second];
  }
  return children;
}

/// Tells each name in an open folder, until `take` says no.
Result<void> list(int folder, const std::string& path, const std::function<bool(std::string_view)>& take) {
  alignas(dirent64) char found[32u << 10];
  if (::lseek(folder, 0, SEEK_SET) < 0) return fail_errno("list the folder " + path);
  while (true) {
    const ssize_t got = ::getdents64(folder, found, sizeof found);
    if (got < 0) return fail_errno("list the folder " + path);
    if (got == 0) return {};
    for (ssize_t at = 0; at < got;) {
      const auto* const one = reinterpret_cast<const dirent64*>(found + at);
      const std::string_view name = one->d_name;
      if (name != "." && name != ".." && !take(name)) return {};
      at += one->d_reclen;
    }
  }
}

/// The last part of an entry's path.
const char* name_of(const Entry& entry) { return entry.path.c_str() + entry.path.rfind('/') + 1; }

/// One thread's way through the tree. It goes by what is expected, and by descriptors, so that no link is ever followed and no folder entered that is
/// not expected.
class Comparing {
 public:
  Comparing(int tree, const std::vector<Entry>& expected, const std::vector<std::size_t>& children, const Put& put, uid_t owner, const std::stop_token& stop)
      : folders_(tree), expected_(expected), children_(children), plan_(put.plan), made_(put.made), owner_(owner), stop_(stop) {}

  /// Whether nothing lies in a folder but what is expected there. What is missing is seen when its turn comes: where all is there, the number of names tells
  /// whether there is more.
  Result<void> folder(int fd, const std::string& path, std::size_t number) {
    std::size_t names = 0;
    const auto count = [&names](std::string_view) { return ++names > 0; };
    BERTH_CHECK(list(fd, path, count));
    if (names != children_[number]) BERTH_CHECK(find_more(fd, path));
    return owner_ == 0 ? seal(fd, path) : Result<void>();
  }

  Result<void> entry(const Entry& wanted) {
    if (stop_.stop_requested()) return fail(Errc::cancelled, "verifying what was unpacked was cancelled");
    const auto folder_fd = folders_.folder_of(wanted.path);
    if (!folder_fd) return pass(folder_fd.error(), wanted.path);  // where the folder is not as signed, that is told first: its number is lower
    const char* const name = name_of(wanted);
    struct stat is {};
    if (::fstatat(*folder_fd, name, &is, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) return missing(*folder_fd, wanted);
      return fail_errno("stat " + wanted.path);
    }
    if ((is.st_mode & S_IFMT) != type_of(wanted.type))
      return refuse(wanted.path, fmt::format("is {}, not {}", kind_of(is.st_mode), kind_of(type_of(wanted.type))));
    if (const LinkPlan::Link* const link = link_of(wanted)) return put(*folder_fd, name, wanted, link->hashed, is);
    if (const FileIdentity* const made = made_of(wanted)) {
      BERTH_CHECK(compare_links(wanted, is));
      return put(*folder_fd, name, wanted, *made, is);
    }
    BERTH_CHECK(compare(wanted, is));
    if (wanted.type == EntryType::symlink) {
      if (link_target(*folder_fd, name) == wanted.target) return {};
      return refuse(wanted.path, fmt::format("leads elsewhere than to {}", wanted.target));
    }
    const int flags = wanted.type == EntryType::directory ? O_RDONLY | O_DIRECTORY : O_RDONLY | O_NONBLOCK;
    auto opened = files::open_below(*folder_fd, name, flags);
    if (!opened) return pass(opened.error(), wanted.path);
    if (const std::string set = set_attribute(opened->get()); !set.empty()) return refuse(wanted.path, fmt::format("has the extended attribute '{}'", set));
    if (wanted.type == EntryType::directory) return folder(opened->get(), wanted.path, number_of(wanted));
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
  std::size_t number_of(const Entry& entry) const { return static_cast<std::size_t>(&entry - expected_.data()); }

  /// Where something else lies beside it, that tells more.
  Result<void> missing(int folder_fd, const Entry& wanted) const {
    BERTH_TRY(const Fd beside, files::open_below(folder_fd, ".", O_RDONLY | O_DIRECTORY));
    BERTH_CHECK(find_more(beside.get(), std::string(bundle::parent_of(wanted.path))));
    return refuse(wanted.path, "is missing");
  }

  /// Fails with the first name that is one too many; nothing where one is missing.
  Result<void> find_more(int fd, const std::string& path) const {
    const auto below = std::ranges::subrange(path.empty() ? expected_.begin() : std::ranges::lower_bound(expected_, path + '/', {}, &Entry::path),
                                             path.empty() ? expected_.end() : std::ranges::lower_bound(expected_, path + char('/' + 1), {}, &Entry::path));
    std::string more;
    const auto is_expected = [&](std::string_view name) {
      const std::string inside = path.empty() ? std::string(name) : fmt::format("{}/{}", path, name);
      if (std::ranges::binary_search(below, inside, {}, &Entry::path)) return true;
      more = inside;
      return false;
    };
    BERTH_CHECK(list(fd, path, is_expected));
    return more.empty() ? Result<void>() : refuse(more, "is not in the signed index");
  }

  static Result<void> seal(int fd, const std::string& path) {
    if (::fchmod(fd, kSealedFolder) == 0) return {};
    return fail_errno(path.empty() ? "seal the folder" : "seal " + path);
  }

  Result<void> compare(const Entry& wanted, const struct stat& is) const {
    const mode_t mode = is.st_mode & 07777;
    if (is.st_uid != owner_) return refuse(wanted.path, fmt::format("is of user {}, not of the one that made it", is.st_uid));
    if (wanted.type != EntryType::symlink && mode != wanted.mode)
      return refuse(wanted.path, fmt::format("has mode {:04o}, not {:04o}", mode, wanted.mode));
    if (wanted.type == EntryType::directory) return {};
    BERTH_CHECK(compare_links(wanted, is));
    return wanted.type == EntryType::symlink ? Result<void>() : compare_size(wanted, is);
  }

  static Result<void> compare_links(const Entry& wanted, const struct stat& is) {
    if (is.st_nlink == 1) return {};
    return refuse(wanted.path, fmt::format("has {} links: what was unpacked has one", is.st_nlink));
  }

  static Result<void> compare_size(const Entry& wanted, const struct stat& is) {
    if (static_cast<std::uint64_t>(is.st_size) == wanted.size) return {};
    return refuse(wanted.path, fmt::format("has {} bytes, not {}", is.st_size, wanted.size));
  }

  /// What berthd was to put there; nothing where it was not. Mostly the one after the last that was asked for.
  const LinkPlan::Link* link_of(const Entry& entry) {
    if (entry.type != EntryType::file) return nullptr;
    const auto& links = plan_.links;
    if (next_ == links.size() || links[next_].path != entry.path)
      next_ = static_cast<std::size_t>(std::ranges::lower_bound(links, entry.path, {}, &LinkPlan::Link::path) - links.begin());
    return next_ == links.size() || links[next_].path != entry.path ? nullptr : &links[next_++];
  }

  /// Of a file that berthd made there.
  const FileIdentity* made_of(const Entry& entry) const {
    if (made_.empty()) return nullptr;
    const FileIdentity& made = made_[number_of(entry)];
    return made.inode == 0 ? nullptr : &made;
  }

  /// A file that berthd put there: the one that it hashed before, or a copy.
  Result<void> put(int folder_fd, const char* name, const Entry& wanted, const FileIdentity& hashed, const struct stat& is) {
    if (is.st_uid != 0) return refuse(wanted.path, "was not to be unpacked");
    if ((is.st_mode & 07777) != sealed_mode(wanted.mode))
      return refuse(wanted.path, fmt::format("has mode {:04o}, not {:04o}", is.st_mode & 07777, sealed_mode(wanted.mode)));
    BERTH_CHECK(compare_size(wanted, is));
    if (hashed == identity_of(is)) return {};
    auto opened = files::open_below(folder_fd, name, O_RDONLY | O_NONBLOCK);
    if (!opened) return pass(opened.error(), wanted.path);
    return content(std::move(*opened), wanted);
  }

  Result<void> content(Fd file, const Entry& wanted) {
    return contents_.add(std::move(file), number_of(wanted), wanted.path, comparing(), stop_);
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
  const std::vector<std::size_t>& children_;
  const LinkPlan& plan_;
  const std::vector<FileIdentity>& made_;
  std::size_t next_ = 0;  ///< of the plan's links
  uid_t owner_;
  const std::stop_token& stop_;
};

/// One thread's way of making folders and links.
class Making {
 public:
  explicit Making(int tree) : folders_(tree) {}

  Result<void> make(const Entry& one) {
    BERTH_TRY(const int folder, folders_.folder_of(one.path));
    const char* const name = name_of(one);
    if (one.type == EntryType::symlink) {
      if (::symlinkat(one.target.c_str(), folder, name) != 0) return fail_errno("make the link " + one.path);
      return {};
    }
    if (::mkdirat(folder, name, kFolder) != 0) return fail_errno("make the folder " + one.path);
    if (other_mode_.value_or(true)) return set_mode(folder, name, one.path);
    return {};
  }

 private:
  /// Whatever the umask is: the first one tells how it does with the others.
  Result<void> set_mode(int folder, const char* name, const std::string& path) {
    struct stat is {};
    if (!other_mode_ && ::fstatat(folder, name, &is, AT_SYMLINK_NOFOLLOW) == 0) other_mode_ = (is.st_mode & 07777) != kFolder;
    if (other_mode_.value_or(true) && ::fchmodat(folder, name, kFolder, 0) != 0) return fail_errno("chmod the folder " + path);
    return {};
  }

  FolderCache folders_;
  std::optional<bool> other_mode_;  ///< whether a folder has another one than it was made with
};

}  // namespace

mode_t sealed_mode(mode_t mode) { return (mode & 0111) != 0 ? 0555 : 0444; }

Result<void> compare_tree(int tree, const std::vector<Entry>& expected, const Put& put, uid_t owner, const std::stop_token& stop) {
  const auto children = children_of(expected);
  std::vector<Comparing> threads;
  for (std::size_t i = 0; i < threads_worthwhile(); ++i) threads.emplace_back(tree, expected, children, put, owner, stop);
  BERTH_CHECK(threads.front().folder(tree, "", expected.size()));
  const auto runs = runs_of(expected);
  const auto look = [&](std::size_t run, std::size_t thread) { return threads[thread].entries(runs[run]); };
  return in_parallel(runs.size(), threads.size(), look);
}

Result<Fd> make_target(const std::filesystem::path& target) {
  if (::mkdir(target.c_str(), 0700) != 0) return fail_errno("make the folder " + target.string());
  return files::open(target, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

Result<void> make_without_files(int tree, const std::vector<Entry>& expected) {
  std::vector<std::vector<const Entry*>> levels;  // none of the same level lies in another one
  for (const Entry& one : expected) {
    if (one.type == EntryType::file) continue;
    const auto level = static_cast<std::size_t>(std::ranges::count(one.path, '/'));
    if (level >= levels.size()) levels.resize(level + 1);
    levels[level].push_back(&one);
  }
  std::vector<Making> threads;
  for (std::size_t i = 0; i < threads_worthwhile(); ++i) threads.emplace_back(tree);
  for (const auto& level : levels) {
    const auto make = [&](std::size_t number, std::size_t thread) -> Result<void> {
      for (std::size_t i = number * kMadeAtOnce; i < std::min(level.size(), (number + 1) * kMadeAtOnce); ++i) BERTH_CHECK(threads[thread].make(*level[i]));
      return {};
    };
    BERTH_CHECK(in_parallel((level.size() + kMadeAtOnce - 1) / kMadeAtOnce, threads.size(), make));
  }
  return {};
}

}  // namespace berth::fetch
