#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/publish/release.h"
#include "core/result.h"

namespace berth::publish {

/// A role's new version that was published.
struct AcceptedRole {
  std::string role;
  std::int64_t version = 0;
  std::vector<std::string> targets;  ///< that are new or changed in it
  std::uint64_t new_bytes = 0;       ///< of blobs
};

/// What of `incoming/` was not taken, and why.
struct RefusedRole {
  std::string role;
  Error error;  ///< its message says the way out
};

struct Acceptance {
  std::vector<AcceptedRole> accepted;
  std::vector<RefusedRole> refused;
};

/// Publishes what the keepers of delegated roles handed in: checks signatures, threshold, versions, paths and names (trust::read_handed_in), that every
/// new target is a release's manifest or a channel of that very name, that targets and every blob a manifest names are there with the right
/// hashes, and that a channel moves forward in its serial and points to a release that exists. A role that breaks a rule is refused whole and left
/// where it is; the others are published together. Needs the keys of snapshot and timestamp, and no other.
Result<Acceptance> accept_incoming(const Repository& repository);

/// Takes away what waits in `incoming/` for a role that is delegated no longer: nothing of it can be accepted. Tells the versions that waited.
Result<std::vector<std::int64_t>> discard_incoming(const std::filesystem::path& incoming, const std::string& role);

}  // namespace berth::publish
