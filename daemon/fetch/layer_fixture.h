#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <zstd.h>

#include "core/bundle/layer.h"
#include "core/bundle/tar_header.h"
#include "core/crypto/sha256.h"
#include "core/files/files.h"

namespace berth::fetch {

inline bundle::Entry file_entry(const std::string& path, const std::string& content, std::uint32_t mode = 0644) {
  return {.path = path, .type = bundle::EntryType::file, .mode = mode, .size = content.size(), .sha256 = crypto::sha256_hex(content), .target = {}};
}
inline bundle::Entry folder_entry(const std::string& path) {
  return {.path = path, .type = bundle::EntryType::directory, .mode = 0755, .size = 0, .sha256 = {}, .target = {}};
}
inline bundle::Entry link_entry(const std::string& path, const std::string& target) {
  return {.path = path, .type = bundle::EntryType::symlink, .mode = 0777, .size = 0, .sha256 = {}, .target = target};
}

/// A tar made by hand, so that it can break any rule.
class HandMadeTar {
 public:
  HandMadeTar& add(const bundle::Entry& entry, const std::string& content = {}) {
    text_ += bundle::tar_header(entry) + content + std::string(bundle::tar_padding(content.size()), '\0');
    return *this;
  }
  HandMadeTar& add_file(const std::string& path, const std::string& content, std::uint32_t mode = 0644) {
    return add(file_entry(path, content, mode), content);
  }
  /// Overwrites a field of the header that was added last (of an entry without content), and its checksum.
  HandMadeTar& but_with(std::size_t field, std::string_view bytes) {
    const std::size_t header = text_.size() - bundle::kTarBlock;
    text_.replace(header + field, bytes.size(), bytes);
    text_.replace(header + 148, 8, 8, ' ');
    unsigned sum = 0;
    for (std::size_t at = header; at < text_.size(); ++at) sum += static_cast<unsigned char>(text_[at]);
    char digits[9];
    std::snprintf(digits, sizeof digits, "%06o", sum);
    text_.replace(header + 148, 7, digits, 7);  // with its NUL
    return *this;
  }
  std::string end() const { return text_ + std::string(bundle::kTarEnd, '\0'); }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

inline std::string zstd_frame(const std::string& content, int window_log = 20) {
  std::string out(ZSTD_compressBound(content.size()), '\0');
  ZSTD_CCtx* const context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_log);
  ZSTD_inBuffer in{content.data(), content.size(), 0};
  ZSTD_outBuffer made{out.data(), out.size(), 0};
  EXPECT_FALSE(ZSTD_isError(ZSTD_compressStream2(context, &made, &in, ZSTD_e_continue)));  // so that the size does not shrink the window
  EXPECT_EQ(ZSTD_compressStream2(context, &made, &in, ZSTD_e_end), 0U);
  ZSTD_freeCCtx(context);
  out.resize(made.pos);
  return out;
}

/// A layer of one frame whose index says `entries`, whatever the tar holds.
inline bundle::LayerIndex index_of(std::vector<bundle::Entry> entries, const std::string& blob, std::size_t tar_size) {
  bundle::LayerIndex index;
  index.frames.push_back({.offset = 0, .size = blob.size(), .tar_size = tar_size});
  for (std::size_t at = 0; at < blob.size(); at += bundle::kChunk) index.chunks.push_back(crypto::sha256_hex(blob.substr(at, bundle::kChunk)));
  index.entries = std::move(entries);
  return index;
}

}  // namespace berth::fetch
