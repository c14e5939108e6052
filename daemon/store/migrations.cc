#include "daemon/store/migrations.h"

#include <fmt/core.h>

#include "core/files/files.h"

namespace berth::store {

namespace {

constexpr std::int64_t kApplicationId = 0x62727468;  // "brth", for file(1) and for us

Result<void> back_up(Database& database, const std::filesystem::path& path, std::int64_t version) {
  const std::string backup = fmt::format("{}.v{}.backup", path.string(), version);
  BERTH_CHECK(files::remove_tree(backup));  // a former attempt's, perhaps half a copy
  BERTH_CHECK(database.run("VACUUM INTO ?", backup));
  BERTH_CHECK(files::sync(backup));
  return files::sync(path.parent_path());
}

Result<void> apply(Database& database, const Migration& step) {
  BERTH_TRY(Transaction transaction, Transaction::begin(database));
  BERTH_CHECK(database.execute(std::string(step.sql)));
  BERTH_CHECK(database.execute(fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}", kApplicationId, step.number)));
  return transaction.commit();
}

}  // namespace

Result<void> migrate(Database& database, const std::filesystem::path& path, std::span<const Migration> steps) {
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
  if (version > 0 && version < newest) {
    if (auto copied = back_up(database, path, version); !copied) return pass(copied.error(), "back up the database before its migration");
  }
  for (const Migration& step : steps) {
    if (step.number <= version) continue;
    if (auto applied = apply(database, step); !applied) return pass(applied.error(), fmt::format("migration {}", step.name));
  }
  return {};
}

}  // namespace berth::store
