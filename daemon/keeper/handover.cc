#include "daemon/keeper/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/keeper/text.h"

namespace berth::keeper {

HandoverWriter::HandoverWriter() : fd_(memfd_create("berth-handover", MFD_CLOEXEC | MFD_ALLOW_SEALING)) {
  if (fd_ < 0) error_ = errno;
  record("handover", "1");
}

HandoverWriter::~HandoverWriter() {
  if (fd_ >= 0) close(fd_);
}

void HandoverWriter::record(const char* key, const char* value) {
  char line[800];
  Text text(line, sizeof line);
  text.add(key).add("=").add(value);
  if (error_ == 0 && write(fd_, line, text.size() + 1) != static_cast<ssize_t>(text.size() + 1)) error_ = errno != 0 ? errno : EIO;
}

void HandoverWriter::number(const char* key, int64_t value) {
  char digits[24];
  Text text(digits, sizeof digits);
  if (value < 0) text.add("-");
  text.number(value < 0 ? uint64_t{0} - static_cast<uint64_t>(value) : static_cast<uint64_t>(value));
  record(key, digits);
}

int HandoverWriter::finish() {
  if (error_ == 0 && fcntl(fd_, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) error_ = errno;
  if (error_ != 0) return errno = error_, -1;
  const int fd = fd_;
  fd_ = -1;
  return fd;
}

const char* HandoverReader::find(const char* key) const {
  for (const char* record = file_.begin(); record < file_.end(); record += strlen(record) + 1)
    if (const char* value = value_of(record, key)) return value;
  return nullptr;
}

int64_t HandoverReader::number(const char* key, int64_t otherwise) const {
  const char* value = find(key);
  return value != nullptr ? to_number(value, otherwise) : otherwise;
}

void HandoverReader::text(const char* key, char* value, size_t room) const {
  if (const char* found = find(key)) Text(value, room).add(found);
}

}  // namespace berth::keeper
