#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/bundle/losses.h"
#include "core/files/fd.h"
#include "core/image/layer_tree.h"
#include "core/result.h"

namespace berth::image {

/// What the layers of an image may hold at most, all together.
struct Limits {
  std::uint64_t bytes = 16ull << 30;  ///< uncompressed
  std::uint64_t entries = kMostNodes;
};

/// A layer's file, and what the image says of it.
struct Layer {
  std::filesystem::path file;
  std::string name;       ///< for messages
  std::string sha256;     ///< of the file; empty where the image does not say
  std::uint64_t size = 0; ///< with `sha256`; 0 where the image does not say
  std::string diff_id;    ///< SHA-256 of its tar
};

/// Puts layers on one another in a tree, and the content of their files into a folder, each a file named after its number.
class LayerReader {
 public:
  LayerReader(LayerTree& tree, Fd contents, const Limits& limits) : tree_(tree), contents_(std::move(contents)), limits_(limits) {}

  /// Reads one layer, a tar that may be compressed by gzip, zstd, bzip2 or xz. `Errc::trust` where its bytes are not those that the image names, compressed or
  /// not; else `Errc::usage`, by name, for what cannot be read, and what is over the limits.
  Result<void> read(const Layer& layer);

  /// A file of that content.
  Result<std::uint64_t> add_content(std::string_view content);

  const bundle::Losses& losses() const { return losses_; }

 private:
  friend class Unpacked;

  LayerTree& tree_;
  Fd contents_;
  Limits limits_;
  bundle::Losses losses_;
  std::uint64_t bytes_ = 0, entries_ = 0, next_ = 0;
};

}  // namespace berth::image
