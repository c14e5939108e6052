#pragma once

#include <filesystem>

#include "core/result.h"

namespace berth::trust {

/// Whether the file is what a node can be given as the root of trust: root metadata, signed by as many of its own keys as it asks for itself. Whether it expired
/// does not matter, since a newer one follows it. Fails with the file's path: as reading does where it is not there, else with `Errc::trust`, saying why it is
/// none and which file should be there.
Result<void> check_root_file(const std::filesystem::path& file);

}  // namespace berth::trust
