#pragma once

#include <filesystem>
#include <span>
#include <string_view>

#include "core/result.h"
#include "daemon/store/database.h"

namespace berth::store {

/// One step of the schema. Once released it is never changed; the next change is the next number.
struct Migration {
  int number;             ///< the schema version after it
  std::string_view name;  ///< of its file
  std::string_view sql;
};

/// Every migration in order, from `migrations/*.sql`.
std::span<const Migration> migrations();

/// Brings the database at `path` to the newest of `steps`, each in a transaction of its own. A database that holds an older schema is
/// copied to `<path>.v<version>.backup` first. Fails with `Errc::usage` when it is newer than `steps`, or not berth's.
Result<void> migrate(Database& database, const std::filesystem::path& path, std::span<const Migration> steps);

/// Whether `migrate` can bring the database at `path` to the newest of `steps`, also while another berthd works with it: tried on a copy beside it, which is
/// removed again. Gives the schema that it has now; 0 where there is no database yet. Fails as `migrate` does.
Result<std::int64_t> try_to_migrate(const std::filesystem::path& path, std::span<const Migration> steps);

}  // namespace berth::store
