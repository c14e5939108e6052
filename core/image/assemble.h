#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/image/layer_reader.h"
#include "core/image/layout.h"
#include "core/result.h"

namespace berth::image {

/// Makes the root file system of an image: layers on one another in a new folder `tree`, whose symlinks are all relative and none of which leads out,
/// and with the folders and files that berth mounts something on (spec::kImageMounts). The same image gives the same tree. `work` is a folder for what
/// is in the making, on the same disk; it is gone afterwards. Also makes `directory`, the image's working folder. Gives notes: what was left out. Fails
/// as LayerReader does.
Result<std::vector<std::string>> assemble(const Image& image, const std::filesystem::path& work, const std::filesystem::path& tree,
                                          const std::string& directory, const Limits& limits = {});

/// Writes what `tree` holds, whose contents lie in `contents`, to the new folder `folder`; `contents` is used up.
Result<void> write_tree(const LayerTree& tree, const std::filesystem::path& contents, const std::filesystem::path& folder, bundle::Losses& losses);

}  // namespace berth::image
