#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "core/bundle/layer.h"

namespace berth::bundle {

/// Reads the text of an index without making a tree of values of it, which takes ten times the memory and time. Nothing where it is not exactly in the
/// form that `to_canonical_json` writes, or holds a number, mode or type that no index may: what is the matter, a reader of JSON tells. The rules that
/// entries, frames and chunks obey among each other are not looked at.
std::optional<LayerIndex> read_index(std::string_view text);

// What the form allows, for both readers.
inline constexpr std::uint64_t kMostExpansion = 64u << 10;  ///< bytes that zstd may add to a frame that does not compress; it adds 64 KiB at most
inline constexpr std::string_view kEntryTypes[] = {"directory", "file", "symlink"};  ///< in the order of EntryType
inline constexpr std::pair<std::string_view, std::uint32_t> kEntryModes[] = {{"0644", 0644}, {"0755", 0755}, {"0777", 0777}};

}  // namespace berth::bundle
