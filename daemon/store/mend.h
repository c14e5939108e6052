#pragma once

#include <filesystem>

#include "core/result.h"

namespace berth::store {

/// Makes the tree `broken` what `whole` is, path by path: what differs in type, mode, owner, extended attributes or content is taken from `whole`, which is used up by it, and what only `broken`
/// has is removed. Folders that are in both stay the folders that they are, so that a process which works in one of them goes on, and finds there what belongs there. Each path is exchanged
/// in one step; a tree that was mended half is nearer to what it should be than before. Fails with `Errc::io` or `Errc::no_space`, and is to be called anew then with a new `whole`.
Result<void> mend_tree(const std::filesystem::path& whole, const std::filesystem::path& broken);

}  // namespace berth::store
