#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "core/bundle/layer.h"
#include "core/result.h"

namespace berth::fetch {

/// `12.3 MiB`.
std::string as_size(std::uint64_t bytes);

/// Bytes on disk that the entries of a layer take once unpacked: whole blocks, and something for each name.
std::uint64_t space_of_tree(const bundle::LayerIndex& index);

/// `Errc::no_space` unless `needed` bytes can be written to the disk of `folder` and `reserve` still stay free; tells all three.
Result<void> check_space(const std::filesystem::path& folder, std::uint64_t needed, std::uint64_t reserve);

}  // namespace berth::fetch
