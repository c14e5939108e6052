#pragma once

#include <filesystem>
#include <stop_token>

#include "core/bundle/layer.h"
#include "core/result.h"
#include "daemon/fetch/fetch.h"
#include "daemon/fetch/linked_files.h"
#include "daemon/fetch/patch_choice.h"

namespace berth::fetch {

/// Makes the folder `target` and fills it with what `index` says: from the verified blob, by a worker, and by links from sealed slots. Then
/// reads it all again and compares. What is there on success is what was signed for, root's and read-only. Errors name the path.
/// `blob` may be empty where every file is linked; no worker is needed then.
Result<void> unpack_layer(const bundle::LayerIndex& index, const std::filesystem::path& blob, const LinkPlan& plan, const std::filesystem::path& target,
                          const StageOptions& options, std::stop_token stop);

/// The same from a verified patch, whose base stands in `scratch` (see `write_base`); the files that the old layer has alike must be in the plan.
/// `Errc::trust` where the patch does not make what `index` says; any other failure says nothing of the patch, and leaves what was made of `target`.
Result<void> unpack_patch(const bundle::LayerIndex& index, const std::filesystem::path& blob, const PatchChoice& patch, int scratch, const LinkPlan& plan,
                          const std::filesystem::path& target, const StageOptions& options, std::stop_token stop);

/// The text of the index in a verified patch, decoded by a worker. `workshop` is a folder that is made and removed. Fails as `unpack_patch`.
Result<std::string> unpack_index(const std::filesystem::path& blob, const PatchChoice& patch, const bundle::LayerRef& layer,
                                 const std::filesystem::path& workshop, const StageOptions& options, std::stop_token stop);

}  // namespace berth::fetch
