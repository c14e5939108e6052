#pragma once

#include <filesystem>
#include <functional>
#include <string_view>
#include <vector>

#include "core/bundle/layer.h"
#include "core/result.h"

namespace berth::bundle {

/// Writes the canonical tar of `entries`, whose files are read below `root`, to `sink` in pieces. Fails with `Errc::usage` where an entry
/// breaks a rule of layers, and with `Errc::conflict` where a file is no longer what its entry says.
Result<void> write_tar(const std::filesystem::path& root, const std::vector<Entry>& entries,
                       const std::function<Result<void>(std::string_view)>& sink);

/// The same of entries that were listed without their hashes: what is packed says what they are.
Result<void> write_tar_and_hash(const std::filesystem::path& root, std::vector<Entry>& entries,
                                const std::function<Result<void>(std::string_view)>& sink);

}  // namespace berth::bundle
