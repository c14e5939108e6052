#include "tests/tools/forge/parts.h"

#include <algorithm>
#include <cstdlib>
#include <memory>

#include <fmt/core.h>
#include <zstd.h>

#include "core/bundle/patch_parts.h"

namespace berth::forge {
namespace {

using bundle::Entry;
using bundle::HandMadeTar;
using bundle::tar_size_of;

using Compressor = std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)>;

void compress(ZSTD_CCtx* context, std::string_view content, ZSTD_EndDirective how, std::string& out) {
  ZSTD_inBuffer in{content.data(), content.size(), 0};
  std::string piece(ZSTD_CStreamOutSize(), '\0');
  std::size_t left = 1;
  while (in.pos < in.size || (how == ZSTD_e_end && left != 0)) {
    ZSTD_outBuffer made{piece.data(), piece.size(), 0};
    left = ZSTD_compressStream2(context, &made, &in, how);
    if (ZSTD_isError(left)) std::abort();
    out.append(piece, 0, made.pos);
  }
}

/// As `write_layer` cuts it.
std::vector<Piece> pieces_of(std::string_view tar) {
  std::vector<Piece> pieces;
  for (; !tar.empty(); tar.remove_prefix(std::min<std::size_t>(tar.size(), bundle::kFrame))) {
    const std::string_view piece = tar.substr(0, bundle::kFrame);
    pieces.push_back({zstd_frame(piece), piece.size()});
  }
  return pieces;
}

std::string platform_of(const Base& base) { return base.manifest.builds.begin()->first; }

}  // namespace

const std::vector<Entry>& honest_entries() {
  static const std::vector<Entry> entries{bundle::folder_entry("bin"), bundle::file_entry("bin/run", "#!/bin/sh\n", 0755),
                                          bundle::link_entry("latest", "bin/run"), bundle::file_entry("note", "hello\n")};
  return entries;
}

HandMadeTar honest_tar() {
  const auto& entries = honest_entries();
  return HandMadeTar().add(entries[0]).add(entries[1], "#!/bin/sh\n").add(entries[2]).add(entries[3], "hello\n");
}

std::string zstd_frame(std::string_view content, const FrameOptions& options) {
  const Compressor context(ZSTD_createCCtx(), ZSTD_freeCCtx);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_windowLog, options.window_log);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, options.checksum ? 1 : 0);
  if (!options.dictionary.empty()) ZSTD_CCtx_loadDictionary(context.get(), options.dictionary.data(), options.dictionary.size());
  std::string out;
  compress(context.get(), content, ZSTD_e_continue, out);  // before the end is known, so that the size does not shrink the window
  compress(context.get(), {}, ZSTD_e_end, out);
  return out;
}

std::string frame_of_zeros(std::uint64_t size) {
  const Compressor context(ZSTD_createCCtx(), ZSTD_freeCCtx);
  const std::string zeros(1u << 20, '\0');
  std::string out;
  for (; size > 0; size -= std::min<std::uint64_t>(size, zeros.size()))
    compress(context.get(), std::string_view(zeros).substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(size, zeros.size()))), ZSTD_e_continue, out);
  compress(context.get(), {}, ZSTD_e_end, out);
  return out;
}

Layer layer_of(std::vector<Entry> entries, const std::vector<Piece>& frames) {
  Layer layer;
  bundle::LayerIndex index;
  for (const Piece& frame : frames) {
    index.frames.push_back({.offset = layer.blob.size(), .size = frame.bytes.size(), .tar_size = frame.tar_size});
    layer.blob += frame.bytes;
    layer.tar_size += frame.tar_size;
  }
  for (std::size_t at = 0; at < layer.blob.size(); at += bundle::kChunk)
    index.chunks.push_back(crypto::sha256_hex(std::string_view(layer.blob).substr(at, bundle::kChunk)));
  index.entries = std::move(entries);
  layer.index = to_canonical_json(index);
  return layer;
}

Layer layer_of_tar(std::string tar) {
  constexpr const char* kFiller = "zz-filler";
  std::vector<Entry> entries = honest_entries();
  entries.push_back(bundle::file_entry(kFiller, ""));
  tar.resize(std::max(tar.size() + bundle::tar_padding(tar.size()), tar_size_of(entries)), '\0');
  entries.back() = bundle::file_entry(kFiller, std::string(tar.size() - tar_size_of(entries), '\0'));
  return layer_of(std::move(entries), pieces_of(tar));
}

Layer layer_of_tree(std::vector<Entry> entries, const std::string& tar) {
  std::ranges::sort(entries, {}, &Entry::path);
  if (tar_size_of(entries) != tar.size()) {
    fmt::print(stderr, "forge: the tar has {} bytes, and that of its index {}\n", tar.size(), tar_size_of(entries));
    std::abort();
  }
  return layer_of(std::move(entries), pieces_of(tar));
}

bundle::Manifest manifest_with(const Base& base, const std::string& release, const Layer& layer) {
  bundle::Manifest manifest = base.manifest;
  manifest.release = release;
  bundle::LayerRef& ref = manifest.builds.at(platform_of(base)).layer;
  ref.blob = {.sha256 = crypto::sha256_hex(layer.blob), .size = layer.blob.size()};
  ref.index = {.sha256 = crypto::sha256_hex(layer.index), .size = layer.index.size()};
  ref.tar_size = layer.tar_size;
  return manifest;
}

Forged release_with(const Base& base, const std::string& release, const Layer& layer) {
  const bundle::Manifest manifest = manifest_with(base, release, layer);
  const bundle::LayerRef& ref = manifest.builds.at(platform_of(base)).layer;
  return {.app = {}, .environment = {}, .manifest = to_canonical_json(manifest), .blobs = {{ref.blob.sha256, layer.blob}, {ref.index.sha256, layer.index}}};
}

std::string pax_record(std::string_view key, std::string_view value) {
  const std::size_t rest = key.size() + value.size() + 3;
  std::size_t length = rest + 1;
  while (rest + std::to_string(length).size() != length) ++length;
  return fmt::format("{} {}={}\n", length, key, value);
}

std::string text_of(const json::value& json) { return json::canonical(json).value(); }

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  if (at == std::string::npos) {
    fmt::print(stderr, "forge: there is no {} to replace\n", from);
    std::abort();
  }
  return text.replace(at, from.size(), to);
}

Forged honest_release(const Base& base, const std::string& release) {
  std::vector<Entry> entries = honest_entries();
  entries.push_back(bundle::file_entry("bin/testapp", base.program, 0755));
  std::ranges::sort(entries, {}, &Entry::path);
  const HandMadeTar tar = HandMadeTar().add(entries[0]).add(entries[1], "#!/bin/sh\n").add(entries[2], base.program).add(entries[3]).add(entries[4], "hello\n");
  return release_with(base, release, layer_of_tree(entries, tar.end()));
}

}  // namespace berth::forge
