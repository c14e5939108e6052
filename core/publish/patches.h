#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/publish/release.h"

namespace berth::publish {

/// Gives the builds of a draft patches from those that were released last in this environment, as far as they are worth it, and puts their blobs into
/// `folder`. One that some release has already is taken from there. Reads the repository as it is published, and needs no lock: what is released
/// meanwhile is no base. Gives a note for each build that no patch could be made from.
std::vector<std::string> add_patches(Draft& draft, const std::filesystem::path& repository, const std::string& environment, const PatchOptions& options,
                                     const std::filesystem::path& folder);

}  // namespace berth::publish
