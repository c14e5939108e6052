#include "daemon/keeper/log_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/keeper/big.h"
#include "daemon/keeper/clock.h"
#include "daemon/keeper/text.h"

namespace berth::keeper {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kHead = 30 + 8 + 1 + LogWriter::kMostTag;  ///< "TIME stdout F:v42:17:4711 "
constexpr size_t kOut = size_t{128} << 10;
/// Outside the class and behind all small data, so that an idle keeper has none of it in memory.
struct Buffers {
  char input[LogWriter::kInput];
  char output[kOut];
  char unfinished[2][LogWriter::kMostPiece];
};
BERTH_BIG Buffers buffers;

/// Gives the whole pages between the two back to the kernel; they read as zeros then.
void give_back(const char* begin, const char* end) {
  const uintptr_t first = (reinterpret_cast<uintptr_t>(begin) + kPage - 1) & ~(kPage - 1);
  const uintptr_t last = reinterpret_cast<uintptr_t>(end) & ~(kPage - 1);
  if (first < last) madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
}

uint64_t count_newlines(const char* p, size_t size) {
  uint64_t count = 0;
  for (size_t i = 0; i < size; i++) count += p[i] == '\n';
  return count;
}

}  // namespace

void LogWriter::set_tag(const char* tag, int64_t pid) {
  Text text(tag_, sizeof tag_);
  if (*tag != 0) text.add(":").add(tag).add(":").number(static_cast<uint64_t>(pid));
  text.add(" ");
  tag_size_ = text.size();
}

void LogWriter::note_own_end(const char* folder) const {
  char path[400];
  if (!tagged() || strlen(folder) > 380) return;
  Text(path, sizeof path).add(folder).add("/.ended");
  const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0640);
  if (file < 0) return;
  (void)!write(file, tag_ + 1, tag_size_ - 2);  // without the colon in front and the space behind
  close(file);
}

void LogWriter::add(Stream stream, const char* bytes, size_t size) {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  char stamp[30];
  write_timestamp(stamp, now);

  Pending& pending = pending_[static_cast<int>(stream)];
  char* buffer = buffers.unfinished[static_cast<int>(stream)];
  const char* const end = bytes + size;
  while (bytes < end) {
    const char* newline = static_cast<const char*>(memchr(bytes, '\n', static_cast<size_t>(end - bytes)));
    const char* stop = newline != nullptr ? newline : end;
    if (pending.size == 0 && newline != nullptr && static_cast<size_t>(stop - bytes) <= kMostPiece) {
      emit(stream, 'F', stamp, bytes, static_cast<size_t>(stop - bytes));
      pending.continues = false;
      bytes = newline + 1;
      continue;
    }
    while (bytes < stop) {
      if (pending.size == kMostPiece) {
        emit(stream, 'P', pending.stamp, buffer, pending.size);
        pending.size = 0;
        pending.continues = true;
      }
      if (pending.size == 0) memcpy(pending.stamp, stamp, sizeof stamp);
      size_t n = static_cast<size_t>(stop - bytes);
      if (n > kMostPiece - pending.size) n = kMostPiece - pending.size;
      memcpy(buffer + pending.size, bytes, n);
      pending.size += n;
      bytes += n;
    }
    if (newline != nullptr) {
      emit(stream, 'F', pending.stamp, buffer, pending.size);
      pending.size = 0;
      pending.continues = false;
      bytes = newline + 1;
    }
  }
  flush();
}

void LogWriter::finish() {
  for (int i = 0; i < 2; i++) {
    Pending& pending = pending_[i];
    if (pending.stamp[0] == 0) {  // another program began the line
      timespec now;
      clock_gettime(CLOCK_REALTIME, &now);
      write_timestamp(pending.stamp, now);
    }
    if (pending.size > 0 || pending.continues) emit(static_cast<Stream>(i), 'F', pending.stamp, buffers.unfinished[i], pending.size);
    pending.size = 0;
    pending.continues = false;
  }
  flush();
  tell_owed();
}

void LogWriter::cut_lines() {
  for (int i = 0; i < 2; i++) {
    Pending& pending = pending_[i];
    if (pending.size == 0) continue;
    emit(static_cast<Stream>(i), 'P', pending.stamp, buffers.unfinished[i], pending.size);
    pending.size = 0;
    pending.continues = true;
  }
  flush();
}

void LogWriter::emit(Stream stream, char tag, const char* stamp, const char* text, size_t size) {
  if (kOut - out_ < kHead + size + 1) flush();
  char* to = buffers.output + out_;
  memcpy(to, stamp, 30);
  memcpy(to + 30, stream == Stream::out ? " stdout " : " stderr ", 8);
  to[38] = tag;
  memcpy(to + 39, tag_, tag_size_);
  to += 39 + tag_size_;
  memcpy(to, text, size);
  to[size] = '\n';
  out_ += 39 + tag_size_ + size + 1;
}

void LogWriter::flush() {
  size_t done = 0;
  while (done < out_) {
    if (!tell_owed()) break;
    done += segment_.append(buffers.output + done, out_ - done);
    if (done < out_ && !segment_.take_hole(&hole_)) break;
  }
  lines_ += count_newlines(buffers.output, done);
  if (done < out_) {
    error_ = errno;
    const uint64_t lost = count_newlines(buffers.output + done, out_ - done);
    dropped_ += lost;
    untold_ += lost;
  }
  out_ = 0;
}

/// Writes, in the place of what somebody removed or a power cut took, that it is missing, or may be.
bool LogWriter::tell_hole() {
  char what[200];
  Text text(what, sizeof what);
  text.add(hole_.boot ? "the machine was started since, and what a power cut kept from the disk, if any, is missing here; lines go on with number "
                      : "log lines are missing here: a log file was removed or cut off; lines go on with number ").number(hole_.next);
  if (hole_.unknown && !hole_.boot) text.add(", and how many are missing is not known");
  const LogHole told = hole_;
  hole_.next = 0;
  if (tell(what)) return true;
  if (hole_.next == 0) hole_ = told;
  return false;
}

/// Writes, in the place of what was lost, how much it was.
bool LogWriter::tell_gap() {
  char what[160];
  Text(what, sizeof what).number(untold_).add(" log lines are missing here: ").add(strerror(error_));
  if (!tell(what)) return false;
  untold_ = 0;
  return true;
}

void LogWriter::tell_lost_keeper() {
  char what[160];
  Text text(what, sizeof what);
  text.add("up to ").number(kInput >> 10).add(" KiB are missing here: the keeper of this instance was killed while it may have had them in hand");
  tell(what);
}

/// A line of the keeper's own. Its tag is another than that of the app's lines, so that it ends none of them.
bool LogWriter::tell(const char* what) {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  char stamp[30], line[400];
  write_timestamp(stamp, now);
  Text text(line, sizeof line);
  text.add(stamp, sizeof stamp).add(" stderr F").add(tag_, tag_size_ - 1).add(tagged() ? ":keeper" : "").add(" berth-keeper: ").add(what).add("\n");
  while (segment_.append(line, text.size()) < text.size())
    if (!segment_.take_hole(&hole_)) return false;
  lines_++;
  return true;
}

char* LogWriter::input() { return buffers.input; }

void LogWriter::release_memory() {
  const char* begin = buffers.input;
  for (int i = 0; i < 2; i++) {
    if (pending_[i].size == 0) continue;
    give_back(begin, buffers.unfinished[i]);
    begin = buffers.unfinished[i] + pending_[i].size;
  }
  give_back(begin, buffers.unfinished[2]);
}

}  // namespace berth::keeper
