#pragma once

#include <string>
#include <string_view>

namespace berth::bundle {

inline constexpr std::size_t kLongestPath = 1024;   ///< bytes of a path in a layer, and of a link's target
inline constexpr std::size_t kMostEntries = 200'000;  ///< paths of one layer

/// Why `path` cannot be a path of a layer; empty where it can: relative, `/`-separated, UTF-8, without `.`, `..`, empty parts and control characters, at
/// most 255 bytes a part and 1024 in all.
std::string wrong_path(std::string_view path);

/// Why a symlink at `path` cannot point to `target`; empty where it can. It may climb by `..` in front only, and no higher than the tree: since the
/// folders above a link are folders, not links, such a chain of links never leaves the tree.
std::string wrong_target(std::string_view path, std::string_view target);

/// The folder a path lies in; empty at the top.
std::string_view parent_of(std::string_view path);

}  // namespace berth::bundle
