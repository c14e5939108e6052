#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "core/publish/blob_folder.h"
#include "core/publish/contents.h"
#include "core/publish/release.h"
#include "core/result.h"
#include "core/trust/repository.h"
#include "core/trust/role_writer.h"

namespace berth::publish {

/// The delegated role that signs for an app's releases in an environment; empty where none does, and the repository's own targets key signs.
std::string role_of(const trust::RepositoryState& state, const std::string& app, const std::string& environment);

/// Where what is released of one app goes: into the repository, or, signed by the app's delegated role, into its folder below `incoming/`. Holds the
/// lock of that folder.
class Publisher {
 public:
  /// Fails as trust::RepositoryWriter and trust::RoleWriter do.
  static Result<Publisher> open(const Repository& repository, const std::string& app, const std::string& environment);

  /// The repository, what waits in the role's folder included.
  const trust::RepositoryState& state() const;
  Folders folders() const;
  BlobFolder blobs() const;
  Result<void> add_targets(const std::map<std::string, std::string>& targets, const std::map<std::string, std::string>& pointers = {});

  std::string role() const { return role_; }
  /// The role's file that waits to be accepted; empty where the role is the repository's own.
  std::filesystem::path handed_in() const;
  std::int64_t missing_signatures() const;

 private:
  Publisher() = default;

  std::filesystem::path repository_;
  std::string role_ = "targets";
  std::optional<trust::RepositoryWriter> own_;
  std::optional<trust::RoleWriter> delegated_;
};

}  // namespace berth::publish
