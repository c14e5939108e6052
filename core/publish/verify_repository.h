#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/trust/time.h"

namespace berth::publish {

/// What a repository's folder was found to be.
struct Verification {
  std::uint64_t releases = 0, blobs = 0, bytes = 0;  ///< read and hashed
  std::vector<std::string> faults;                   ///< a line each; empty: a node finds all it is told of
};

/// Reads everything that the repository's metadata leads to: every target, every blob that a manifest names, and every layer's index against its
/// blob. Fails only where the metadata itself cannot be believed; else all that is wrong is listed.
Result<Verification> verify_repository(const std::filesystem::path& repository, trust::WallTime now);

}  // namespace berth::publish
