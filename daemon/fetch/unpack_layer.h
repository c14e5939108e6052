#pragma once

#include <filesystem>
#include <stop_token>

#include "core/bundle/layer.h"
#include "core/result.h"
#include "daemon/fetch/fetch.h"
#include "daemon/fetch/linked_files.h"

namespace berth::fetch {

/// Makes the folder `target` and fills it with what `index` says: from the verified blob, which workers decode, and by links from sealed slots. Then
/// compares all of it. What is there on success is what was signed for, root's and read-only. Errors name the path.
/// `blob` may be empty where every file is linked; no worker is needed then.
Result<void> unpack_layer(const bundle::LayerIndex& index, const std::filesystem::path& blob, const LinkPlan& plan, const std::filesystem::path& target,
                          const StageOptions& options, std::stop_token stop);

}  // namespace berth::fetch
