#include "daemon/store/migrations.h"

#include <fcntl.h>
#include <fmt/core.h>

#include "core/files/files.h"

namespace berth::store {

namespace {

constexpr std::int64_t kApplicationId = 0x62727468;  // "brth", for file(1) and for us

Result<void> copy(Database& database, const std::filesystem::path& to) {
  BERTH_CHECK(files::remove_tree(to));  // a former attempt's, perhaps half a copy
  {
    BERTH_TRY(const Fd made, files::open(to, O_WRONLY | O_CREAT | O_EXCL, 0600));  // as the database itself: apps pass through this folder
  }
  BERTH_CHECK(database.run("VACUUM INTO ?", to.string()));
  BERTH_CHECK(files::sync(to));
  return files::sync(to.parent_path());
}

Result<void> apply(Database& database, const Migration& step) {
  BERTH_TRY(Transaction transaction, Transaction::begin(database));
  BERTH_CHECK(database.execute(std::string(step.sql)));
  BERTH_CHECK(database.execute(fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}", kApplicationId, step.number)));
  return transaction.commit();
}

/// The schema of the database at `path`. Fails with `Errc::usage` when it is newer than `steps`, or not berth's.
Result<std::int64_t> schema_of(Database& database, const std::filesystem::path& path, std::span<const Migration> steps) {
  BERTH_TRY(const std::int64_t owner, database.number("PRAGMA application_id"));
  BERTH_TRY(const std::int64_t version, database.number("PRAGMA user_version"));
  BERTH_TRY(const std::int64_t tables, database.number("SELECT count(*) FROM sqlite_schema"));
  if (owner != kApplicationId && (owner != 0 || tables != 0))
    return fail(Errc::usage, fmt::format("{} is another program's database; name another folder in [paths] state", path.string()));

  const int newest = steps.empty() ? 0 : steps.back().number;
  if (version > newest) {
    return fail(Errc::usage, fmt::format("{} has schema {}, and this berthd ({}) knows up to {}: install the berthd that wrote it or a newer one, "
                                         "or put the backup {}.v{}.backup in its place", path.string(), version, BERTH_VERSION, newest, path.string(), newest));
  }
  return version;
}

Result<void> apply_from(Database& database, std::int64_t version, std::span<const Migration> steps) {
  for (const Migration& step : steps) {
    if (step.number <= version) continue;
    if (auto applied = apply(database, step); !applied) return pass(applied.error(), fmt::format("migration {}", step.name));
  }
  return {};
}

Result<void> remove_database(const std::filesystem::path& path) {
  for (const char* part : {"", "-wal", "-shm"}) BERTH_CHECK(files::remove_tree(path.string() + part));
  return {};
}

}  // namespace

Result<void> migrate(Database& database, const std::filesystem::path& path, std::span<const Migration> steps) {
  BERTH_TRY(const std::int64_t version, schema_of(database, path, steps));
  if (version > 0 && !steps.empty() && version < steps.back().number) {
    const auto backup = fmt::format("{}.v{}.backup", path.string(), version);
    if (auto copied = copy(database, backup); !copied) return pass(copied.error(), "back up the database before its migration");
  }
  return apply_from(database, version, steps);
}

Result<std::int64_t> try_to_migrate(const std::filesystem::path& path, std::span<const Migration> steps) {
  if (std::error_code ignored; !std::filesystem::exists(path, ignored)) return 0;
  BERTH_TRY(Database database, Database::open(path));
  BERTH_TRY(const std::int64_t version, schema_of(database, path, steps));
  if (steps.empty() || version == steps.back().number) return version;

  const std::filesystem::path trial = path.string() + ".trial";
  if (auto copied = copy(database, trial); !copied) return pass(copied.error(), "copy the database to try its migration");
  Result<void> tried;
  if (auto copied = Database::open(trial); copied) {
    tried = apply_from(*copied, version, steps);
  } else {
    tried = pass(copied.error(), "open the copy of the database");
  }
  BERTH_CHECK(remove_database(trial));
  if (!tried) return std::unexpected(tried.error());
  return version;
}

}  // namespace berth::store
