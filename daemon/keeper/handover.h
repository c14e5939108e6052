#pragma once

#include <stddef.h>
#include <stdint.h>

#include "daemon/keeper/launch.h"

namespace berth::keeper {

/// What a keeper passes on to the program that it becomes: `key=value` records in a sealed memfd, NUL after each. Whoever reads one that is not there keeps
/// what it had; records that it does not know are passed over. Descriptors go by their numbers.
class HandoverWriter {
 public:
  HandoverWriter();
  ~HandoverWriter();
  HandoverWriter(const HandoverWriter&) = delete;
  HandoverWriter& operator=(const HandoverWriter&) = delete;

  template <class T>
  void value(const char* key, const T& value) { number(key, static_cast<int64_t>(value)); }
  void text(const char* key, char* value, size_t) { record(key, value); }
  /// Seals it; its descriptor, which is the caller's. -1 with errno where it could not be written.
  int finish();

 private:
  void number(const char* key, int64_t value);
  void record(const char* key, const char* value);

  int fd_ = -1;
  int error_ = 0;
};

class HandoverReader {
 public:
  explicit HandoverReader(int fd) : file_(fd) {}
  bool good() const { return file_.good() && find("handover") != nullptr; }

  template <class T>
  void value(const char* key, T& value) const { value = static_cast<T>(number(key, static_cast<int64_t>(value))); }
  void text(const char* key, char* value, size_t room) const;

 private:
  const char* find(const char* key) const;
  int64_t number(const char* key, int64_t otherwise) const;

  LaunchFile file_;
};

}  // namespace berth::keeper
