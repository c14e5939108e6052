#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/crypto/keys.h"
#include "core/result.h"
#include "core/trust/publication.h"
#include "core/trust/repository_files.h"

namespace berth::trust {

/// How the next root differs from the present one.
struct RootChange {
  std::string role;                       ///< whose keys are replaced; empty: root only gets a longer life
  std::vector<crypto::PublicKey> keys;    ///< all it has from then on
  std::optional<std::int64_t> threshold;  ///< default: as it was
};

/// The next root, unsigned. `Errc::usage` for an unknown role, no keys, and a threshold above their number.
Result<json::object> next_root(const RepositoryFiles& files, const RootChange& change, WallTime expires);

/// Reads a root that is to follow the present one: the next version, signed by enough of the keys of both. `Errc::trust` else.
Result<NextRoot> read_next_root(const RepositoryFiles& files, std::string_view bytes);

/// Whether a role has other keys, or another threshold, in `next`.
bool differ(const RoleKeys& present, const RoleKeys& next);

}  // namespace berth::trust
