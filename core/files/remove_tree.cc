#include <cerrno>
#include <memory>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/files/files.h"

namespace berth::files {
namespace {

using Directory = std::unique_ptr<DIR, int (*)(DIR*)>;

Result<void> remove_below(int parent, const char* name, const fs::path& shown);

Result<void> empty_directory(Fd directory, const fs::path& shown) {
  // A folder that its owner may not write to cannot be emptied.
  if (::fchmod(directory.get(), 0700) != 0) return fail_errno("chmod " + shown.string());
  const int fd = directory.get();
  const Directory listing(::fdopendir(fd), ::closedir);
  if (!listing) return fail_errno("list " + shown.string());
  directory.release();  // closedir closes it
  while (const dirent* entry = ::readdir(listing.get())) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    BERTH_CHECK(remove_below(fd, entry->d_name, shown / name));
  }
  return {};
}

Result<void> remove_below(int parent, const char* name, const fs::path& shown) {
  if (::unlinkat(parent, name, 0) == 0 || errno == ENOENT) return {};
  if (errno != EISDIR && errno != EPERM) return fail_errno("remove " + shown.string());
  Fd directory(::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory) return fail_errno("open " + shown.string());
  BERTH_CHECK(empty_directory(std::move(directory), shown));
  if (::unlinkat(parent, name, AT_REMOVEDIR) != 0) return fail_errno("remove " + shown.string());
  return {};
}

}  // namespace

Result<void> remove_tree(const fs::path& path) { return remove_below(AT_FDCWD, path.c_str(), path); }

TemporaryDirectory::TemporaryDirectory() {
  std::string name = (fs::temp_directory_path() / "berth-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw fs::filesystem_error("mkdtemp", name, std::error_code(errno, std::generic_category()));
  path_ = name;
}

TemporaryDirectory::~TemporaryDirectory() { (void)remove_tree(path_); }

}  // namespace berth::files
