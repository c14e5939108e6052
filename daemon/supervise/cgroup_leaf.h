#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/spec/limits.h"

namespace berth::supervise {

/// Makes the cgroup `leaf` below berthd's own, `root`, with what controllers there are handed down to it, folder by folder. Blocking.
Result<void> make_leaf(const std::filesystem::path& root, const std::filesystem::path& leaf);

/// Removes the cgroup `leaf` with all below it, which its app may have made, and then the folders between it and `root` that are empty. What still holds a
/// process stays. Blocking.
void remove_leaf(const std::filesystem::path& root, const std::filesystem::path& leaf);

/// The words of `limits` that the kernel does not enforce in the app's cgroup `leaf`, since it has no such file there: without that controller, or, where
/// `leaf` is empty, without a cgroup. Sorted.
std::vector<std::string> unenforced(const spec::Limits& limits, const std::string& leaf);

}  // namespace berth::supervise
