#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/bundle/layer.h"
#include "core/crypto/sha256.h"
#include "core/result.h"

namespace berth::bundle {

/// Cuts a tar into frames, compresses two of them while the next one is filled, and writes them to a file, counting and hashing what goes in and out.
class FrameWriter {
 public:
  /// `file` is borrowed; `name` is for messages. `level` is zstd's, 1 to 19.
  FrameWriter(int file, std::string name, int level);
  ~FrameWriter();

  Result<void> append(std::string_view tar);
  /// What was written, without `ref.index` and `index.entries`. Nothing may be appended after.
  Result<WrittenLayer> finish();

 private:
  struct Slot;  // a frame that is being filled, and its compressor

  void start();
  Result<void> write(Slot& slot);
  void hash_chunks(std::string_view bytes);

  int file_;
  std::string name_;
  std::array<std::unique_ptr<Slot>, 3> slots_;  // in turn
  std::size_t filling_ = 0;  // which of the slots
  WrittenLayer written_;
  crypto::Sha256 tar_hash_, blob_hash_, chunk_hash_;
  std::uint64_t chunk_size_ = 0;  // bytes in `chunk_hash_`
};

}  // namespace berth::bundle
