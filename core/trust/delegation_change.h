#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/crypto/keys.h"
#include "core/result.h"
#include "core/trust/repository_files.h"

namespace berth::trust {

/// A role that is to be delegated, or how a delegated one is to change.
struct DelegationChange {
  std::string role;
  std::vector<crypto::PublicKey> keys;     ///< added to those it has
  std::vector<std::string> paths;          ///< replace those it has, unless there are none here
  std::optional<std::int64_t> threshold;   ///< default: as it was; 1 for a new one
  bool force = false;                      ///< also where what it published is then signed by too few of its keys
};

/// Edits `files.targets`. What the role lists and other paths no longer lead to counts as dropped (dropped.h). Fails with `Errc::usage` for a name that cannot be a role's, no keys, a threshold above their number, and paths that another
/// role has, and with `Errc::conflict` where what the role published would not be believed any more, unless `force`.
Result<void> delegate(RepositoryFiles& files, const DelegationChange& change);

/// What is taken away from a delegated role.
struct Revocation {
  std::string role;
  std::vector<crypto::PublicKey> keys;  ///< these of its keys; none: the whole role
  bool keep_targets = false;            ///< with the whole role: the top-level targets role lists what it listed from now on
  bool force = false;                   ///< also where what it published is then signed by too few of its keys
};

/// Edits `files.targets`, which keeps the names of what a whole role listed or had dropped (dropped.h). Fails with `Errc::not_found` for a role or key that is not delegated, and with `Errc::conflict` where what it published is no
/// longer believed afterwards, unless `force`.
Result<void> revoke(RepositoryFiles& files, const std::filesystem::path& folder, const Revocation& revocation);

}  // namespace berth::trust
