#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/result.h"

namespace berth::patch {

/// How much a publisher does to make patches small.
enum class Effort {
  fast,  ///< in little more time than a build takes
  best,  ///< as small as they get; minutes for a large build
};

/// One zstd frame of `content`, which may refer to all of `prefix`, with its size and a checksum. The same bytes for the same input and zstd.
Result<std::string> encode_frame(std::string_view content, std::string_view prefix, Effort effort);

/// Decodes a frame that `encode_frame` made with the same prefix into `content`, which has just the size that comes out, without other memory than a
/// context's. `Errc::trust` where it is anything else: of another size or prefix, damaged, with a dictionary, cut off, longer than one frame.
Result<void> decode_frame(std::string_view frame, std::string_view prefix, std::span<char> content);

}  // namespace berth::patch
