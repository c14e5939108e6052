#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "core/json/json.h"
#include "core/result.h"
#include "core/trust/repository.h"
#include "core/trust/trusted_set.h"

namespace berth::trust {

/// The present metadata of a repository: what its files say, and the documents to go on from.
struct RepositoryFiles {
  RepositoryState state;
  Root root;
  json::object timestamp, snapshot, targets;  ///< the members `signed`
};

/// Reads and verifies the newest root, and what timestamp.json leads to.
Result<RepositoryFiles> read_repository_files(const std::filesystem::path& folder);

/// `metadata/` and `targets/` of a repository.
std::filesystem::path metadata_of(const std::filesystem::path& folder);
std::filesystem::path targets_of(const std::filesystem::path& folder);

}  // namespace berth::trust
