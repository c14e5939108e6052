#include "daemon/keeper/log_segment.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/keeper/clock.h"
#include "daemon/keeper/text.h"

namespace berth::keeper {

/// The segments of a folder.
struct Listing {
  bool any = false;
  uint64_t newest = 0;
  bool newest_is_plain = false;
  uint64_t bytes = 0;        ///< of all segments
  uint64_t oldest = 0;
  char oldest_name[32] = {};
};

namespace {

constexpr mode_t kActive = 0640, kRotated = 0440;
constexpr int kDigits = 16;
constexpr int kMostAttempts = 100;  ///< to lock the newest file, while other keepers rotate
constexpr uint64_t kShortestLine = 32;             ///< bytes; a time and what stands behind it have more
constexpr uint64_t kMostText = uint64_t{1} << 45;  ///< bytes that a log is thought to have at the most

struct DirectoryEntry {
  uint64_t inode;
  int64_t offset;
  uint16_t size;
  uint8_t type;
  char name[];
};

/// The first sequence in a segment's name; false for other files. `plain`: not compressed.
bool parse_name(const char* name, uint64_t* first, bool* plain) {
  uint64_t value = 0;
  for (int i = 0; i < kDigits; i++) {
    if (name[i] < '0' || name[i] > '9') return false;
    value = value * 10 + static_cast<uint64_t>(name[i] - '0');
  }
  *first = value;
  *plain = strcmp(name + kDigits, ".log") == 0;
  return *plain || strcmp(name + kDigits, ".log.zst") == 0;
}

/// Open as long as it is locked: whoever begins a file beside no other that is written holds that.
class Folder {
 public:
  explicit Folder(const char* directory) : fd_(open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {}
  ~Folder() {
    if (fd_ >= 0) close(fd_);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  int fd() const { return fd_; }
  bool lock() const { return fd_ >= 0 && flock(fd_, LOCK_EX) == 0; }

 private:
  int fd_;
};

/// Looks over the folder's segments, in memory that does not depend on their number.
bool list(int folder, Listing* out) {
  if (folder < 0) return false;
  alignas(DirectoryEntry) char buffer[1024];
  long n;
  while ((n = syscall(SYS_getdents64, folder, buffer, sizeof buffer)) > 0) {
    for (long at = 0; at < n;) {
      const DirectoryEntry* entry = reinterpret_cast<const DirectoryEntry*>(buffer + at);
      at += entry->size;
      uint64_t first;
      bool plain;
      if (!parse_name(entry->name, &first, &plain)) continue;
      struct stat st;
      if (fstatat(folder, entry->name, &st, AT_SYMLINK_NOFOLLOW) == 0) out->bytes += static_cast<uint64_t>(st.st_size);
      if (!out->any || first < out->oldest) {
        out->oldest = first;
        Text(out->oldest_name, sizeof out->oldest_name).add(entry->name);
      }
      if (!out->any || first > out->newest) {
        out->newest = first;
        out->newest_is_plain = false;
      }
      out->any = true;
      if (first == out->newest) out->newest_is_plain = out->newest_is_plain || plain;
    }
  }
  return n == 0;
}

bool list(const char* directory, Listing* out) { return list(Folder(directory).fd(), out); }

void write_path(char* to, size_t room, const char* directory, uint64_t first) {
  Text(to, room).add(directory).add("/").number(first, kDigits).add(".log");
}

/// The first number of a run of the machine, behind `next`, the one that would come next by what is left of the log.
uint64_t next_of_boot(uint64_t next) { return ((next + kBootStep / 2) / kBootStep + 1) * kBootStep; }

uint64_t count_newlines(const char* p, size_t size) {
  uint64_t count = 0;
  for (const char* const end = p + size; (p = static_cast<const char*>(memchr(p, '\n', static_cast<size_t>(end - p)))) != nullptr; p++) count++;
  return count;
}

}  // namespace

void LogSegment::set(const char* directory, uint64_t segment_bytes, uint64_t keep_bytes, int64_t segment_age_ms) {
  directory_ = directory;
  segment_bytes_ = segment_bytes;
  keep_bytes_ = keep_bytes;
  segment_age_ms_ = segment_age_ms;
}

size_t LogSegment::append(const char* lines, size_t size) {
  size_t done = 0;
  if (!lock()) return 0;
  // Where there can be no new file, the old one takes what it can.
  if (is_old() && !rotate() && errno == EAGAIN && !lock()) return 0;
  while (done < size && !has_hole_) {
    const char* rest = lines + done;
    size_t length = size - done;
    const uint64_t room = segment_bytes_ > size_ ? segment_bytes_ - size_ : 0;
    if (length > room) {
      const void* cut = memrchr(rest, '\n', static_cast<size_t>(room));
      if (cut == nullptr && size_ > 0) {
        if (!rotate() && (errno != EAGAIN || !lock())) break;
        continue;
      }
      // A line that alone is longer than a segment gets one of its own.
      if (cut == nullptr) cut = memchr(rest, '\n', length);
      length = static_cast<size_t>(static_cast<const char*>(cut) - rest) + 1;
    }
    const size_t written = write_lines(rest, length);
    done += written;
    if (written < length) break;
  }
  const int error = errno;
  if (file_ >= 0) flock(file_, LOCK_UN);
  errno = error;
  return done;
}

bool LogSegment::take_hole(LogHole* hole) {
  if (!has_hole_) return false;
  *hole = hole_;
  has_hole_ = false;
  return true;
}

/// Locks the newest file, and learns its size.
bool LogSegment::lock() {
  struct stat st;
  if (file_ >= 0 && flock(file_, LOCK_EX) == 0 && fstat(file_, &st) == 0) {
    const bool is_current = st.st_nlink > 0 && (st.st_mode & 0777) != kRotated;
    learn_size(static_cast<uint64_t>(st.st_size), is_current);
    if (is_current && first_ + lines_ >= floor_) return true;
    if (is_current && go_on_from(floor_)) return true;
    if (is_current && errno != EAGAIN) return false;
  }
  for (int attempt = 0; attempt < kMostAttempts; attempt++) {
    if (open_newest()) return true;
    if (errno != EAGAIN) return false;
  }
  return false;
}

/// Counts what another keeper wrote. Where somebody cut the file off, its lines have had their numbers all the same.
void LogSegment::learn_size(uint64_t size, bool is_current) {
  if (size < size_) {
    keep_floor();
    // Another one may have written more than this one saw.
    if (shared_ && is_current) floor_ = beyond(floor_);
    size_ = lines_ = 0;
    begun_ = 0;
  } else if (size > size_) {
    shared_ = true;
  }
  count_to(size);
}

void LogSegment::keep_floor() {
  if (first_ + lines_ > floor_) floor_ = first_ + lines_;
}

/// A number that is higher than any that lines of the log can have had whose file `first` is the newest one left: of that file, and of what was removed behind it.
uint64_t LogSegment::beyond(uint64_t first) const {
  uint64_t bytes = kMostText;
  if (segment_bytes_ < kMostText && keep_bytes_ < kMostText) bytes = segment_bytes_ + keep_bytes_;
  const uint64_t next = (first + bytes / kShortestLine + kUnknownStep) / kUnknownStep * kUnknownStep;
  return next % kBootStep == 0 ? next + kUnknownStep : next;
}

/// EAGAIN: another keeper was quicker; look again.
bool LogSegment::open_newest() {
  close_file();
  Listing all;
  const Folder folder(directory_);
  if (!folder.lock() || !list(folder.fd(), &all)) {
    // Somebody may have removed the folder under a running app.
    if (errno != ENOENT || mkdir(directory_, 0750) != 0) return false;
    knows_numbers_ = knows_numbers_ || is_of_boot_;
    is_of_boot_ = false;  // which is to be noted anew
    errno = EAGAIN;
    return false;
  }
  if (is_of_boot_) return open_newest_of(all, WrittenIn::this_boot);
  const WrittenIn written = written_in(folder.fd());
  is_of_boot_ = open_newest_of(all, knows_numbers_ ? WrittenIn::this_boot : written);
  const int error = errno;
  if (!is_of_boot_) close_file();  // which may be one of another run
  // Not before there is a file of this one: whoever comes next would go on with the old one.
  else if (written != WrittenIn::this_boot) note_this_boot(folder.fd());
  errno = error;
  return is_of_boot_;
}

/// `all`: what is there, `written` in another run of the machine, it may be.
bool LogSegment::open_newest_of(const Listing& all, WrittenIn written) {
  const bool is_new_boot = written == WrittenIn::another_boot || (written == WrittenIn::unknown && all.any);
  if (!all.any && is_new_boot) return create(next_of_boot(0), true);
  if (!all.any) return create(floor_ > 1 ? floor_ : 1, floor_ > 1);
  if (!all.newest_is_plain && is_new_boot) return create(next_of_boot(all.newest), true);
  if (!all.newest_is_plain) return create(floor_ > all.newest ? floor_ : beyond(all.newest), true);

  char path[512];
  write_path(path, sizeof path, directory_, all.newest);
  file_ = open(path, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
  if (file_ < 0) {
    if (errno == EACCES && is_new_boot) return create(next_of_boot(all.newest), true);  // rotated, and this is not root
    if (errno == ENOENT) errno = EAGAIN;
    return false;
  }
  first_ = all.newest;
  size_ = lines_ = 0;
  begun_ = 0;
  shared_ = false;
  struct stat st;
  if (flock(file_, LOCK_EX) != 0 || fstat(file_, &st) != 0) {
    const int error = errno;
    close_file();
    errno = error;
    return false;
  }
  const bool is_known = floor_ > first_;
  count_to(static_cast<uint64_t>(st.st_size));
  if (is_new_boot) {
    end_torn_line();
    return go_on_from(next_of_boot(first_ + lines_));
  }
  if (st.st_nlink == 0 || (st.st_mode & 0777) == kRotated) {
    Listing again;
    const bool successor = list(directory_, &again) && again.any && again.newest != first_;
    if (st.st_nlink == 0 || successor) {
      close_file();
      errno = EAGAIN;
      return false;
    }
    // Somebody removed the one behind it; or its keeper was killed before there was one.
    return is_known ? rotate() : go_on_from(beyond(first_));
  }
  end_torn_line();
  return first_ + lines_ >= floor_ || go_on_from(floor_);
}

/// What a power cut or a full disk tore is a line, too.
void LogSegment::end_torn_line() {
  char last = '\n';
  if (size_ > 0 && pread(file_, &last, 1, static_cast<off_t>(size_ - 1)) == 1 && last != '\n' && write(file_, "\n", 1) == 1) count_to(size_ + 1);
}

/// Goes on in a new file; the lock on the present one is held until it is there. `hole`: behind lines that are missing. EAGAIN: another keeper has made it, or
/// has filled it already.
bool LogSegment::create(uint64_t first, bool hole) {
  char path[512];
  write_path(path, sizeof path, directory_, first);
  const int made = open(path, O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, kActive);
  if (made < 0) {
    if (errno == EEXIST) errno = EAGAIN;
    return false;
  }
  // Another keeper that looks for the newest file may have locked this one first.
  struct stat st;
  const bool locked = flock(made, LOCK_EX) == 0 && fstat(made, &st) == 0;
  if (!locked || st.st_nlink == 0 || (st.st_mode & 0777) == kRotated) {
    if (locked) errno = EAGAIN;
    const int error = errno;
    close(made);
    errno = error;
    return false;
  }
  fchmod(made, kActive);
  close_file();
  file_ = made;
  first_ = first;
  size_ = lines_ = 0;
  begun_ = 0;
  shared_ = false;
  count_to(static_cast<uint64_t>(st.st_size));
  if (!hole) return true;
  has_hole_ = true;
  hole_ = {first, first % kUnknownStep == 0, first % kBootStep == 0};
  return true;
}

/// By the time that stands before its first line, which every keeper of the log sees alike. One that is still to come is of a clock that was ahead, and says
/// nothing of the file's age: what was written under it ends there.
bool LogSegment::is_old() {
  if (segment_age_ms_ <= 0 || size_ == 0) return false;
  char stamp[20];
  if (begun_ == 0) begun_ = pread(file_, stamp, sizeof stamp, 0) == sizeof stamp ? read_timestamp(stamp) : -1;
  if (begun_ <= 0) return false;
  const int64_t age_ms = wall_ms() - begun_ * 1000;
  return age_ms >= segment_age_ms_ || age_ms < 0;
}

bool LogSegment::rotate() { return go_on_from(first_ + lines_ > floor_ ? first_ + lines_ : floor_); }

/// Ends the file and goes on in a new one, whose first line has the number `next`.
bool LogSegment::go_on_from(uint64_t next) {
  fchmod(file_, kRotated);
  if (!create(next, next > first_ + lines_)) {
    const int error = errno;
    if (error == EAGAIN) close_file();  // it has a successor: that is the newest now
    else fchmod(file_, kActive);
    errno = error;
    return false;
  }
  prune();
  return true;
}

/// Removes the oldest files until what stays, and the new one when it is full, is within `keep_bytes`.
void LogSegment::prune() {
  char path[512];
  for (int most = 10000; most > 0; most--) {
    Listing all;
    if (!list(directory_, &all) || !all.any || all.oldest == first_ || all.bytes + segment_bytes_ <= keep_bytes_) return;
    Text(path, sizeof path).add(directory_).add("/").add(all.oldest_name);
    if (unlink(path) != 0) return;
  }
}

size_t LogSegment::write_lines(const char* lines, size_t size) {
  size_t written = 0;
  while (written < size) {
    const ssize_t n = write(file_, lines + written, size - written);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    written += static_cast<size_t>(n);
  }
  if (written < size) {
    // A torn line at the end would swallow the next one.
    const int error = errno;
    const void* cut = written > 0 ? memrchr(lines, '\n', written) : nullptr;
    written = cut == nullptr ? 0 : static_cast<size_t>(static_cast<const char*>(cut) - lines) + 1;
    [[maybe_unused]] const int taken_back = ftruncate(file_, static_cast<off_t>(size_ + written));  // else the next look counts what is there
    errno = error;
  }
  size_ += written;
  lines_ += count_newlines(lines, written);
  return written;
}

/// Counts the lines from what it has seen of the file up to `size` bytes. What cannot be read counts as too many rather than too few: numbers must not repeat.
void LogSegment::count_to(uint64_t size) {
  char block[2048];
  while (size_ < size) {
    const uint64_t rest = size - size_;
    const ssize_t n = pread(file_, block, rest < sizeof block ? static_cast<size_t>(rest) : sizeof block, static_cast<off_t>(size_));
    if (n < 0 && errno == EINTR) continue;
    lines_ += n > 0 ? count_newlines(block, static_cast<size_t>(n)) : rest;
    size_ += n > 0 ? static_cast<uint64_t>(n) : rest;
  }
}

void LogSegment::close_file() {
  if (file_ < 0) return;
  keep_floor();
  close(file_);
  file_ = -1;
}

}  // namespace berth::keeper
