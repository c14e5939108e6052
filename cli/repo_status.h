#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cli/console.h"
#include "core/result.h"
#include "core/trust/repository.h"

namespace berth::cli {

/// Tells a repository's roles: versions, when they expire, and, on stderr also with `--quiet`, which are to be signed soon. Gives `Exit::trust` where one has expired.
Result<Exit> tell_roles(const Console& console, const std::filesystem::path& folder, const trust::RepositoryState& state, trust::WallTime now);

/// A line for each role that has expired, or has less than a fifth of its life left, with what to do.
std::vector<std::string> expiry_warnings(const std::filesystem::path& folder, const trust::RepositoryState& state, trust::WallTime now);
/// The same of the repository as it lies there now, for verbs that have changed it. Where it cannot be read, that is told by others.
std::vector<std::string> expiry_warnings(const std::filesystem::path& folder);

}  // namespace berth::cli
