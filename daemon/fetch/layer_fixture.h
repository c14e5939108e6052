#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <zstd.h>

#include "core/bundle/hand_made_tar.h"
#include "core/crypto/sha256.h"
#include "core/files/files.h"

namespace berth::fetch {

using bundle::file_entry;
using bundle::folder_entry;
using bundle::HandMadeTar;
using bundle::link_entry;

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
