#pragma once

#include <filesystem>

#include "cli/console.h"
#include "core/result.h"
#include "core/trust/repository.h"

namespace berth::cli {

/// Tells a repository's roles: versions, when they expire, and which are to be signed soon. Gives `Exit::trust` where one has expired.
Result<Exit> tell_roles(const Console& console, const std::filesystem::path& folder, const trust::RepositoryState& state, trust::WallTime now);

}  // namespace berth::cli
