#include "daemon/keeper/log_segment.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/keeper/text.h"

namespace berth::keeper {
namespace {

constexpr mode_t kActive = 0640, kRotated = 0440;
constexpr int kDigits = 16;
constexpr int kMostAttempts = 100;  ///< to lock the newest file, while other keepers rotate

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

struct Listing {
  bool any = false, any_plain = false;
  uint64_t newest_plain = 0;
  uint64_t bytes = 0;        ///< of all segments
  uint64_t oldest = 0;
  char oldest_name[32] = {};
};

/// Looks over the folder's segments, in memory that does not depend on their number.
bool list(const char* directory, Listing* out) {
  const int folder = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
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
      out->any = true;
      if (plain && (!out->any_plain || first > out->newest_plain)) out->newest_plain = first;
      out->any_plain = out->any_plain || plain;
    }
  }
  close(folder);
  return n == 0;
}

void write_path(char* to, size_t room, const char* directory, uint64_t first) {
  Text(to, room).add(directory).add("/").number(first, kDigits).add(".log");
}

uint64_t count_newlines(const char* p, size_t size) {
  uint64_t count = 0;
  for (size_t i = 0; i < size; i++) count += p[i] == '\n';
  return count;
}

}  // namespace

void LogSegment::set(const char* directory, uint64_t segment_bytes, uint64_t keep_bytes) {
  directory_ = directory;
  segment_bytes_ = segment_bytes;
  keep_bytes_ = keep_bytes;
}

size_t LogSegment::append(const char* lines, size_t size) {
  size_t done = 0;
  if (!lock()) return 0;
  while (done < size) {
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

/// Locks the newest file, and learns its size.
bool LogSegment::lock() {
  struct stat st;
  if (file_ >= 0 && flock(file_, LOCK_EX) == 0 && fstat(file_, &st) == 0 && st.st_nlink > 0 && (st.st_mode & 0777) != kRotated) {
    counted_ = counted_ && static_cast<uint64_t>(st.st_size) == size_;
    size_ = static_cast<uint64_t>(st.st_size);
    return true;
  }
  for (int attempt = 0; attempt < kMostAttempts; attempt++) {
    if (open_newest()) return true;
    if (errno != EAGAIN) return false;
  }
  return false;
}

/// EAGAIN: another keeper was quicker; look again.
bool LogSegment::open_newest() {
  close_file();
  Listing all;
  if (!list(directory_, &all)) {
    // Somebody may have removed the folder under a running app.
    if (errno != ENOENT || mkdir(directory_, 0750) != 0) return false;
    errno = EAGAIN;
    return false;
  }
  if (!all.any_plain) return create(1);

  char path[512];
  write_path(path, sizeof path, directory_, all.newest_plain);
  file_ = open(path, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
  if (file_ < 0) {
    if (errno == ENOENT) errno = EAGAIN;
    return false;
  }
  struct stat st;
  if (flock(file_, LOCK_EX) != 0 || fstat(file_, &st) != 0) {
    close_file();
    return false;
  }
  first_ = all.newest_plain;
  size_ = static_cast<uint64_t>(st.st_size);
  counted_ = false;
  if (st.st_nlink == 0 || (st.st_mode & 0777) == kRotated) {
    Listing again;
    const bool successor = list(directory_, &again) && again.any_plain && again.newest_plain != first_;
    if (st.st_nlink == 0 || successor) {
      close_file();
      errno = EAGAIN;
      return false;
    }
    return rotate();  // its keeper was killed in between
  }
  // The end of a line that a power cut or a full disk tore.
  char last = '\n';
  if (size_ > 0 && pread(file_, &last, 1, st.st_size - 1) == 1 && last != '\n' && write(file_, "\n", 1) == 1) size_++;
  return true;
}

/// Goes on in a new file; the lock on the present one is held until it is there. EAGAIN: another keeper has made it, or has filled it already.
bool LogSegment::create(uint64_t first) {
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
  size_ = static_cast<uint64_t>(st.st_size);
  lines_ = 0;
  counted_ = size_ == 0;
  return true;
}

bool LogSegment::rotate() {
  const uint64_t next = first_ + (counted_ ? lines_ : count_lines());
  fchmod(file_, kRotated);
  if (!create(next)) {
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
    if (ftruncate(file_, static_cast<off_t>(size_ + written)) != 0) counted_ = false;
    errno = error;
  }
  size_ += written;
  if (counted_) lines_ += count_newlines(lines, written);
  return written;
}

uint64_t LogSegment::count_lines() {
  if (size_ == 0) return 0;
  void* mapped = mmap(nullptr, size_, PROT_READ, MAP_SHARED, file_, 0);
  if (mapped == MAP_FAILED) return size_;  // never too few: sequences must not repeat
  const uint64_t count = count_newlines(static_cast<const char*>(mapped), size_);
  munmap(mapped, size_);
  return count;
}

void LogSegment::close_file() {
  if (file_ >= 0) close(file_);
  file_ = -1;
}

}  // namespace berth::keeper
