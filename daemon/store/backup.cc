#include "daemon/store/backup.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <memory>

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/crypto/sha256.h"
#include "core/files/files.h"
#include "daemon/store/backup_format.h"
#include "daemon/store/database.h"
#include "daemon/store/event_line.h"

namespace berth::store {
namespace {

constexpr std::size_t kPiece = 1u << 20;

using Writer = std::unique_ptr<archive, decltype(&::archive_write_free)>;
using Entry = std::unique_ptr<archive_entry, decltype(&::archive_entry_free)>;

std::unexpected<Error> fail_writing(archive* writer, const fs::path& file) {
  const char* said = ::archive_error_string(writer);
  const int number = ::archive_errno(writer);
  return fail(number == ENOSPC || number == EDQUOT ? Errc::no_space : Errc::io, fmt::format("write {}: {}", file.string(), said == nullptr ? "libarchive does not say why" : said));
}

std::string second_text(std::chrono::system_clock::time_point at) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::chrono::system_clock::to_time_t(at)));
}

/// Removes what was begun unless it is kept.
class Unfinished {
 public:
  explicit Unfinished(fs::path path) : path_(std::move(path)) { clear(); }
  ~Unfinished() { clear(); }
  Unfinished(const Unfinished&) = delete;
  Unfinished& operator=(const Unfinished&) = delete;
  const fs::path& path() const { return path_; }

 private:
  void clear() const {
    std::error_code ignored;
    for (const char* part : {"", "-wal", "-shm", "-journal"}) fs::remove(path_.string() + part, ignored);
  }
  fs::path path_;
};

/// One backup of a state is made at a time, so that two into one file are none of each other's parts: whoever comes second waits.
Result<Fd> await_turn(const fs::path& state) {
  BERTH_TRY(Fd folder, files::open(state, O_RDONLY | O_DIRECTORY));
  while (::flock(folder.get(), LOCK_EX) != 0)
    if (errno != EINTR) return fail_errno("lock " + state.string());
  return folder;
}

/// How much of the log the copy of the database knows of.
Result<std::uint64_t> known_length(const fs::path& log, std::int64_t last) {
  std::ifstream file(log, std::ios::binary);
  if (!file) return errno == ENOENT ? Result<std::uint64_t>(0) : Result<std::uint64_t>(fail_errno("open " + log.string()));
  std::uint64_t length = 0;
  for (std::string line; std::getline(file, line) && !file.eof() && head_of(line).number <= last;) length += line.size() + 1;
  if (file.bad()) return fail(Errc::io, "read " + log.string() + " failed");
  return length;
}

struct Member {
  const char* name;
  fs::path path;        ///< empty: `text` it is
  std::uint64_t bytes;
  std::string text{};
};

Result<void> write_data(archive* writer, const fs::path& file, const void* data, std::size_t bytes) {
  if (::archive_write_data(writer, data, bytes) != static_cast<la_ssize_t>(bytes)) return fail_writing(writer, file);
  return {};
}

Result<void> write_member(archive* writer, const fs::path& file, const Member& member, std::chrono::system_clock::time_point at) {
  const Entry entry(::archive_entry_new(), &::archive_entry_free);
  ::archive_entry_set_pathname(entry.get(), fmt::format("{}/{}", kBackupFolder, member.name).c_str());
  ::archive_entry_set_filetype(entry.get(), AE_IFREG);
  ::archive_entry_set_perm(entry.get(), 0600);
  ::archive_entry_set_size(entry.get(), static_cast<la_int64_t>(member.bytes));
  ::archive_entry_set_mtime(entry.get(), std::chrono::system_clock::to_time_t(at), 0);
  if (::archive_write_header(writer, entry.get()) != ARCHIVE_OK) return fail_writing(writer, file);
  if (member.path.empty()) return write_data(writer, file, member.text.data(), member.text.size());
  std::ifstream from(member.path, std::ios::binary);
  std::string piece(kPiece, '\0');
  for (std::uint64_t left = member.bytes; left > 0;) {
    from.read(piece.data(), static_cast<std::streamsize>(std::min<std::uint64_t>(left, piece.size())));
    const auto got = static_cast<std::size_t>(std::max<std::streamsize>(from.gcount(), 0));
    if (got == 0) return fail(Errc::io, fmt::format("read {}: it has {} bytes less than a moment ago", member.path.string(), left));
    BERTH_CHECK(write_data(writer, file, piece.data(), got));
    left -= got;
  }
  return {};
}

