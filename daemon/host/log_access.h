#pragma once

#include <filesystem>

#include <sys/types.h>

#include "core/result.h"

namespace berth::host {

/// Lets a group read the logs below `root`: folders get it with the set-group-id bit, so that what keepers make there has it too, and files that are there get it.
/// Their modes stay, by which others read nothing. Blocking; what is already so is left alone.
Result<void> share_logs(const std::filesystem::path& root, gid_t group);

}  // namespace berth::host
