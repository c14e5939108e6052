#pragma once

#include <filesystem>

#include "core/bundle/manifest.h"
#include "core/release_file/release_file.h"
#include "core/result.h"

namespace berth::run {

namespace fs = std::filesystem;

/// Unpacks a layer from its blob and index into a folder of its own below `shelf`, verified, and gives that folder. One that is there from before is taken as
/// it is; others on the shelf are removed. `Errc::trust` for a layer that is not what `ref` says.
Result<fs::path> unpack_layer(const bundle::LayerRef& ref, const fs::path& blob, const fs::path& index, const fs::path& shelf);

/// The same of a layer in a repository, whose blob is verified before it is decoded.
Result<fs::path> fetch_layer(const release_file::Source& source, const bundle::LayerRef& ref, const fs::path& shelf);

}  // namespace berth::run
