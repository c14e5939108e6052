#include "core/bundle/tree.h"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <iterator>
#include <memory>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/bundle/entry_rules.h"
#include "core/bundle/losses.h"
#include "core/bundle/paths.h"
#include "core/crypto/sha256.h"
#include "core/files/files.h"

namespace berth::bundle {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kFilePiece = 256u << 10;
constexpr mode_t kSpecialBits = S_ISUID | S_ISGID | S_ISVTX;

bool is_special(mode_t mode) { return S_ISFIFO(mode) || S_ISSOCK(mode) || S_ISBLK(mode) || S_ISCHR(mode); }

std::string kind_of(mode_t mode) {
  if (S_ISFIFO(mode)) return "a FIFO";
  if (S_ISSOCK(mode)) return "a socket";
  if (S_ISBLK(mode) || S_ISCHR(mode)) return "a device";
  return "of an unknown kind";
}

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

/// The names in an open folder, but for `.` and `..`.
Result<std::vector<std::string>> names_in(int folder, const std::string& path) {
  Fd again(::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!again) return fail_errno("read folder " + path);
  const std::unique_ptr<DIR, CloseFolder> stream(::fdopendir(again.get()));
  if (!stream) return fail_errno("read folder " + path);
  static_cast<void>(again.release());
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* found = ::readdir(stream.get());
    if (found == nullptr && errno != 0) return fail_errno("read folder " + path);
    if (found == nullptr) return names;
    const std::string_view name = found->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
}

class Walk {
 public:
  Walk(const ListOptions& options, std::string root) : options_(options), root_(std::move(root)), piece_(kFilePiece, '\0') {}

  /// Lists what is in `folder`, which lies at `path`.
  Result<void> list(int folder, const std::string& path);
  Tree take() {
    std::ranges::sort(tree_.entries, {}, &Entry::path);
    std::ranges::move(losses_.notes(), std::back_inserter(tree_.notes));
    return std::move(tree_);
  }

 private:
  Result<void> add(int folder, const std::string& name, const std::string& path);
  Result<void> add_folder(int folder, const std::string& name, Entry entry);
  Result<void> add_file(int folder, const std::string& name, Entry entry);
  Result<void> add_link(int folder, const std::string& name, Entry entry);
  std::unexpected<Error> refuse(std::string_view path, std::string_view what) const {
    return fail(options_.strict ? Errc::trust : Errc::usage, fmt::format("{}/{}: {}", root_, shown(path), what));
  }

