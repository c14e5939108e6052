#include "daemon/keeper/notice.h"

#include <string.h>

#include "daemon/keeper/text.h"

namespace berth::keeper {
namespace {

constexpr int64_t kMostMs = int64_t{24} * 3600 * 1000;

/// One line of a message.
struct Line {
  const char* text;
  size_t size;

  bool is(const char* whole) const { return strlen(whole) == size && memcmp(text, whole, size) == 0; }
  /// What follows `name`; null where the line is of another name.
  const char* value_of(const char* name) const {
    const size_t length = strlen(name);
    return size >= length && memcmp(text, name, length) == 0 ? text + length : nullptr;
  }
};

/// Microseconds in milliseconds, rounded up and bounded; 0 for what is no number.
int64_t milliseconds_in(const char* value, const char* end) {
  char digits[24];
  const size_t size = static_cast<size_t>(end - value);
  if (size == 0 || size >= sizeof digits) return 0;
  memcpy(digits, value, size);
  digits[size] = 0;
  const int64_t microseconds = to_number(digits, 0);
  if (microseconds <= 0) return 0;
  const int64_t ms = microseconds / 1000 + (microseconds % 1000 != 0);
  return ms < kMostMs ? ms : kMostMs;
}

bool set_status(const char* value, const char* end, Notice* notice) {
  char status[sizeof notice->status];
  Text(status, sizeof status).add(value, static_cast<size_t>(end - value));
  for (char* c = status; *c != 0; c++)
    if (static_cast<unsigned char>(*c) < 0x20 || *c == 0x7f) *c = ' ';
  if (strcmp(status, notice->status) == 0) return false;
  memcpy(notice->status, status, sizeof status);
  return true;
}

/// False where nothing that lasts changed.
bool take_line(const Line& line, Notice* notice) {
  const char* end = line.text + line.size;
  if (line.is("READY=1")) {
    const bool changed = !notice->ready || notice->reloading;
    notice->ready = true;
    notice->reloading = false;
    return changed;
  }
  if (line.is("RELOADING=1")) {
    const bool changed = !notice->reloading;
    notice->reloading = true;
    return changed;
  }
  if (line.is("STOPPING=1")) {
    const bool changed = !notice->stopping;
    notice->stopping = true;
    return changed;
  }
  if (const char* value = line.value_of("STATUS=")) return set_status(value, end, notice);
  if (line.is("WATCHDOG=1")) notice->alive = true;
  if (line.is("WATCHDOG=trigger")) notice->triggered = true;
  if (const char* value = line.value_of("WATCHDOG_USEC=")) notice->watchdog_ms = milliseconds_in(value, end);
  if (const char* value = line.value_of("EXTEND_TIMEOUT_USEC=")) {
    notice->extend_ms = milliseconds_in(value, end);
    return notice->extend_ms > 0;
  }
  return false;
}

}  // namespace

bool take_notice(const char* text, size_t size, Notice* notice) {
  notice->alive = notice->triggered = false;
  notice->watchdog_ms = notice->extend_ms = 0;
  bool changed = false;
  for (size_t at = 0; at < size;) {
    const void* newline = memchr(text + at, '\n', size - at);
    const size_t end = newline != nullptr ? static_cast<size_t>(static_cast<const char*>(newline) - text) : size;
    changed = take_line({text + at, end - at}, notice) || changed;
    at = end + 1;
  }
  return changed;
}

}  // namespace berth::keeper
