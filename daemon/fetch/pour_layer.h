#pragma once

#include <filesystem>
#include <stop_token>

#include "core/bundle/layer.h"
#include "core/result.h"
#include "daemon/fetch/fetch.h"
#include "daemon/fetch/linked_files.h"
#include "daemon/fetch/poured_files.h"

namespace berth::fetch {

/// Makes the files of `index` in the folder `tree`, whose folders are there, but for those of `plan`: workers decode the verified blob and pour its tar into pipes, and
/// berthd makes the files of it, and hashes them as it does. The workers see no file of the tree; `workshop` is an empty folder that is made for them and removed. What was made
/// is noted in `made`. When this returns, all workers are dead, or it fails with `Errc::io` since the kernel holds on to one. `Errc::trust` where the tar is
/// not the one of the index.
Result<void> pour_layer(const bundle::LayerIndex& index, const std::filesystem::path& blob, const LinkPlan& plan, int tree, const std::filesystem::path& workshop,
                        MadeFiles& made, const StageOptions& options, const std::stop_token& stop);

}  // namespace berth::fetch