  const ListOptions& options_;
  std::string root_;
  std::string piece_;
  Tree tree_;
  Losses losses_;
};

Result<void> Walk::list(int folder, const std::string& path) {
  BERTH_TRY(const auto names, names_in(folder, path.empty() ? root_ : path));
  for (const std::string& name : names) {
    const std::string inside = path.empty() ? name : path + "/" + name;
    if (options_.stop.stop_requested()) return fail(Errc::cancelled, root_ + ": listing it was cancelled");
    if (options_.leave_out && options_.leave_out(inside)) continue;
    if (std::string wrong = wrong_path(inside); !wrong.empty()) return refuse(inside, "its path " + wrong);
    if (tree_.entries.size() >= kMostEntries) return refuse(inside, fmt::format("there are more than {} paths", kMostEntries));
    BERTH_CHECK(add(folder, name, inside));
  }
  return {};
}

Result<void> Walk::add(int folder, const std::string& name, const std::string& path) {
  struct stat about {};
  if (::fstatat(folder, name.c_str(), &about, AT_SYMLINK_NOFOLLOW) != 0) return fail_errno("look at " + path);
  Entry entry{.path = path, .sha256 = {}, .target = {}};
  if (options_.strict && !S_ISDIR(about.st_mode) && about.st_nlink != 1) return refuse(path, "has other links to it");
  if (S_ISLNK(about.st_mode)) return add_link(folder, name, std::move(entry));
  if (!options_.strict && is_special(about.st_mode)) {
    losses_.devices.add(path);
    return {};
  }
  if (!S_ISDIR(about.st_mode) && !S_ISREG(about.st_mode)) return refuse(path, "is " + kind_of(about.st_mode) + ", which a layer does not have");
  if ((about.st_mode & kSpecialBits) != 0) {
    if (options_.strict) return refuse(path, "has a setuid, setgid or sticky bit");
    tree_.notes.push_back(path + ": its setuid, setgid or sticky bit is left out");
  }
  if (S_ISDIR(about.st_mode)) return add_folder(folder, name, std::move(entry));
  entry.mode = (about.st_mode & S_IXUSR) != 0 ? 0755 : 0644;
  return add_file(folder, name, std::move(entry));
}

Result<void> Walk::add_folder(int folder, const std::string& name, Entry entry) {
  entry.type = EntryType::directory;
  entry.mode = 0755;
  const std::string path = entry.path;
  tree_.entries.push_back(std::move(entry));
  const Fd inside(::openat(folder, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!inside) return fail_errno("open folder " + path);
  return list(inside.get(), path);
}

Result<void> Walk::add_file(int folder, const std::string& name, Entry entry) {
  // Without waiting: should a FIFO have come to stand there meanwhile, it is seen below.
  const Fd file(::openat(folder, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file) return fail_errno("open " + entry.path);
  struct stat about {};
  if (::fstat(file.get(), &about) != 0) return fail_errno("look at " + entry.path);
  if (!S_ISREG(about.st_mode)) return refuse(entry.path, "is no file any more");
  if (!options_.strict && has_file_capabilities(file.get())) losses_.capabilities.add(entry.path);
  if (!options_.hashes) {
    entry.size = static_cast<std::uint64_t>(about.st_size);
    tree_.entries.push_back(std::move(entry));
    return {};
  }
  crypto::Sha256 hash;
  for (;;) {
    const ssize_t got = ::read(file.get(), piece_.data(), piece_.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("read " + entry.path);
    if (got == 0) break;
    if (options_.stop.stop_requested()) return fail(Errc::cancelled, root_ + ": listing it was cancelled");
    hash.update(std::string_view(piece_.data(), static_cast<std::size_t>(got)));
    entry.size += static_cast<std::uint64_t>(got);
  }
  entry.sha256 = hash.hex();
  tree_.entries.push_back(std::move(entry));
  return {};
}

Result<void> Walk::add_link(int folder, const std::string& name, Entry entry) {
  entry.type = EntryType::symlink;
  entry.mode = 0777;
  char target[PATH_MAX];
  const ssize_t size = ::readlinkat(folder, name.c_str(), target, sizeof target);
  if (size < 0) return fail_errno("read link " + entry.path);
  entry.target.assign(target, static_cast<std::size_t>(size));
  if (std::string wrong = wrong_target(entry.path, entry.target); !wrong.empty())
    return refuse(entry.path, fmt::format("is a link to '{}': its {}", shown(entry.target), wrong));
  tree_.entries.push_back(std::move(entry));
  return {};
}

std::string difference(const Entry& found, const Entry& expected) {
  if (found.type != expected.type) return "is of another type";
  if (found.mode != expected.mode) return fmt::format("has mode {:04o}, not {:04o}", found.mode, expected.mode);
  if (found.size != expected.size) return fmt::format("has {} bytes, not {}", found.size, expected.size);
  if (found.target != expected.target) return fmt::format("points to '{}', not to '{}'", shown(found.target), shown(expected.target));
  if (found.sha256 != expected.sha256) return "has another content";
  return {};
}

}  // namespace

Result<Tree> list_tree(const fs::path& root, const ListOptions& options) {
  BERTH_TRY(const Fd folder, files::open(root, O_RDONLY | O_DIRECTORY));
  Walk walk(options, root.string());
  BERTH_CHECK(walk.list(folder.get(), {}));
  Tree tree = walk.take();
  std::ranges::sort(tree.notes);
  return tree;
}

Result<void> check_same(const std::vector<Entry>& found, const std::vector<Entry>& expected) {
  for (std::size_t i = 0; i < std::max(found.size(), expected.size()); ++i) {
    const bool missing = i >= found.size() || (i < expected.size() && found[i].path > expected[i].path);
    if (missing) return fail(Errc::trust, fmt::format("'{}' is missing", shown(expected[i].path)));
    const bool extra = i >= expected.size() || found[i].path < expected[i].path;
    if (extra) return fail(Errc::trust, fmt::format("'{}' is there, and not in the index", shown(found[i].path)));
    if (const std::string differs = difference(found[i], expected[i]); !differs.empty())
      return fail(Errc::trust, fmt::format("'{}' {}", shown(found[i].path), differs));
  }
  return {};
}

std::uint64_t total_size(const std::vector<Entry>& entries) {
  std::uint64_t size = 0;
  for (const Entry& entry : entries) size += entry.size;
  return size;
}

}  // namespace berth::bundle
