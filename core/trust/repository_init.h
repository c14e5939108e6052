#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "core/result.h"
#include "core/trust/keyring.h"
#include "core/trust/repository.h"
#include "core/trust/role_document.h"

namespace berth::trust {

/// Whose keys a new repository is to list.
struct RepositoryPlan {
  std::filesystem::path keys;               ///< where new private keys go: `<role>.pem`, `<role>-2.pem`, …
  std::map<std::string, ListedKeys> roles;  ///< by role; one without public keys gets as many new ones as its threshold says
  std::string passphrase = {};              ///< that new private keys are encrypted with; empty: they are not
};

/// Makes the keys that are missing, and the first root, signed by those root keys that are at hand: it may have to be signed elsewhere before
/// `create_repository` takes it. Fails as `init_repository`.
Result<std::string> first_root(const std::filesystem::path& folder, RepositoryPlan plan, const Keyring& keys, WallTime now,
                               const Lifetimes& lifetimes = {});

/// Makes a repository with that root. Needs the keys of targets, snapshot and timestamp. `Errc::trust` where the root is not signed by enough of its
/// own keys.
Result<void> create_repository(const std::filesystem::path& folder, const std::string& root, const Keyring& keys, WallTime now,
                               const Lifetimes& lifetimes = {});

}  // namespace berth::trust
