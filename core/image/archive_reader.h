#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include <archive.h>
#include <archive_entry.h>
#include <clocale>

namespace berth::image {

/// While it lives, the thread's locale is UTF-8: libarchive turns names into the locale's characters, and "C" has none beyond ASCII.
class Utf8Locale {
 public:
  Utf8Locale() : utf8_(::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)), before_(utf8_ == nullptr ? nullptr : ::uselocale(utf8_)) {}
  ~Utf8Locale() {
    if (utf8_ == nullptr) return;
    ::uselocale(before_);
    ::freelocale(utf8_);
  }
  Utf8Locale(const Utf8Locale&) = delete;
  Utf8Locale& operator=(const Utf8Locale&) = delete;

 private:
  locale_t utf8_, before_;
};

struct FreeReader {
  void operator()(archive* reader) const { ::archive_read_free(reader); }
};
using ArchiveReader = std::unique_ptr<archive, FreeReader>;

/// Whether a tar says file capabilities of an entry.
inline bool has_capability(archive_entry* entry) {
  ::archive_entry_xattr_reset(entry);
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  bool has = false;  // libarchive gives each attribute twice where it was written in its own form as well
  while (::archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK)
    has = has || (name != nullptr && std::string_view(name) == "security.capability");
  return has;
}

/// Why the last call on it failed, for people.
inline const char* why_of(const ArchiveReader& reader) {
  const char* why = ::archive_error_string(reader.get());
  return why == nullptr ? "damaged" : why;
}

}  // namespace berth::image
