#pragma once

#include <filesystem>

#include "core/result.h"

namespace berth::store {

/// Puts every file and folder of `tree`, itself included, on the disk. A small tree is synced file by file; a large one by one syncfs,
/// which costs less than thousands of fsyncs but also waits for what others wrote.
Result<void> sync_tree(const std::filesystem::path& tree);

}  // namespace berth::store
