#pragma once

#include <cstdint>
#include <filesystem>
#include <stop_token>

#include "core/result.h"

namespace berth::data {

namespace fs = std::filesystem;

/// What copying a tree may take.
struct CopyLimits {
  std::uint64_t max_bytes = UINT64_MAX;  ///< that are really copied; what shares blocks does not count
  std::uint64_t reserve_bytes = 0;       ///< what stays free on the disk
  std::stop_token stop;                  ///< ends it with `Errc::cancelled`
};

/// What was copied.
struct CopiedTree {
  std::uint64_t bytes = 0;   ///< of all files, holes left out
  std::uint64_t copied = 0;  ///< of those, what does not share its blocks
  bool shared = false;       ///< some file does
};

/// Copies what is below the folder `from` to below the folder `to`, which is there and empty, and then gives `to` the owner, mode and times of `from`.
/// Files keep their holes, hard links among each other, owners, modes, times and extended attributes; blocks are shared (FICLONE) where the file system
/// can. No symlink is followed, whoever changes the tree meanwhile. Everything is on the disk when it returns. Blocking. Fails with
///  - `Errc::no_space` over a limit,
///  - `Errc::cancelled` when asked to stop,
///  - `Errc::io` and the like with the path that could not be read or written; then part of it is there.
Result<CopiedTree> copy_tree(const fs::path& from, const fs::path& to, const CopyLimits& limits);

/// Bytes in the files below `folder`, holes left out, hard links once. Blocking.
Result<std::uint64_t> tree_bytes(const fs::path& folder, const std::stop_token& stop = {});

}  // namespace berth::data
