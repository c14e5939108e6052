#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "core/publish/release.h"
#include "core/result.h"

namespace berth::publish {

struct CollectOptions {
  std::int64_t keep_metadata = 10;       ///< versions of each role, the present one included; roots always stay
  std::chrono::seconds grace{24 * 3600};  ///< what was written within it stays: somebody may be reading it, or about to list it
  bool dry_run = false;
};

struct Collected {
  std::vector<std::string> files;  ///< below the repository's folder, by name
  std::uint64_t bytes = 0;
};

/// Removes what nothing lists: targets, blobs that no listed or waiting release names, and old numbered metadata. Holds the repository's lock. Where
/// anything that is listed cannot be read nothing is removed, and that is the error.
Result<Collected> collect_repository(const Repository& repository, const CollectOptions& options);

}  // namespace berth::publish
