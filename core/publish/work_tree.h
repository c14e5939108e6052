#pragma once

#include <chrono>

#include "core/publish/commit.h"
#include "core/result.h"

namespace berth::publish {

/// Whether tracked files of a work tree are not as its commit has them, staged or not; files that git does not track do not count, as for
/// `git describe --dirty`. Asks git, which gets a repository folder of its own for it: the objects and the index are the work tree's, and its
/// configuration, which can name programs, is not. Fails where git is missing, cannot read that repository, or has not ended after `most`.
Result<bool> has_changes(const CheckedOut& there, std::chrono::milliseconds most = std::chrono::minutes(2));

}  // namespace berth::publish
