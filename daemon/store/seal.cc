#include "daemon/store/seal.h"

#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "core/files/files.h"

namespace berth::store {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostSingleSyncs = 64;

/// The regular files and folders below `tree` and itself, children before parents; no more of them than show that there are many. Symlinks are part of
/// their folder.
Result<std::vector<fs::path>> to_sync(const fs::path& tree) {
  std::vector<fs::path> found{tree};
  std::error_code failure;
  for (fs::recursive_directory_iterator entry(tree, failure), end; !failure && entry != end && found.size() <= kMostSingleSyncs; entry.increment(failure)) {
    const auto type = entry->symlink_status().type();
    if (type == fs::file_type::regular || type == fs::file_type::directory) found.push_back(entry->path());
  }
  if (failure) return fail_errno("list " + tree.string(), failure.value());
  return std::vector<fs::path>(found.rbegin(), found.rend());
}

}  // namespace

Result<void> sync_tree(const fs::path& tree) {
  BERTH_TRY(const auto paths, to_sync(tree));
  if (paths.size() <= kMostSingleSyncs) {
    for (const fs::path& path : paths) BERTH_CHECK(files::sync(path));
    return {};
  }
  BERTH_TRY(const Fd folder, files::open(tree, O_RDONLY | O_DIRECTORY));
  if (::syncfs(folder.get()) != 0) return fail_errno("syncfs " + tree.string());
  return {};
}

}  // namespace berth::store
