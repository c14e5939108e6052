#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "core/json/json.h"
#include "core/result.h"
#include "core/trust/repository.h"

namespace berth::trust {

/// What of `targets` and `pointers` (name → bytes) is not in `held` yet, or a pointer that changes. Fails with `Errc::usage` for what cannot be a name,
/// and with `Errc::exists` where a target that is no pointer is held with other bytes, or was dropped.
Result<std::map<std::string, std::string>> new_targets(const RepositoryState& held, const std::map<std::string, std::string>& targets,
                                                       const std::map<std::string, std::string>& pointers);

/// Writes targets below `folder` under their consistent names, and lists them in `listed`.
Result<void> write_targets(const std::filesystem::path& folder, const std::map<std::string, std::string>& targets, json::object& listed);

}  // namespace berth::trust
