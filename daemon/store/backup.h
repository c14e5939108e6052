#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/files/fd.h"
#include "core/result.h"

namespace berth::store {

/// What a backup says of itself, in the `backup.json` in it.
struct Backup {
  std::string node;             ///< as the node is called; empty: it was not known
  std::string version;          ///< of the berth that made it
  std::string at;               ///< RFC 3339, UTC
  std::int64_t schema = 0;      ///< of the database
  std::int64_t last_event = 0;
  std::uint64_t bytes = 0;      ///< of database and events
};

/// Copies the database below `state` as it is at a moment, and the events up to it, into a new tar `file` that root alone may read; while berthd runs or not. Of several
/// at once of a state one goes after the other.
/// Fails with `Errc::exists` where there is such a file, `Errc::not_found` without a database, `Errc::io` for a damaged one.
Result<Backup> write_backup(const std::filesystem::path& state, const std::filesystem::path& file, const std::string& node);

/// What came of putting a backup in place.
struct Restored {
  Backup backup;
  std::vector<std::filesystem::path> set_aside;  ///< the names that database and events of before have now
  std::vector<std::string> notes;                ///< what is not as it was then, a line each
  Fd lock;                                       ///< keeps every berthd out while this lives
};

/// Puts a backup below `state`, in the place of what is there with `force`; that gets other names, and is not removed. Releases that are not on the disk are not
/// active any more, and deployments that were under way do not go on. `by`: who asks, for the event of it. Fails with `Errc::conflict` while a berthd has the
/// state, `Errc::exists` where there is one already, `Errc::trust` for one that was changed, `Errc::usage` for what is no backup, and for one of a newer berth.
Result<Restored> restore_backup(const std::filesystem::path& file, const std::filesystem::path& state, bool force, const std::string& by);

}  // namespace berth::store
