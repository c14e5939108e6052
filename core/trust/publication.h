#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "core/trust/keyring.h"
#include "core/trust/repository.h"
#include "core/trust/repository_files.h"

namespace berth::trust {

/// A root that follows the present one: signed by the keys of both.
struct NextRoot {
  std::string bytes;
  Root root;
};

/// What one publication changes in a repository.
struct Changes {
  bool targets = false;                      ///< `RepositoryFiles::targets` was edited, or is to live longer
  bool snapshot = true;                      ///< always so where a role changes
  bool timestamp = true;
  std::map<std::string, std::string> roles;  ///< delegated role → its new file, signed by its own keys
  std::optional<NextRoot> root;
};

/// Where and with what a publisher works.
struct Workplace {
  std::filesystem::path folder;
  Keyring keys;
  std::function<WallTime()> now;
  Lifetimes lifetimes;
};

/// Signs what changes in new versions and writes it: what nothing leads to yet first, timestamp.json, which makes it count, last; each durable
/// before the next. Everything is signed before the first byte is written, so nothing is half published for want of a key.
///
/// A role whose keys a new root changes is signed by the old keys too, if they are at hand: then its file is right under both roots, and no reader
/// ever sees one that is not. If they are not, the new root comes before timestamp.json, and an interruption between the two is completed by
/// the next publisher.
///
/// After a crash in here the next publisher starts from what timestamp.json still leads to, and writes the same version numbers over files that no
/// reader was ever pointed to. Fails as `Keyring::enough_for`, before anything was written.
Result<void> publish(const Workplace& place, RepositoryFiles files, Changes changes);

}  // namespace berth::trust
