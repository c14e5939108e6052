#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/bundle/manifest.h"
#include "core/result.h"

namespace berth::bundle {

/// What lies at a path of a layer. Directories and files have the modes 0755 and 0644 or 0755, links 0777.
enum class EntryType { directory, file, symlink };

/// One path of a layer, relative, `/`-separated, without `.`, `..`, empty parts, NUL or control characters.
struct Entry {
  std::string path;
  EntryType type = EntryType::file;
  std::uint32_t mode = 0644;
  std::uint64_t size = 0;      ///< files
  std::string sha256;          ///< files: hex
  std::string target;          ///< symlinks

  bool operator==(const Entry&) const = default;
};

/// One independent zstd frame of a layer's blob.
struct Frame {
  std::uint64_t offset = 0;       ///< in the blob
  std::uint64_t size = 0;         ///< compressed bytes
  std::uint64_t tar_size = 0;     ///< uncompressed bytes, at most 16 MiB

  bool operator==(const Frame&) const = default;
};

/// The index of a layer: `format` 1, canonical JSON.
struct LayerIndex {
  std::vector<Frame> frames;               ///< contiguous from 0, and cover the blob
  std::vector<std::string> chunks;         ///< SHA-256 of each MiB of compressed bytes, the last one shorter
  std::vector<Entry> entries;              ///< sorted by path (bytes); each one's parent directory is listed before it

  bool operator==(const LayerIndex&) const = default;
};

inline constexpr std::uint64_t kChunk = 1u << 20;
inline constexpr std::uint64_t kFrame = 16u << 20;

std::string to_canonical_json(const LayerIndex& index);

/// Reads an index and checks every rule above, against the layer it belongs to (sizes add up). `Errc::trust` names path and rule.
Result<LayerIndex> parse_index(std::string_view text, const LayerRef& layer);

/// A layer that was written: what the manifest says of it, and its index.
struct WrittenLayer {
  LayerRef ref;
  LayerIndex index;
};

/// Packs the entries of `root` (whose files are read from there) as a canonical tar into zstd frames at `blob`.
/// The same entries give the same tar on any machine. `level` is zstd's.
Result<WrittenLayer> write_layer(const std::filesystem::path& root, const std::vector<Entry>& entries,
                                 const std::filesystem::path& blob, int level);

/// The same of entries that were listed without hashes (`ListOptions::hashes`): each file is read once. Its size must be what was listed.
Result<WrittenLayer> write_layer_and_hash(const std::filesystem::path& root, std::vector<Entry> entries, const std::filesystem::path& blob, int level);

}  // namespace berth::bundle
