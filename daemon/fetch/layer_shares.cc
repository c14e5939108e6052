#include "daemon/fetch/layer_shares.h"

#include <algorithm>

#include "core/bundle/tar_header.h"

namespace berth::fetch {
namespace {

using bundle::Entry;

// In units of what a byte of tar takes to be written:
constexpr std::uint64_t kWorkOfEntry = 16u << 10;  ///< making a file
constexpr std::uint64_t kWorkOfPacked = 4;         ///< decoding a byte of a frame

/// The frame in which a byte of tar lies, and where that one begins.
struct Place {
  std::size_t frame = 0;
  std::uint64_t begin = 0;
};

Place place_of(const std::vector<bundle::Frame>& frames, std::uint64_t at) {
  Place place;
  while (place.frame + 1 < frames.size() && place.begin + frames[place.frame].tar_size <= at) place.begin += frames[place.frame++].tar_size;
  return place;
}

/// A place in the list of entries, and how much comes before it.
struct Cut {
  std::size_t entry = 0;
  std::uint64_t tar = 0, work = 0;
};

/// Where shares can be cut at little cost, and at last the end: at the first entry behind the beginning of each frame, since who begins in the middle of a frame
/// has to decode it from its beginning.
std::vector<Cut> cuts_of(const bundle::LayerIndex& index) {
  std::vector<Cut> cuts;
  Cut now;
  Place place;
  for (const Entry& entry : index.entries) {
    const std::size_t frame = place.frame;
    while (place.frame + 1 < index.frames.size() && place.begin + index.frames[place.frame].tar_size <= now.tar)
      place.begin += index.frames[place.frame++].tar_size;
    if (place.frame != frame && now.entry > 0) cuts.push_back(now);
    const std::uint64_t size = bundle::tar_size(entry);
    const bundle::Frame& its = index.frames[place.frame];
    now.work += size + kWorkOfEntry + kWorkOfPacked * (size * its.size / std::max<std::uint64_t>(its.tar_size, 1));
    now.tar += size;
    ++now.entry;
  }
  cuts.push_back(now);
  return cuts;
}

}  // namespace

std::vector<LayerShare> shares_of(const bundle::LayerIndex& index, std::size_t most) {
  if (most < 2 || index.frames.size() < 2) return {{.first_frame = 0, .end_frame = index.frames.size(), .drop = 0, .take = 0}};
  const std::vector<Cut> cuts = cuts_of(index);
  const Cut whole = cuts.back();
  std::vector<LayerShare> shares;
  Cut begin;
  for (std::size_t number = 1; begin.entry < whole.entry || shares.empty(); ++number) {
    // The last share is what is left; the others end as near as can be to where they should.
    const std::uint64_t wanted = whole.work / most * number;
    const auto distance = [wanted](const Cut& cut) { return cut.work > wanted ? cut.work - wanted : wanted - cut.work; };
    Cut end = whole;
    for (const Cut& cut : cuts)
      if (number < most && cut.entry > begin.entry && distance(cut) < distance(end)) end = cut;
    const bool last = end.entry == whole.entry;
    const Place first = place_of(index.frames, begin.tar);
    shares.push_back({.first_frame = first.frame,
                      .end_frame = last ? index.frames.size() : place_of(index.frames, end.tar - 1).frame + 1,
                      .drop = begin.tar - first.begin,
                      .take = last ? 0 : end.tar - begin.tar});
    begin = end;
  }
  return shares;
}

}  // namespace berth::fetch