Result<void> write_tar(const fs::path& file, const std::vector<Member>& members, std::chrono::system_clock::time_point at) {
  BERTH_TRY(const Fd fd, files::open(file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
  const Writer writer(::archive_write_new(), &::archive_write_free);
  if (::archive_write_set_format_pax_restricted(writer.get()) != ARCHIVE_OK || ::archive_write_add_filter_none(writer.get()) != ARCHIVE_OK ||
      ::archive_write_open_fd(writer.get(), fd.get()) != ARCHIVE_OK)
    return fail_writing(writer.get(), file);
  for (const Member& member : members) BERTH_CHECK(write_member(writer.get(), file, member, at));
  if (::archive_write_close(writer.get()) != ARCHIVE_OK) return fail_writing(writer.get(), file);
  if (::fsync(fd.get()) != 0) return fail_errno("fsync " + file.string());
  return {};
}

/// One file that is whole, with all that was committed when it was made.
Result<void> copy_database(const fs::path& from, const fs::path& to) {
  {
    BERTH_TRY(const Fd made, files::open(to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
  }
  BERTH_TRY(Database source, Database::open_to_read(from));
  BERTH_CHECK(source.copy_to(to));
  BERTH_TRY(const std::string damage, damage_of(to));
  if (!damage.empty()) return fail(Errc::io, fmt::format("{} is damaged ({}): 'systemctl restart berthd' makes it anew, and no app stops", from.string(), damage));
  return {};
}

}  // namespace

std::string to_text(const AboutBackup& about) {
  const auto file = [](const BackedUp& one) { return boost::json::object{{"bytes", one.bytes}, {"sha256", one.sha256}}; };
  return json::text(boost::json::object{{"format", kBackupFormat}, {"node", about.backup.node}, {"berth", about.backup.version}, {"at", about.backup.at},
                                        {"schema", about.backup.schema}, {"last_event", about.backup.last_event},
                                        {"files", {{kDatabaseMember, file(about.database)}, {kEventsMember, file(about.events)}}}}) + "\n";
}

Result<BackedUp> hash_file(const fs::path& path, std::uint64_t bytes) {
  std::ifstream file(path, std::ios::binary);
  crypto::Sha256 hash;
  std::string piece(kPiece, '\0');
  for (std::uint64_t left = bytes; left > 0;) {
    file.read(piece.data(), static_cast<std::streamsize>(std::min<std::uint64_t>(left, piece.size())));
    const auto got = static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0));
    if (got == 0) return fail(Errc::io, fmt::format("read {}: it has {} bytes less than it should have", path.string(), left));
    hash.update(std::string_view(piece).substr(0, got));
    left -= got;
  }
  return BackedUp{.bytes = bytes, .sha256 = hash.hex()};
}

Result<Backup> write_backup(const fs::path& state, const fs::path& file, const std::string& node) {
  BERTH_TRY(const Fd turn, await_turn(state));
  std::error_code missing;
  if (fs::exists(fs::symlink_status(file, missing))) return fail(Errc::exists, fmt::format("{} is there already: give the backup another name", file.string()));
  const fs::path database = state / "berth.db", log = state / "events.log";
  const auto now = std::chrono::system_clock::now();
  const Unfinished copy(file.string() + ".partial.db"), tar(file.string() + ".partial");
  BERTH_CHECK(copy_database(database, copy.path()));
  AboutBackup about{.backup = {.node = node, .version = BERTH_VERSION, .at = second_text(now)}, .database = {}, .events = {}};
  {
    BERTH_TRY(Database whole, Database::open_to_read(copy.path()));
    BERTH_TRY(about.backup.schema, whole.number("PRAGMA user_version"));
    if (about.backup.schema == 0) return fail(Errc::not_found, fmt::format("{} has nothing of berthd's in it", database.string()));
    BERTH_TRY(about.backup.last_event, whole.number("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'"));
  }
  // The log afterwards: it has all that the copy knows, but for what waits in the copy, too.
  BERTH_TRY(const std::uint64_t events, known_length(log, about.backup.last_event));
  BERTH_TRY(about.events, hash_file(log, events));
  BERTH_TRY(about.database, hash_file(copy.path(), fs::file_size(copy.path(), missing)));
  about.backup.bytes = about.database.bytes + about.events.bytes;
  const std::string text = to_text(about);
  const std::vector<Member> members{{kAbout, {}, text.size(), text}, {kEventsMember, log, events}, {kDatabaseMember, copy.path(), about.database.bytes}};
  BERTH_CHECK(write_tar(tar.path(), members, now));
  BERTH_CHECK(files::rename_durably(tar.path(), file));
  return about.backup;
}

}  // namespace berth::store
