#include "daemon/store/database.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fmt/core.h>
#include <sqlite3.h>
#include <sys/statvfs.h>

namespace berth::store {

namespace {

bool is_full(int number) { return number == ENOSPC || number == EDQUOT; }

/// How much room there is, how much a change needs, and where to look for what takes it.
std::string room_text(const char* file) {
  const std::filesystem::path folder = file != nullptr ? std::filesystem::path(file).parent_path() : std::filesystem::path();
  struct statvfs about{};
  if (folder.empty() || ::statvfs(folder.c_str(), &about) != 0) return {};
  return fmt::format(": the disk of {0} has {1} KiB left, and 1 MiB is needed: 'berth gc' removes releases that nothing needs, 'du -xah {0} | sort -h | tail' tells what takes the room", folder.string(),
                     std::uint64_t{about.f_bavail} * about.f_frsize / 1024);
}

/// `errno` is to be 0 before the call that failed: SQLite says "disk I/O error" of whatever its own calls failed with, and of a failed commit keeps no more.
std::unexpected<Error> fail_sqlite(sqlite3* database, int code) {
  const int number = errno;
  const char* file = database != nullptr ? sqlite3_db_filename(database, "main") : nullptr;
  const std::string what = fmt::format("{}: {}", file != nullptr ? file : "database",
                                       database != nullptr ? sqlite3_errmsg(database) : sqlite3_errstr(code));
  switch (code & 0xff) {
    case SQLITE_FULL: return fail(Errc::no_space, what + room_text(file));
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return fail(Errc::conflict, what + " (another program holds it)");
    case SQLITE_CONSTRAINT: return fail(Errc::conflict, what);
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH: return fail(Errc::permission, what);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return fail(Errc::io, what + " (damaged: restart berthd, which makes it anew; no app stops)");
    case SQLITE_IOERR:
      if (number != 0)
        return is_full(number) ? fail(Errc::no_space, fmt::format("{} ({}){}", what, std::strerror(number), room_text(file))) : fail(Errc::io, fmt::format("{} ({})", what, std::strerror(number)));
      return fail(Errc::io, what);
    default: return fail(Errc::io, what);
  }
}

}  // namespace

Statement::Statement(sqlite3* database, sqlite3_stmt* statement) : database_(database), statement_(statement) {}

Statement::~Statement() { sqlite3_finalize(statement_); }

Statement::Statement(Statement&& other) noexcept
    : database_(other.database_),
      statement_(std::exchange(other.statement_, nullptr)),
      next_(other.next_),
      failure_(other.failure_) {}

Statement& Statement::bind(std::string_view text) {
  const int code = sqlite3_bind_text(statement_, next_++, text.data() != nullptr ? text.data() : "", static_cast<int>(text.size()), SQLITE_TRANSIENT);
  if (code != SQLITE_OK) failure_ = code;
  return *this;
}

Statement& Statement::bind(std::int64_t number) {
  const int code = sqlite3_bind_int64(statement_, next_++, number);
  if (code != SQLITE_OK) failure_ = code;
  return *this;
}

Result<bool> Statement::step() {
  errno = 0;
  if (failure_ != 0) return fail_sqlite(database_, failure_);
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return fail_sqlite(database_, code);
}

std::string Statement::text(int column) const {
  const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  return data == nullptr ? std::string() : std::string(data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
}

std::int64_t Statement::integer(int column) const { return sqlite3_column_int64(statement_, column); }

void Database::Close::operator()(sqlite3* database) const { sqlite3_close_v2(database); }

Result<Database> Database::open(const std::filesystem::path& path) {
  sqlite3* raw = nullptr;
  errno = 0;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int code = sqlite3_open_v2(path.c_str(), &raw, flags, nullptr);
  Database database(raw);
  if (code != SQLITE_OK) return pass(fail_sqlite(raw, code).error(), "open " + path.string());
  sqlite3_busy_timeout(raw, 5000);
  BERTH_CHECK(database.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
                               "PRAGMA trusted_schema = OFF; PRAGMA journal_size_limit = 4194304; PRAGMA wal_autocheckpoint = 200"));
  return database;
}

Result<Database> Database::open_to_read(const std::filesystem::path& path) {
  std::error_code missing;
  if (!std::filesystem::exists(path, missing)) return fail(Errc::not_found, path.string() + " is not there");
  sqlite3* raw = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &raw, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  Database database(raw);
  if (code != SQLITE_OK) return pass(fail_sqlite(raw, code).error(), "open " + path.string());
  sqlite3_busy_timeout(raw, 5000);
  BERTH_CHECK(database.execute("PRAGMA trusted_schema = OFF"));
  return database;
}

/// Closing it checkpoints, and so brings to the disk, what a killed berthd left in the WAL: nothing is believed before. (SQLite takes a commit whose sync
/// a kill cut off for made, as it is in the page cache.)
Result<std::string> damage_of(const std::filesystem::path& path) {
  sqlite3* raw = nullptr;
  errno = 0;
  const int code = sqlite3_open_v2(path.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  const std::unique_ptr<sqlite3, int (*)(sqlite3*)> guard(raw, sqlite3_close_v2);
  if (code != SQLITE_OK) return pass(fail_sqlite(raw, code).error(), "open " + path.string());
  sqlite3_busy_timeout(raw, 5000);
  sqlite3_stmt* statement = nullptr;
  int done = sqlite3_prepare_v2(raw, "PRAGMA integrity_check(1)", -1, &statement, nullptr);
  if (done == SQLITE_OK) done = sqlite3_step(statement);
  std::string said;
  if (done == SQLITE_ROW) said = reinterpret_cast<const char*>(sqlite3_column_text(statement, 0));
  const bool damaged = (done & 0xff) == SQLITE_CORRUPT || (done & 0xff) == SQLITE_NOTADB;
  if (damaged) said = sqlite3_errmsg(raw);
  const auto failure = done == SQLITE_ROW || damaged ? Error{} : fail_sqlite(raw, done).error();
  sqlite3_finalize(statement);
  if (!failure.message.empty()) return pass(failure, "examine " + path.string());
  if (said == "ok") return std::string();
  std::ranges::replace(said, '\n', ' ');
  return said;
}

Result<void> Database::copy_to(const std::filesystem::path& path) {
  constexpr int kPause = 20, kMostPauses = 250;  // ms; five seconds in all
  sqlite3* raw = nullptr;
  errno = 0;
  const int code = sqlite3_open_v2(path.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  Database to(raw);
  if (code != SQLITE_OK) return pass(fail_sqlite(raw, code).error(), "open " + path.string());
  sqlite3_backup* const copying = sqlite3_backup_init(raw, "main", database_.get(), "main");
  if (copying == nullptr) return pass(fail_sqlite(raw, sqlite3_errcode(raw)).error(), "copy the database");
  int done = SQLITE_BUSY;
  for (int pauses = 0; pauses < kMostPauses; ++pauses) {
    errno = 0;
    done = sqlite3_backup_step(copying, -1);  // all at once: one state of it
    if ((done & 0xff) != SQLITE_BUSY && (done & 0xff) != SQLITE_LOCKED) break;
    sqlite3_sleep(kPause);
  }
  const int finished = sqlite3_backup_finish(copying);
  if (done != SQLITE_DONE) return pass(fail_sqlite(raw, finished == SQLITE_OK ? done : finished).error(), "copy the database");
  return to.execute("PRAGMA journal_mode = DELETE");
}

Result<void> Database::execute(const std::string& sql) {
  errno = 0;
  const int code = sqlite3_exec(database_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return fail_sqlite(database_.get(), code);
  return {};
}

Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  errno = 0;
  const int code = sqlite3_prepare_v2(database_.get(), sql.data(), static_cast<int>(sql.size()), &statement, nullptr);
  if (code != SQLITE_OK) return fail_sqlite(database_.get(), code);
  return Statement(database_.get(), statement);
}

Result<std::int64_t> Database::number(std::string_view sql) {
  BERTH_TRY(const auto found, row(sql, [](const Statement& one) { return one.integer(0); }));
  return found.value_or(0);
}

std::int64_t Database::last_row() const { return sqlite3_last_insert_rowid(database_.get()); }

std::int64_t Database::rows_changed() const { return sqlite3_changes64(database_.get()); }

Result<Transaction> Transaction::begin(Database& database) {
  BERTH_CHECK(database.execute("BEGIN IMMEDIATE"));
  return Transaction(&database);
}

Transaction::~Transaction() {
  if (database_ != nullptr) (void)database_->execute("ROLLBACK");
}

Result<void> Transaction::commit() {
  BERTH_CHECK(database_->execute("COMMIT"));
  database_ = nullptr;
  return {};
}

}  // namespace berth::store
