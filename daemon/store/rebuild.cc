#include "daemon/store/rebuild.h"

#include <chrono>
#include <utility>

#include <fmt/core.h>
#include <sys/stat.h>

#include "core/files/files.h"
#include "daemon/store/history.h"
#include "daemon/store/migrations.h"
#include "daemon/store/rebuilding.h"

namespace berth::store {
namespace {

constexpr int kPage = 1000;  ///< events at a time

bool is_on_disk(const fs::path& path) {
  std::error_code missing;
  return fs::exists(fs::symlink_status(path, missing));
}

bool has_bytes(const fs::path& path) {
  std::error_code missing;
  const auto size = fs::file_size(path, missing);
  return !missing && size > 0;
}

/// Whether a berthd ran with this state before.
bool was_used(const Paths& paths) {
  if (has_bytes(paths.events())) return true;
  std::error_code failed;
  for (fs::directory_iterator entry(paths.state / "apps", failed), end; !failed && entry != end; entry.increment(failed))
    if (is_on_disk(entry->path() / "slots")) return true;
  return false;
}

Result<void> read_all(const EventLog& log, std::int64_t first, HistoryReader& reader) {
  for (;;) {
    BERTH_TRY(const auto page, log.read(first, kPage, {}));
    for (const Event& event : page) reader.read(event);
    if (page.empty()) return {};
    first = page.back().number + 1;
  }
}

/// Gives what is there of a database other names, in which its parts still belong together. Returns the first; empty where there is nothing.
Result<fs::path> set_aside(const fs::path& database) {
  if (!is_on_disk(database) && !is_on_disk(database.string() + "-wal")) return fs::path();
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  fs::path aside;
  int number = 0;
  do {
    aside = fmt::format("{}.damaged-{}{}", database.string(), seconds, number == 0 ? "" : fmt::format("-{}", number));
  } while (++number < 1000 && (is_on_disk(aside) || is_on_disk(aside.string() + "-wal")));
  // The file itself last: what is interrupted finds it damaged still.
  for (const char* part : {"-shm", "-wal", ""})
    if (is_on_disk(database.string() + part)) BERTH_CHECK(files::rename_durably(database.string() + part, aside.string() + part));
  return aside;
}

/// One file that is whole without others beside it.
Result<void> finish(Database& database) {
  BERTH_CHECK(database.execute("PRAGMA wal_checkpoint(TRUNCATE)"));
  return database.execute("PRAGMA journal_mode = DELETE");
}

}  // namespace

std::string to_string(const Rebuilt& rebuilt) {
  std::string text;
  if (rebuilt.brought_forward)
    text = fmt::format("was brought forward by events.log: {}; what it had is still there", rebuilt.why);
  else
    text = fmt::format("was made anew: {}; apps: {}, releases: {}, deployments: {}, instances that run: {}", rebuilt.why, rebuilt.apps, rebuilt.slots, rebuilt.deployments, rebuilt.instances);
  if (!rebuilt.set_aside.empty()) text += fmt::format("; what was there is kept as {}", rebuilt.set_aside.string());
  for (bool first = true; const std::string& lost : rebuilt.lost) text += (std::exchange(first, false) ? "; not known any more: " : "; ") + lost;
  return text;
}

Result<std::string> trouble_of_database(const Paths& paths) {
  const fs::path path = paths.database();
  if (!has_bytes(path)) {
    if (!was_used(paths)) return std::string();
    std::error_code missing;
    if (fs::is_directory(path, missing)) return std::string("a folder was in its place");
    if (is_on_disk(path)) return std::string("it was empty");
    return std::string(is_on_disk(path.string() + "-wal") ? "it was missing, and its journal was left" : "it was missing");
  }
  BERTH_TRY(const std::string damage, damage_of(path));
  if (!damage.empty()) return "it was damaged: " + damage;
  if (!was_used(paths)) return std::string();
  BERTH_TRY(Database database, Database::open_to_read(path));
  BERTH_TRY(const std::int64_t tables, database.number("SELECT count(*) FROM sqlite_schema"));
  return std::string(tables == 0 ? "it was empty" : "");  // all that it had was in a journal that is gone
}

Result<Rebuilt> rebuild(const Paths& paths, std::string why, const FindRunning& running) {
  const fs::path path = paths.database(), begun = path.string() + ".rebuilding";
  for (const char* part : {"", "-wal", "-shm", "-journal"}) BERTH_CHECK(files::remove_tree(begun.string() + part));
  Rebuilt rebuilt{.why = std::move(why), .set_aside = {}, .lost = {}};
  {
    BERTH_TRY(Database database, Database::open(begun));
    BERTH_CHECK(migrate(database, begun, migrations()));
    BERTH_TRY(const EventLog log, EventLog::open(paths.events()));
    if (log.last() == 0)
      rebuilt.lost.push_back("who deployed what and when, what was held, stopped, scaled, pinned and rejected, and the runs of jobs: events.log, which tells it, has nothing either");
    if (log.torn() > 0) rebuilt.lost.push_back(fmt::format("the last event, of which {} bytes were written", log.torn()));
    HistoryReader reader;
    BERTH_CHECK(read_all(log, 1, reader));
    BERTH_CHECK(Rebuilding(database, paths, rebuilt, false).write(reader.history(), running));
    BERTH_CHECK(finish(database));
  }
  if (::chmod(begun.c_str(), 0600) != 0) return fail_errno("chmod " + begun.string());
  BERTH_CHECK(files::sync(begun));
  BERTH_TRY(rebuilt.set_aside, set_aside(path));
  BERTH_CHECK(files::rename_durably(begun, path));
  return rebuilt;
}

Result<std::optional<Rebuilt>> catch_up(Database& database, const Paths& paths, const EventLog& log, const FindRunning& running) {
  BERTH_TRY(const std::int64_t known, database.number("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'"));
  if (known >= log.last()) return std::optional<Rebuilt>();
  const std::string missing = known + 1 == log.last() ? fmt::format("event {}", log.last()) : fmt::format("events {} to {}", known + 1, log.last());
  Rebuilt rebuilt{.why = fmt::format("its end was lost, or it is an older copy: it did not know {}", missing), .set_aside = {}, .lost = {}, .brought_forward = true};
  Rebuilding rebuilding(database, paths, rebuilt, true);
  BERTH_TRY(const auto active, rebuilding.active());
  BERTH_TRY(const auto unfinished, rebuilding.unfinished());
  HistoryReader reader(active, unfinished);
  BERTH_CHECK(read_all(log, known + 1, reader));
  BERTH_CHECK(rebuilding.write(reader.history(), running));
  return std::optional(std::move(rebuilt));
}

}  // namespace berth::store
