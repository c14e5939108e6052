#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <set>

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/files/files.h"
#include "daemon/store/backup.h"
#include "daemon/store/backup_format.h"
#include "daemon/store/database.h"
#include "daemon/store/migrations.h"
#include "daemon/store/store.h"

namespace berth::store {
namespace {

constexpr std::size_t kMostAbout = 64u << 10;
constexpr const char* kUnderWay = "it was under way when the backup was made that was put back";

using Reader = std::unique_ptr<archive, decltype(&::archive_read_free)>;

std::unexpected<Error> no_backup(const fs::path& file, const std::string& why) {
  return fail(Errc::usage, fmt::format("{} is no backup, as 'berth backup' makes them: {}", file.string(), why));
}

std::string said_by(archive* reader) {
  const char* said = ::archive_error_string(reader);
  return said == nullptr ? "it cannot be read" : said;
}

/// A folder of ours that is gone at the end.
class Scratch {
 public:
  explicit Scratch(fs::path path) : path_(std::move(path)) {}
  ~Scratch() { static_cast<void>(files::remove_tree(path_)); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  Result<void> make() const {
    BERTH_CHECK(files::remove_tree(path_));
    return files::make_directories(path_, 0700);
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

Result<void> unpack_member(archive* reader, const fs::path& file, const fs::path& to) {
  BERTH_TRY(const Fd fd, files::open(to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
  for (;;) {
    const void* data = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0;
    const int got = ::archive_read_data_block(reader, &data, &size, &offset);
    if (got == ARCHIVE_EOF) break;
    if (got != ARCHIVE_OK) return no_backup(file, said_by(reader));
    BERTH_CHECK(files::write_all(fd.get(), std::string_view(static_cast<const char*>(data), size), to.string()));
  }
  if (::fsync(fd.get()) != 0) return fail_errno("fsync " + to.string());
  return {};
}

/// Its members into a folder; nothing else may be in it.
Result<void> unpack(const fs::path& file, const fs::path& folder) {
  BERTH_TRY(const Fd fd, files::open(file, O_RDONLY));
  const Reader reader(::archive_read_new(), &::archive_read_free);
  ::archive_read_support_format_tar(reader.get());
  ::archive_read_support_filter_gzip(reader.get());
  ::archive_read_support_filter_zstd(reader.get());
  if (::archive_read_open_fd(reader.get(), fd.get(), 1u << 16) != ARCHIVE_OK) return no_backup(file, said_by(reader.get()));
  std::set<std::string> wanted{kAbout, kEventsMember, kDatabaseMember};
  for (;;) {
    archive_entry* entry = nullptr;
    const int got = ::archive_read_next_header(reader.get(), &entry);
    if (got == ARCHIVE_EOF) break;
    if (got != ARCHIVE_OK) return no_backup(file, said_by(reader.get()));
    const char* path = ::archive_entry_pathname(entry);
    const std::string name = path == nullptr ? std::string() : std::string(path);
    const std::string prefix = std::string(kBackupFolder) + "/";
    if (::archive_entry_filetype(entry) == AE_IFDIR && (name == prefix || name == kBackupFolder)) continue;
    const std::string member = name.starts_with(prefix) ? name.substr(prefix.size()) : name;
    if (::archive_entry_filetype(entry) != AE_IFREG || ::archive_entry_hardlink(entry) != nullptr || wanted.erase(member) == 0)
      return no_backup(file, fmt::format("it has a '{}'", name));
    BERTH_CHECK(unpack_member(reader.get(), file, folder / member));
  }
  if (!wanted.empty()) return no_backup(file, fmt::format("it has no '{}'", *wanted.begin()));
  return {};
}

Result<void> check_member(const fs::path& file, const fs::path& path, const BackedUp& said) {
  std::error_code failed;
  const auto bytes = fs::file_size(path, failed);
  if (failed) return fail_errno("look at " + path.string(), failed.value());
  BERTH_TRY(const BackedUp is, hash_file(path, bytes));
  if (bytes != said.bytes || is.sha256 != said.sha256) return fail(Errc::trust, fmt::format("{}: its {} is not as it was written: take another copy of the backup", file.string(), path.filename().string()));
  return {};
}

/// Keeps every berthd out while this lives.
Result<Fd> lock_out(const fs::path& state) {
  BERTH_CHECK(files::make_directories(state, 0711));
  BERTH_TRY(Fd lock, files::open(state / "lock", O_RDWR | O_CREAT, 0644));
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) == 0) return lock;
  if (errno != EWOULDBLOCK) return fail_errno("lock " + (state / "lock").string());
  return fail(Errc::conflict, fmt::format("berthd (pid {}) works with {}: 'systemctl stop berthd' first (apps go on), then restore, then 'systemctl start berthd'",
                                          files::read(state / "lock", 64).value_or("unknown"), state.string()));
}

bool has_something(const fs::path& path) {
  std::error_code missing;
  return fs::exists(fs::symlink_status(path, missing));
}

/// Releases whose folders are not here cannot be active, and what was under way belongs to another day.
Result<void> fit(Database& database, const fs::path& state, const Backup& backup, const std::string& by, std::vector<std::string>& notes) {
  const Paths paths{.state = state};
  BERTH_TRY(Transaction transaction, Transaction::begin(database));
  BERTH_TRY(const auto slots, database.rows("SELECT app, release FROM slots ORDER BY app, sequence", [](const Statement& row) { return std::pair(row.text(0), row.text(1)); }));
  for (const auto& [app, release] : slots) {
    std::error_code missing;
    if (fs::is_directory(paths.slot(app, release), missing)) continue;
    BERTH_CHECK(database.run("DELETE FROM slots WHERE app = ? AND release = ?", app, release));
    BERTH_CHECK(database.run("DELETE FROM instances WHERE app = ? AND release = ?", app, release));
    BERTH_TRY(const auto active, database.row("SELECT 1 FROM apps WHERE app = ? AND active = ?", [](const Statement&) { return true; }, app, release));
    BERTH_CHECK(database.run("UPDATE apps SET active = CASE active WHEN ?1 THEN '' ELSE active END, previous = CASE previous WHEN ?1 THEN '' ELSE previous END WHERE app = ?2", release, app));
    if (active) notes.push_back(fmt::format("{}@{} was active and is not on this disk: 'berth deploy {}@{}', 'berth import' or what the node follows brings it back", app, release, app, release));
  }
  BERTH_TRY(const auto open, database.rows("SELECT id, app, release FROM deployments WHERE ended_at = '' ORDER BY id", [](const Statement& row) {
    return fmt::format("deployment {} of {}@{} was under way, and does not go on", row.integer(0), row.text(1), row.text(2));
  }));
  notes.insert(notes.end(), open.begin(), open.end());
  BERTH_CHECK(database.run("UPDATE deployments SET state = 'interrupted', reason = ?, ended_at = ?, bake_until_ms = 0 WHERE ended_at = ''", std::string_view(kUnderWay), backup.at));
  const std::string told = json::text(boost::json::object{{"by", by}, {"of", backup.node}, {"made_at", backup.at}, {"last_event", backup.last_event}});
  const auto now = std::chrono::system_clock::now();
  BERTH_CHECK(database.run("INSERT INTO outbox (at, kind, app, data) VALUES (strftime('%Y-%m-%dT%H:%M:%S.000000Z', ?, 'unixepoch'), 'operator.restore', '', ?)",
                           std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count(), told));
  return transaction.commit();
}

/// What names of what is set aside end with: of the second, and of how many others were put in place in it before.
std::string ending_of(const fs::path& database, const fs::path& events) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  std::string ending = fmt::format(".before-restore-{}", seconds);
  const auto is_taken = [&] {
    for (const char* part : {"-shm", "-wal", ""})
      if (has_something(database.string() + ending + part)) return true;
    return has_something(events.string() + ending);
  };
  for (int others = 2; is_taken(); ++others) ending = fmt::format(".before-restore-{}-{}", seconds, others);
  return ending;
}

/// Gives a file that is to be replaced another name beside its own.
Result<void> keep_as(const fs::path& path, const std::string& ending, std::vector<fs::path>& set_aside) {
  if (!has_something(path)) return {};
  const fs::path kept = path.string() + ending;
  if (::link(path.c_str(), kept.c_str()) != 0) return fail_errno(fmt::format("link {} to {}", path.string(), kept.string()));
  set_aside.push_back(kept);
  return files::sync(path.parent_path());
}

/// Gives what is there another name.
Result<void> put_aside(const fs::path& path, const std::string& ending, std::vector<fs::path>& set_aside) {
  for (const char* part : {"-shm", "-wal", ""}) {
    const fs::path from = path.string() + part, to = path.string() + ending + part;
    if (!has_something(from)) continue;
    BERTH_CHECK(files::rename_durably(from, to));
    if (*part == '\0') set_aside.push_back(to);
  }
  return {};
}

}  // namespace

Result<AboutBackup> parse_about(std::string_view text) {
  BERTH_TRY(const auto parsed, json::parse(text));
  json::ObjectReader reader(parsed, kAbout, Errc::protocol);
  const std::int64_t format = reader.integer("format");
  if (format > kBackupFormat) return fail(Errc::usage, fmt::format("it has the format {}, and this berth ({}) knows {}: use the berth that made it, or a newer one", format, BERTH_VERSION, kBackupFormat));
  AboutBackup about;
  about.backup.node = reader.string("node");
  about.backup.version = reader.string("berth");
  about.backup.at = reader.string("at");
  about.backup.schema = reader.integer("schema");
  about.backup.last_event = reader.integer("last_event");
  const boost::json::value listed(reader.members("files"));
  BERTH_CHECK(reader.done());
  json::ObjectReader members(listed, kAbout, Errc::protocol);
  for (const auto& [name, into] : {std::pair(kDatabaseMember, &about.database), std::pair(kEventsMember, &about.events)}) {
    const boost::json::value one(members.members(name));
    json::ObjectReader each(one, fmt::format("{}: {}", kAbout, name), Errc::protocol);
    into->bytes = static_cast<std::uint64_t>(each.integer("bytes"));
    into->sha256 = each.string("sha256");
    BERTH_CHECK(each.done());
  }
  BERTH_CHECK(members.done());
  about.backup.bytes = about.database.bytes + about.events.bytes;
  return about;
}

Result<Restored> restore_backup(const fs::path& file, const fs::path& state, bool force, const std::string& by) {
  if (!has_something(file)) return fail(Errc::not_found, file.string() + ": there is no such file");
  BERTH_TRY(Fd lock, lock_out(state));
  const fs::path database = state / "berth.db", events = state / "events.log";
  if (!force && (has_something(database) || has_something(events)))
    return fail(Errc::exists, fmt::format("{} has a state already: with --force the backup takes its place, and what is there is kept under other names", state.string()));
  const Scratch scratch(state / "restore.partial");
  BERTH_CHECK(scratch.make());
  BERTH_CHECK(unpack(file, scratch.path()));
  const fs::path new_database = scratch.path() / kDatabaseMember, new_events = scratch.path() / kEventsMember;
  auto text = files::read(scratch.path() / kAbout, kMostAbout);
  if (!text) return no_backup(file, text.error().message);
  auto about = parse_about(*text);
  if (!about) return fail(Errc::usage, fmt::format("{}: {}", file.string(), about.error().message));
  BERTH_CHECK(check_member(file, new_database, about->database));
  BERTH_CHECK(check_member(file, new_events, about->events));
  BERTH_TRY(const std::string damage, damage_of(new_database));
  if (!damage.empty()) return no_backup(file, "its database is damaged: " + damage);
  Restored restored{.backup = about->backup, .set_aside = {}, .notes = {}, .lock = std::move(lock)};
  if (const int newest = migrations().back().number; restored.backup.schema > newest)
    return fail(Errc::usage, fmt::format("{} has schema {}, and this berth ({}) knows up to {}: install the berth that made it ({}) or a newer one", file.string(), restored.backup.schema,
                                         BERTH_VERSION, newest, restored.backup.version));
  if (const auto troubles = verify_events(new_events, new_database); troubles && !troubles->empty())
    restored.notes.push_back(fmt::format("its events are not as berthd wrote them: {}", troubles->front()));
  {
    BERTH_TRY(Database opened, Database::open(new_database));
    BERTH_CHECK(fit(opened, state, restored.backup, by, restored.notes));
    BERTH_CHECK(opened.execute("PRAGMA wal_checkpoint(TRUNCATE)"));
    BERTH_CHECK(opened.execute("PRAGMA journal_mode = DELETE"));
  }
  BERTH_CHECK(files::sync(new_database));
  if (::chmod(new_events.c_str(), 0640) != 0) return fail_errno("chmod " + new_events.string());
  const std::string ending = ending_of(database, events);
  // What is interrupted in between leaves the events of before or those of the backup without a database, which berthd makes of them; or it is done again
  // with --force. There are events at every moment: holds, stops and pins are in them.
  BERTH_CHECK(put_aside(database, ending, restored.set_aside));
  BERTH_CHECK(keep_as(events, ending, restored.set_aside));
  BERTH_CHECK(files::rename_durably(new_events, events));
  BERTH_CHECK(files::rename_durably(new_database, database));
  return restored;
}

}  // namespace berth::store
