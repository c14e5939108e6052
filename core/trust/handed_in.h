#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/files/fd.h"
#include "core/json/json.h"
#include "core/result.h"
#include "core/trust/repository_files.h"

namespace berth::trust {

/// Which targets are pointers that a later version of a role may change, such as channels. Everything else is for ever.
using IsPointer = std::function<bool(std::string_view name)>;

/// A new version of a delegated role, as its keeper signed it.
struct HandedIn {
  std::string role;
  std::int64_t version = 0;
  std::string bytes;           ///< the file
  Targets targets;
  Dropped dropped;             ///< its list of dropped names
  std::vector<Target> added;   ///< targets that are new in it, or pointers that changed
  std::vector<std::string> moved;  ///< pointers among them that the top-level targets role lists still: whoever publishes this takes them out of there
};

/// The folder below `incoming/` of a role, whose owner may be anyone: nothing in it is followed, and only plain files are read.
class HandedInFolder {
 public:
  /// Fails with `Errc::not_found` where there is none.
  static Result<HandedInFolder> open(const std::filesystem::path& folder);

  /// A file in it, at most `most` bytes. `Errc::not_found`, or `Errc::trust` where it is a link, a device or the like.
  Result<std::string> read(const std::string& relative, std::size_t most) const;
  Result<Fd> open_file(const std::string& relative) const;
  /// The versions of `role` that lie in it, ascending.
  std::vector<std::int64_t> versions(const std::string& role) const;
  /// Takes a file away; an absent one is fine.
  void remove(const std::string& relative) const;
  std::filesystem::path path() const { return path_; }

 private:
  HandedInFolder(std::filesystem::path path, Fd folder) : path_(std::move(path)), folder_(std::move(folder)) {}
  std::filesystem::path path_;
  Fd folder_;
};

/// Reads the versions of a role that follow the published one without a gap, and checks each against the one before it: signed by enough of the
/// role's keys, not expired, no target outside of its paths or listed by another role (but pointers of the top-level one, which move), none taken away,
/// none but pointers changed, no delegations of its own, its list of dropped names the one before
/// and what it leaves out itself, and none of these names used again. Empty where nothing new lies there. `Errc::trust` says which version breaks which rule.
Result<std::vector<HandedIn>> read_handed_in(const RepositoryFiles& files, const std::string& role, const HandedInFolder& folder, WallTime now,
                                             const IsPointer& is_pointer);

}  // namespace berth::trust
