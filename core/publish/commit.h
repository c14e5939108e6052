#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace berth::publish {

/// What git has checked out where a folder lies.
struct CheckedOut {
  std::string commit;               ///< 40 or 64 hex digits; empty where there is none yet
  std::filesystem::path work_tree;  ///< its top
  std::filesystem::path git;        ///< the repository of this work tree,
  std::filesystem::path common;     ///< and of all that share its objects
};

/// Nothing outside of a git work tree. Only git's files are read; no program is run, since a work tree's configuration can name programs of its own.
std::optional<CheckedOut> checked_out(const std::filesystem::path& folder);

/// What is recorded of a build whose work tree was not as the commit has it: `<commit>-dirty`.
std::string dirty(const std::string& commit);
bool is_dirty(std::string_view commit);

/// The twelve digits that people read of a commit, and whether it is dirty.
std::string short_commit(const std::string& commit);

}  // namespace berth::publish
