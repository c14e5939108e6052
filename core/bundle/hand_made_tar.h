#pragma once

#include <cstdio>
#include <string>
#include <string_view>

#include "core/bundle/layer.h"
#include "core/bundle/tar_header.h"
#include "core/crypto/sha256.h"

// For tests: entries, and tars that break any rule.

namespace berth::bundle {

inline Entry file_entry(const std::string& path, const std::string& content, std::uint32_t mode = 0644) {
  return {.path = path, .type = EntryType::file, .mode = mode, .size = content.size(), .sha256 = crypto::sha256_hex(content), .target = {}};
}
inline Entry folder_entry(const std::string& path) {
  return {.path = path, .type = EntryType::directory, .mode = 0755, .size = 0, .sha256 = {}, .target = {}};
}
inline Entry link_entry(const std::string& path, const std::string& target) {
  return {.path = path, .type = EntryType::symlink, .mode = 0777, .size = 0, .sha256 = {}, .target = target};
}

/// A tar made by hand.
class HandMadeTar {
 public:
  HandMadeTar& add(const Entry& entry, const std::string& content = {}) {
    text_ += tar_header(entry) + content + std::string(tar_padding(content.size()), '\0');
    return *this;
  }
  HandMadeTar& add_file(const std::string& path, const std::string& content, std::uint32_t mode = 0644) {
    return add(file_entry(path, content, mode), content);
  }
  /// A pax header with these records; what is added next is what they are about.
  HandMadeTar& add_pax(std::string_view records, char type = 'x') {
    add({.path = "PaxHeaders", .type = EntryType::file, .mode = 0644, .size = 0, .sha256 = {}, .target = {}});
    char size[12];
    std::snprintf(size, sizeof size, "%011o", static_cast<unsigned>(records.size()));
    but_with(kTarLength, std::string_view(size, sizeof size));
    but_with(kTarType, std::string_view(&type, 1));
    text_ += std::string(records) + std::string(tar_padding(records.size()), '\0');
    return *this;
  }
  HandMadeTar& add_bytes(std::string_view bytes) {
    text_ += bytes;
    return *this;
  }
  /// Overwrites a field of the header that was added last (of an entry without content), and its checksum.
  HandMadeTar& but_with(std::size_t field, std::string_view bytes) {
    const std::size_t header = text_.size() - kTarBlock;
    text_.replace(header + field, bytes.size(), bytes);
    text_.replace(header + 148, 8, 8, ' ');
    unsigned sum = 0;
    for (std::size_t at = header; at < text_.size(); ++at) sum += static_cast<unsigned char>(text_[at]);
    char digits[9];
    std::snprintf(digits, sizeof digits, "%06o", sum);
    text_.replace(header + 148, 7, digits, 7);  // with its NUL
    return *this;
  }
  std::string end() const { return text_ + std::string(kTarEnd, '\0'); }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace berth::bundle
