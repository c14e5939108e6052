#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "daemon/data/tree_copy.h"

namespace berth::data {

/// The first mount point at `folder` or below it, in what /proc/self/mountinfo says; nothing where there is none. `folder` is absolute and has no symlink.
std::optional<std::string> mount_in(std::string_view mountinfo, const fs::path& folder);

/// The same for this process, wherever `folder` leads. Fails where the mounts cannot be told. Blocking.
Result<std::optional<std::string>> mount_in(const fs::path& folder);

}  // namespace berth::data
