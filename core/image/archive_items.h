#pragma once

#include <string>
#include <vector>

#include <archive.h>
#include <archive_entry.h>
#include <clocale>
#include <gtest/gtest.h>

namespace berth::image {

/// One entry that a test puts into an archive.
struct Item {
  std::string path;
  std::string content;
  mode_t mode = 0644;
  unsigned type = AE_IFREG;
  std::string link;  ///< a symlink's target, or with `hard` the name of another entry
  bool hard = false;
  bool capability = false;
};

/// Writes the entries through an opened writer, closes and frees it. Names are UTF-8, which libarchive writes in such a locale only; reading has to see to its own.
inline void write_and_free(archive* writer, const std::vector<Item>& items) {
  const locale_t utf8 = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  const locale_t before = ::uselocale(utf8);
  for (const Item& item : items) {
    archive_entry* entry = ::archive_entry_new();
    ::archive_entry_set_pathname_utf8(entry, item.path.c_str());
    if (!item.hard) ::archive_entry_set_filetype(entry, item.type);
    ::archive_entry_set_perm(entry, item.mode);
    ::archive_entry_set_size(entry, static_cast<la_int64_t>(item.content.size()));
    if (item.hard) ::archive_entry_set_hardlink(entry, item.link.c_str());
    else if (!item.link.empty()) ::archive_entry_set_symlink(entry, item.link.c_str());
    if (item.capability) ::archive_entry_xattr_add_entry(entry, "security.capability", "\1\0\0\2", 4);
    EXPECT_EQ(::archive_write_header(writer, entry), ARCHIVE_OK) << item.path << ": " << ::archive_error_string(writer);
    const auto size = static_cast<la_ssize_t>(item.content.size());
    EXPECT_EQ(size == 0 ? 0 : ::archive_write_data(writer, item.content.data(), item.content.size()), size);
    ::archive_entry_free(entry);
  }
  EXPECT_EQ(::archive_write_close(writer), ARCHIVE_OK);
  ::archive_write_free(writer);
  ::uselocale(before);
  ::freelocale(utf8);
}

}  // namespace berth::image
