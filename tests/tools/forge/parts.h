#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/bundle/hand_made_tar.h"
#include "core/json/json.h"
#include "tests/tools/forge/kinds.h"

// What the kinds are made from.

namespace berth::forge {

/// bin/, bin/run, latest → bin/run, note.
const std::vector<bundle::Entry>& honest_entries();
bundle::HandMadeTar honest_tar();

/// A frame of a blob, and how much tar the index says is in it.
struct Piece {
  std::string bytes;
  std::uint64_t tar_size = 0;
};

struct FrameOptions {
  int window_log = 20;
  std::string dictionary;
  bool checksum = true;
};
/// One zstd frame, which does not tell its content's size.
std::string zstd_frame(std::string_view content, const FrameOptions& options = {});
/// One of `size` zeros, made in little memory.
std::string frame_of_zeros(std::uint64_t size);

/// A layer and its index.
struct Layer {
  std::string blob, index;
  std::uint64_t tar_size = 0;
};
/// The layer whose index says `entries`, whatever its frames hold.
Layer layer_of(std::vector<bundle::Entry> entries, const std::vector<Piece>& frames);
/// One whose tar an unpacker refuses half-way: its index says the honest entries and a filler, so that the sizes agree.
Layer layer_of_tar(std::string tar);
/// One whose tar is well-formed, and must be as long as that of `entries`.
Layer layer_of_tree(std::vector<bundle::Entry> entries, const std::string& tar);

/// The release with this layer as its build, and everything else right.
bundle::Manifest manifest_with(const Base& base, const std::string& release, const Layer& layer);
Forged release_with(const Base& base, const std::string& release, const Layer& layer);

/// A pax record, with the length that it really has in front.
std::string pax_record(std::string_view key, std::string_view value);

/// Canonical JSON.
std::string text_of(const json::value& json);

/// `text` with the first `from` in it replaced; ends the program where there is none.
std::string replaced(std::string text, std::string_view from, std::string_view to);

}  // namespace berth::forge
