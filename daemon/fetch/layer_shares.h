#pragma once

#include <cstdint>
#include <vector>

#include "core/bundle/layer.h"

namespace berth::fetch {

/// What one of several workers unpacks of a layer: entries one after the other, and the frames that their tar lies in.
struct LayerShare {
  std::size_t first_frame = 0, end_frame = 0;
  std::uint64_t drop = 0;            ///< bytes of those frames' tar that come before it
  std::uint64_t take = 0;            ///< bytes of tar that are its own; 0: all up to the tar's end

  bool operator==(const LayerShare&) const = default;
};

/// Cuts a layer into at most `most` shares of about the same work. One alone is the whole layer: where there is but one frame, which cannot be entered in its
/// middle, or little in it.
std::vector<LayerShare> shares_of(const bundle::LayerIndex& index, std::size_t most);

}  // namespace berth::fetch
