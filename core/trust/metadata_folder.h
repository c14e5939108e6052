#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "core/result.h"

namespace berth::trust {

/// The files of a client's trusted metadata: each role's bytes as received, in `<encoded role>.json`.
class MetadataFolder {
 public:
  explicit MetadataFolder(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// Fails with `Errc::not_found` where the role was never kept.
  Result<std::string> read(std::string_view role) const;
  /// Durable, and whole or not at all.
  Result<void> keep(std::string_view role, std::string_view bytes) const;

  bool has(std::string_view role) const;
  Result<void> make() const;
  const std::filesystem::path& path() const { return folder_; }

 private:
  std::filesystem::path file(std::string_view role) const;

  std::filesystem::path folder_;
};

}  // namespace berth::trust
