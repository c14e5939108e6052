#pragma once

#include <string>
#include <string_view>

#include <fcntl.h>

#include "core/files/fd.h"
#include "core/files/files.h"
#include "core/result.h"

namespace berth::fetch {

/// Finds the folders of paths below one, which is borrowed, without leaving it and without following any symlink. The one of the path before stays open:
/// in a sorted list most lie side by side. Not for several threads.
class FolderCache {
 public:
  explicit FolderCache(int root) : root_(root) {}

  /// The folder in which `path` lies (O_PATH); good until the next call.
  Result<int> folder_of(std::string_view path) {
    const auto slash = path.rfind('/');
    if (slash == std::string_view::npos) return root_;
    const std::string_view folder = path.substr(0, slash);
    if (!folder_ || path_ != folder) {
      folder_.reset();
      BERTH_TRY(folder_, files::open_below(root_, folder, O_PATH | O_DIRECTORY));
      path_ = folder;
    }
    return folder_.get();
  }

  /// A file, to read. A FIFO that stands there instead does not hold the caller.
  Result<Fd> open_file(std::string_view path) {
    BERTH_TRY(const int folder, folder_of(path));
    return files::open_below(folder, path.substr(path.rfind('/') + 1), O_RDONLY | O_NONBLOCK);
  }

 private:
  int root_;
  Fd folder_;
  std::string path_;
};

}  // namespace berth::fetch
