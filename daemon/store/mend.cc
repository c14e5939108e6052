#include "daemon/store/mend.h"

#include <algorithm>
#include <cerrno>
#include <set>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "core/files/files.h"

namespace berth::store {
namespace {

namespace fs = std::filesystem;
using Stat = struct stat;

constexpr std::size_t kPiece = 256u << 10;
constexpr std::size_t kMostAttributes = 64u << 10;  ///< of names, as the kernel has it

Result<Stat> look_at(const fs::path& path) {
  Stat is{};
  if (::lstat(path.c_str(), &is) != 0) return fail_errno("look at " + path.string());
  return is;
}

Result<std::set<std::string>> names_in(const fs::path& folder) {
  std::set<std::string> names;
  std::error_code failure;
  for (fs::directory_iterator at(folder, failure), end; !failure && at != end; at.increment(failure)) names.insert(at->path().filename().string());
  if (failure) return fail(Errc::io, "list " + folder.string() + ": " + failure.message());
  return names;
}

/// The names of a path's extended attributes, in order.
std::vector<std::string> attributes_of(const fs::path& path) {
  std::string names(kMostAttributes, '\0');
  const ssize_t size = ::llistxattr(path.c_str(), names.data(), names.size());
  std::vector<std::string> all;
  for (ssize_t at = 0; at < size; at += static_cast<ssize_t>(all.back().size()) + 1) all.emplace_back(names.data() + at);
  std::ranges::sort(all);
  return all;
}

Result<bool> have_same_content(const fs::path& one, const fs::path& other) {
  BERTH_TRY(const Fd left, files::open(one, O_RDONLY | O_NOFOLLOW));
  const auto right = files::open(other, O_RDONLY | O_NOFOLLOW);
  if (!right) return false;
  std::string mine(kPiece, '\0'), theirs(kPiece, '\0');
  for (off_t at = 0;;) {
    const ssize_t got = ::pread(left.get(), mine.data(), mine.size(), at);
    if (got < 0) return fail_errno("read " + one.string());
    if (got == 0) return true;  // they are of one size
    ssize_t there = 0;
    while (there < got) {
      const ssize_t more = ::pread(right->get(), theirs.data() + there, static_cast<std::size_t>(got - there), at + there);
      if (more <= 0) return false;  // a disk that cannot read it any more, too
      there += more;
    }
    if (!std::equal(mine.begin(), mine.begin() + got, theirs.begin())) return false;
    at += got;
  }
}

/// Of two that are no folders.
Result<bool> are_same(const fs::path& one, const Stat& first, const fs::path& other, const Stat& second) {
  if (first.st_mode != second.st_mode || first.st_uid != second.st_uid || first.st_gid != second.st_gid || first.st_size != second.st_size) return false;
  if (attributes_of(one) != attributes_of(other)) return false;
  if (S_ISREG(first.st_mode)) return have_same_content(one, other);
  std::error_code failure;
  const fs::path target = fs::read_symlink(one, failure);
  return !failure && target == fs::read_symlink(other, failure) && !failure;
}

/// A folder in both.
Result<void> take_attributes(const fs::path& whole, const Stat& is, const fs::path& broken) {
  const auto wanted = attributes_of(whole);
  for (const std::string& name : attributes_of(broken))
    if (!std::ranges::binary_search(wanted, name) && ::lremovexattr(broken.c_str(), name.c_str()) != 0) return fail_errno("remove " + name + " from " + broken.string());
  if (::lchown(broken.c_str(), is.st_uid, is.st_gid) != 0) return fail_errno("chown " + broken.string());
  if (::chmod(broken.c_str(), is.st_mode & 07777) != 0) return fail_errno("chmod " + broken.string());
  return {};
}

Result<void> mend_entry(const fs::path& whole, const fs::path& broken);

Result<void> mend_folder(const fs::path& whole, const Stat& is, const fs::path& broken) {
  BERTH_TRY(const auto wanted, names_in(whole));
  BERTH_TRY(const auto there, names_in(broken));
  for (const std::string& name : there)
    if (!wanted.contains(name)) BERTH_CHECK(files::remove_tree(broken / name));
  for (const std::string& name : wanted) BERTH_CHECK(mend_entry(whole / name, broken / name));
  return take_attributes(whole, is, broken);
}

Result<void> mend_entry(const fs::path& whole, const fs::path& broken) {
  BERTH_TRY(const Stat is, look_at(whole));
  if (Stat was{}; ::lstat(broken.c_str(), &was) == 0) {
    if (S_ISDIR(is.st_mode) && S_ISDIR(was.st_mode)) return mend_folder(whole, is, broken);
    if (!S_ISDIR(is.st_mode) && !S_ISDIR(was.st_mode)) {
      BERTH_TRY(const bool same, are_same(whole, is, broken, was));
      if (same) return {};
    } else {
      BERTH_CHECK(files::remove_tree(broken));
    }
  }
  if (::rename(whole.c_str(), broken.c_str()) != 0) return fail_errno("put " + broken.string() + " in its place");
  return {};
}

}  // namespace

Result<void> mend_tree(const fs::path& whole, const fs::path& broken) {
  BERTH_TRY(const Stat is, look_at(whole));
  return mend_folder(whole, is, broken);
}

}  // namespace berth::store
