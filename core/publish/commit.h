#pragma once

#include <filesystem>
#include <string>

namespace berth::publish {

/// The commit that is checked out where `folder` lies: 40 or 64 hex digits; empty outside of a git work tree. Only git's files are read; no
/// program is run, since a work tree's configuration can name programs of its own.
std::string checked_out_commit(const std::filesystem::path& folder);

}  // namespace berth::publish
