#include "daemon/fetch/layer_shares.h"

#include <algorithm>
#include <set>

#include "core/bundle/paths.h"
#include "core/bundle/tar_header.h"

namespace berth::fetch {
namespace {

using bundle::Entry;

constexpr std::uint64_t kWorkOfEntry = 16u << 10;  ///< making a file takes as long as decoding and writing so many bytes

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

/// Folders that come before `begin`, and that entries in [begin, end) lie in.
std::vector<std::string> folders_before(const std::vector<Entry>& entries, std::size_t begin, std::size_t end) {
  std::set<std::string> found;
  std::string_view last;
  for (std::size_t i = begin; i < end; ++i) {
    std::string_view folder = bundle::parent_of(entries[i].path);
    if (folder == last) continue;
    last = folder;
    const auto at = std::ranges::lower_bound(entries, folder, {}, [](const Entry& entry) { return std::string_view(entry.path); });
    if (at - entries.begin() >= static_cast<std::ptrdiff_t>(begin)) continue;
    for (; !folder.empty() && found.emplace(folder).second; folder = bundle::parent_of(folder)) {
    }
  }
  return {found.begin(), found.end()};
}

}  // namespace

std::vector<LayerShare> shares_of(const bundle::LayerIndex& index, std::size_t most) {
  const std::vector<Entry>& entries = index.entries;
  std::vector<LayerShare> shares;
  if (most < 2 || index.frames.size() < 2) return {{.first_frame = 0, .end_frame = index.frames.size(), .drop = 0, .take = 0, .folders = {}}};

  std::uint64_t work = 0;
  for (const Entry& entry : entries) work += bundle::tar_size(entry) + kWorkOfEntry;
  std::uint64_t done = 0, at = 0, begin_at = 0;
  std::size_t begin = 0;
  const auto cut = [&](std::size_t end, std::uint64_t take) {
    const Place first = place_of(index.frames, begin_at);
    const std::size_t end_frame = take == 0 ? index.frames.size() : place_of(index.frames, begin_at + take - 1).frame + 1;
    shares.push_back({.first_frame = first.frame,
                      .end_frame = end_frame,
                      .drop = begin_at - first.begin,
                      .take = take,
                      .folders = folders_before(entries, begin, end)});
    begin = end;
    begin_at = at;
  };
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (i > begin && done * most >= work * (shares.size() + 1)) cut(i, at - begin_at);
    const std::uint64_t size = bundle::tar_size(entries[i]);
    at += size;
    done += size + kWorkOfEntry;
  }
  cut(entries.size(), 0);
  return shares;
}

}  // namespace berth::fetch
