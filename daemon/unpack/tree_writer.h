#pragma once

#include <string>
#include <string_view>

#include "core/bundle/layer.h"
#include "core/files/fd.h"
#include "core/result.h"

namespace berth::unpack {

/// Makes what a tar holds below one folder, without ever leaving it or following a symlink, not even one it made itself. Nothing is made
/// twice. Errors name the path.
class TreeWriter {
 public:
  /// `target` must outlive this.
  explicit TreeWriter(int target) : target_(target) {}

  /// The next entry; a file is open for `write` then.
  Result<void> enter(const bundle::Entry& entry);
  /// Content of the file that was entered last.
  Result<void> write(std::string_view content);

 private:
  /// The folder in which `path` lies; the one of the entry before stays open, since most lie side by side.
  Result<int> folder_of(std::string_view path);

  int target_;
  Fd file_;
  std::string file_path_;
  Fd folder_;
  std::string folder_path_;
};

}  // namespace berth::unpack
