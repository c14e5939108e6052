#pragma once

#include <filesystem>
#include <stop_token>
#include <string>

#include "core/bundle/layer.h"
#include "core/result.h"
#include "daemon/fetch/fetch.h"
#include "daemon/fetch/linked_files.h"
#include "daemon/fetch/patch_choice.h"

namespace berth::fetch {

// What a worker does of a patch, and what berthd makes of that. The worker sees no tree: it decodes into a file, and berthd cuts that into files by the
// signed index. `workshop` is a folder that is made for the worker and removed.

/// The text of the index in a verified patch. `Errc::trust` where the patch is not what its manifest says; any other failure says nothing of the patch.
Result<std::string> unpack_index(const std::filesystem::path& blob, const PatchChoice& patch, const bundle::LayerRef& layer,
                                 const std::filesystem::path& workshop, const StageOptions& options, std::stop_token stop);

/// Makes what the patch makes in `scratch`, where its base is (see `write_base`). Fails as `unpack_index`.
Result<void> run_script(const std::filesystem::path& blob, const PatchChoice& patch, const PatchParts& parts, int scratch,
                        const std::filesystem::path& workshop, const StageOptions& options, std::stop_token stop);

/// Makes the folder `target` of that, and of links for all that is in `plan`; then compares it with the index. What is there on success
/// is what was signed for, root's and read-only. `Errc::trust` names what the patch made of another content.
Result<void> make_patched(const bundle::LayerIndex& index, const PatchParts& parts, int scratch, const LinkPlan& plan, const std::filesystem::path& target,
                          std::stop_token stop);

}  // namespace berth::fetch
