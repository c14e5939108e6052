#pragma once

#include <filesystem>

#include "core/trust/remote.h"

namespace berth::trust {

/// Whether a repository's location is a folder: a path, or `file://` and one.
bool is_folder(std::string_view location);

/// A repository, or a part of one, in a folder. No path leaves the folder, and no symlink in it is followed.
class FolderRemote : public Remote {
 public:
  explicit FolderRemote(std::filesystem::path folder) : folder_(std::move(folder)) {}
  /// From a path or a `file://` URL (whose path is taken as it is, without percent-decoding). Fails with `Errc::usage` on other URLs.
  static Result<FolderRemote> at(std::string_view location);

  Result<std::string> get(std::string_view path, std::uint64_t most) override;
  const std::filesystem::path& folder() const { return folder_; }

 private:
  std::filesystem::path folder_;
};

}  // namespace berth::trust
