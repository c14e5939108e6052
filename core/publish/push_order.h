#pragma once

#include <filesystem>
#include <vector>

#include "core/result.h"

namespace berth::publish {

/// A repository's metadata in the order to copy it in: files of one part in any order, part after part. Paths are relative to the repository.
///
/// What nothing leads to before timestamp.json does comes first. Then timestamp.json and the roots: readers take every root that they find, and want
/// timestamp, snapshot and targets signed by the keys of the last. So timestamp.json comes before each root from which on it, its snapshot and its targets
/// are signed rightly by the keys of every one: a reader sees no moment in which they do not fit, nor where the copying breaks off. Where the old keys did
/// not sign what is new, such as after a rotation and then a refresh, there is no such order, and it comes right after the first root that it fits.
/// root.json, which is there to be pinned, is the last.
///
/// Fails with `Errc::trust`, and as reading does, where the repository is not whole.
Result<std::vector<std::vector<std::filesystem::path>>> metadata_in_order(const std::filesystem::path& repository);

}  // namespace berth::publish
