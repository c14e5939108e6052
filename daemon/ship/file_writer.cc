#include "daemon/ship/file_writer.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <fmt/core.h>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/files/files.h"
#include "daemon/ship/file_line.h"

namespace berth::ship {
namespace {

constexpr std::size_t kPiece = 128u << 10;    ///< bytes that are written at once
constexpr std::uint64_t kLookedAt = 8u << 20;  ///< bytes from the end in which a torn line must end

}  // namespace

Result<gid_t> gid_of(const std::string& group) {
  char buffer[16 << 10];
  struct group entry {};
  struct group* found = nullptr;
  const int error = ::getgrnam_r(group.c_str(), &entry, buffer, sizeof buffer, &found);
  if (found == nullptr) return fail(Errc::not_found, fmt::format("there is no group '{}'{}", group, error != 0 ? fmt::format(" ({})", std::strerror(error)) : ""));
  return found->gr_gid;
}

std::filesystem::path FileWriter::rotated(int number) const { return settings_.path.string() + "." + std::to_string(number); }

/// Has the file open that the path stands for: somebody else may have moved or removed it.
Result<void> FileWriter::open() {
  struct stat ours {}, there {};
  if (file_ && ::fstat(file_.get(), &ours) == 0 && ::lstat(settings_.path.c_str(), &there) == 0 && ours.st_ino == there.st_ino && ours.st_dev == there.st_dev) {
    size_ = static_cast<std::uint64_t>(ours.st_size);
    return {};
  }
  file_.reset();
  return open_new();
}

Result<void> FileWriter::open_new() {
  BERTH_CHECK(files::make_directories(settings_.path.parent_path()));
  const mode_t mode = settings_.group.empty() ? 0600 : 0640;
  BERTH_TRY(Fd file, files::open(settings_.path, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK, mode));
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return fail_errno("stat " + settings_.path.string());
  if (!S_ISREG(status.st_mode)) return fail(Errc::usage, settings_.path.string() + " is no plain file: give the sink a path of its own");
  if (!settings_.group.empty()) {
    BERTH_TRY(const gid_t group, gid_of(settings_.group));
    if (::fchown(file.get(), static_cast<uid_t>(-1), group) != 0 || ::fchmod(file.get(), mode) != 0) return fail_errno("give " + settings_.path.string() + " to the group");
  }
  file_ = std::move(file);
  size_ = static_cast<std::uint64_t>(status.st_size);
  if (auto cut = cut_torn_line(); !cut) {
    file_.reset();
    return cut;
  }
  return files::sync(settings_.path.parent_path());
}

/// What a crash left of a line at the end: its batch was not acknowledged, and comes again.
Result<void> FileWriter::cut_torn_line() {
  const std::string name = settings_.path.string();
  std::uint64_t end = size_;
  char piece[64 << 10];
  while (end > 0) {
    const std::uint64_t from = end > sizeof piece ? end - sizeof piece : 0;
    const ssize_t got = ::pread(file_.get(), piece, static_cast<std::size_t>(end - from), static_cast<off_t>(from));
    if (got != static_cast<ssize_t>(end - from)) return fail_errno("read the end of " + name, got < 0 ? errno : EIO);
    const void* newline = ::memrchr(piece, '\n', static_cast<std::size_t>(got));
    end = newline == nullptr ? from : from + static_cast<std::uint64_t>(static_cast<const char*>(newline) - piece) + 1;
    if (newline != nullptr) break;
    if (size_ - end > kLookedAt) return fail(Errc::usage, fmt::format("{} does not end with a line: is it a file of the sink's own?", name));
  }
  if (end == size_) return {};
  if (::ftruncate(file_.get(), static_cast<off_t>(end)) != 0) return fail_errno("cut a torn line off " + name);
  size_ = end;
  return {};
}

Result<void> FileWriter::rotate() {
  file_.reset();
  for (int number = settings_.keep_files; number >= 1; --number) {
    const std::filesystem::path from = number == 1 ? settings_.path : rotated(number - 1);
    if (::rename(from.c_str(), rotated(number).c_str()) != 0 && errno != ENOENT) return fail_errno("rotate " + from.string());
  }
  return open_new();
}

/// Whether the batch may go behind what is there.
bool FileWriter::has_room(std::span<const Entry> batch) const {
  FileLines lines;
  std::uint64_t most = size_;
  for (const Entry& entry : batch) most += lines.most(entry);
  if (size_ == 0 || most <= settings_.rotate_bytes) return true;
  std::uint64_t end = size_;
  std::string line;
  for (const Entry& entry : batch) {
    line.clear();
    lines.append(line, entry);
    end += line.size();
  }
  return end <= settings_.rotate_bytes;
}

/// Gives how many bytes they are.
Result<std::uint64_t> FileWriter::append(std::span<const Entry> batch) {
  FileLines lines;
  std::string piece;
  std::uint64_t length = 0;
  for (const Entry& entry : batch) {
    lines.append(piece, entry);
    if (piece.size() < kPiece && &entry != &batch.back()) continue;
    BERTH_CHECK(files::write_all(file_.get(), piece, settings_.path.string()));
    length += piece.size();
    piece.clear();
  }
  if (::fdatasync(file_.get()) != 0) return fail_errno("fdatasync " + settings_.path.string());
  return length;
}

Result<void> FileWriter::write(std::span<const Entry> batch) {
  BERTH_CHECK(open());
  if (!has_room(batch)) BERTH_CHECK(rotate());
  auto length = append(batch);
  if (!length) {
    // Where that fails, too, opening it anew cuts the torn line.
    if (::ftruncate(file_.get(), static_cast<off_t>(size_)) != 0) file_.reset();
    return pass(std::move(length.error()));
  }
  size_ += *length;
  return {};
}

}  // namespace berth::ship
