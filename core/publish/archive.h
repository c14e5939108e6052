#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/result.h"

namespace berth::publish {

/// What an archive may hold at most, since a few kilobytes can claim to be a petabyte.
struct ArchiveLimits {
  std::uint64_t bytes = 16ull << 30;
  std::uint64_t entries = 1'000'000;
};

/// Unpacks a ZIP, or a tar that may be compressed (gzip, xz, zstd, bzip2), into the new folder `folder`, as its files say: nothing is run, nothing is
/// written elsewhere. Paths and links that leave the folder, devices, pipes, and a path that comes twice are refused with `Errc::usage`, by name.
/// Owners are passed over, and modes become 0755 or 0644. Gives notes for the user: what had a setuid or setgid bit that is gone.
Result<std::vector<std::string>> unpack_archive(const std::filesystem::path& archive, const std::filesystem::path& folder,
                                                const ArchiveLimits& limits = {});

}  // namespace berth::publish
