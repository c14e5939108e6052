#include "core/logs/search_ahead.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "core/logs/cri_line.h"
#include "core/logs/segment_reader.h"

namespace berth::logs {
namespace {

constexpr std::size_t kMostFound = 4u << 20;  ///< bytes of one segment's lines

/// Empty where a reader has to look itself.
std::optional<FoundLines> search_segment(const Segment& segment, const LineSearch& search, const std::atomic<bool>& stop) {
  auto reader = SegmentReader::open(segment);
  if (!reader) return {};
  FoundLines found;
  LineJoiner joiner;  // while a line is in pieces, all lines are wanted
  while (!stop) {
    const auto line = joiner.open() ? reader->next_line() : reader->next_line(search);
    if (!line) return {};
    if (!*line) return found;
    found.add(reader->lines() - 1, **line);
    if (found.bytes() > kMostFound) return {};
    if (const auto parsed = parse_cri_line(**line); parsed && (parsed->partial || joiner.open())) {
      for (auto record = joiner.add(*parsed, 0); record; record = joiner.more()) {
      }
    }
  }
  return {};
}

}  // namespace

void FoundLines::add(std::uint64_t before, std::string_view text) {
  places_.push_back({before, bytes_.size(), text.size()});
  bytes_.append(text);
}

std::optional<FoundLines::Line> FoundLines::next() {
  if (next_ == places_.size()) return {};
  const Place& place = places_[next_++];
  return Line{place.before, std::string_view(bytes_).substr(place.begin, place.size)};
}

SearchAhead::~SearchAhead() {
  if (stop_) *stop_ = true;  // what is begun ends at its next line; the futures wait for that
}

std::optional<FoundLines> SearchAhead::take(std::span<const Segment> segments) {
  if (!of_use_ || segments.empty()) return {};
  begun_.erase(begun_.begin(), begun_.lower_bound(segments.front().first));
  for (const Segment& segment : segments.first(std::min(segments.size(), threads_ + 1))) {
    if (begun_.contains(segment.first)) continue;
    try {
      const auto work = [segment, search = search_, stop = stop_] { return search_segment(segment, search, *stop); };
      begun_.emplace(segment.first, std::async(std::launch::async, work));
    } catch (const std::system_error&) {  // no thread is to be had
      break;
    }
  }
  const auto mine = begun_.find(segments.front().first);
  if (mine == begun_.end()) return {};
  Found found = mine->second.get();
  begun_.erase(mine);
  of_use_ = found.has_value();
  return found;
}

}  // namespace berth::logs
