#include "core/logs/instance_cursor.h"

#include <algorithm>
#include <ranges>

namespace berth::logs {
namespace {

constexpr std::uint64_t kFirstWindow = 64u << 10;
/// Log lines are in the order of time but for joined ones and steps of the clock; reading goes on this long after `until`.
constexpr std::chrono::minutes kUntilSlack{1};

}  // namespace

InstanceCursor::InstanceCursor(InstanceLog log, LogFilter filter, bool ends, std::size_t threads)
    : log_(std::move(log)), filter_(std::move(filter)), ends_(ends) {
  // A line's level may be that of one before it, which the search would pass over.
  if (filter_.pattern && !filter_.level) search_ = filter_.pattern->line_search();
  if (search_) ahead_.emplace(*search_, threads);
}

Result<std::uint64_t> InstanceCursor::count_wanted(const Segment& segment, std::uint64_t offset) {
  BERTH_TRY(auto reader, SegmentReader::open(segment, offset));
  LineJoiner joiner;
  LevelMemory levels;
  std::uint64_t count = 0;
  for (;;) {
    const auto line = search_ && !joiner.open() ? reader.next_line(*search_) : reader.next_line();
    if (!line || !*line) break;  // a damaged segment counts as far as it can be read
    const auto parsed = parse_cri_line(**line);
    if (!parsed) continue;
    auto record = joiner.add(*parsed, 0);
    if (record && filter_.level) record->level = levels.of(*record);
    if (record && filter_.wants(*record)) ++count;
  }
  return count;
}

Result<std::pair<std::uint64_t, std::uint64_t>> InstanceCursor::find_last(const Segment& segment, std::uint64_t count) {
  BERTH_TRY(const auto opened, SegmentReader::open(segment));
  const std::uint64_t size = opened.size();
  if (!segment.compressed) {
    // Each window is four times the one before, so that at most a third more than the last one is read. Two more than asked for,
    // since the first record of either stream may have begun before the window.
    for (std::uint64_t window = kFirstWindow; window < size; window *= 4) {
      BERTH_TRY(const auto found, count_wanted(segment, size - window));
      if (found >= count + 2) return std::pair(size - window, found);
    }
  }
  BERTH_TRY(const auto found, count_wanted(segment, 0));
  return std::pair(std::uint64_t(0), found);
}

Result<std::uint64_t> InstanceCursor::seek_last(std::uint64_t count) {
  BERTH_TRY(auto segments, list_segments(log_.folder));
  std::uint64_t found = 0;
  for (const Segment& segment : segments | std::views::reverse) {
    const auto place = find_last(segment, count - found);
    if (!place && place.error().code == Errc::not_found) continue;  // rotated away meanwhile
    if (!place) return pass(place.error());
    start_segment_ = segment.first;
    start_offset_ = place->first;
    found += place->second;
    if (found >= count) break;
  }
  return found;
}

Result<void> InstanceCursor::seek_since() {
  if (!filter_.since) return {};
  BERTH_TRY(auto segments, list_segments(log_.folder));
  for (const Segment& segment : segments | std::views::reverse) {
    auto reader = SegmentReader::open(segment);
    if (!reader) continue;
    const auto line = reader->next_line();
    if (!line || !*line) continue;
    const auto parsed = parse_cri_line(**line);
    if (!parsed || parsed->time > *filter_.since) continue;
    start_segment_ = segment.first;
    return {};
  }
  return {};
}

Result<bool> InstanceCursor::seek_previous_run() {
  BERTH_TRY(const auto previous, previous_run(log_));
  if (!previous) {
    past_until_ = true;
    return false;
  }
  filter_.run = previous->run;
  start_segment_ = previous->first_segment;
  return true;
}

Result<bool> InstanceCursor::open_next() {
  auto segments = list_segments(log_.folder);
  if (!segments && segments.error().code == Errc::not_found) return false;  // removed while it was read
  if (!segments) return pass(segments.error());
  const auto later = std::ranges::find_if(*segments, [&](const Segment& segment) {
    return begun_ ? segment.first > current_ : segment.first >= start_segment_;
  });
  if (later == segments->end()) return false;
  if (reader_ && !rotated_) {
    // What was written between the last read and the rotation is still to be read.
    rotated_ = true;
    return true;
  }
  const auto opened = open(std::span<const Segment>(later, segments->end()));
  if (!opened && opened.error().code == Errc::not_found) return false;
  if (!opened) return pass(opened.error());
  return true;
}

/// Opens the first of them; those behind it are newer.
Result<void> InstanceCursor::open(std::span<const Segment> segments) {
  const Segment& segment = segments.front();
  const std::uint64_t offset = !begun_ && segment.first == start_segment_ ? start_offset_ : 0;
  // The newest one may grow, and what a line in pieces needs is no search's affair.
  if (ahead_ && segments.size() > 1 && offset == 0 && !joiner_.open()) found_ = ahead_->take(segments.first(segments.size() - 1));
  if (found_) {
    reader_.reset();
  } else {
    BERTH_TRY(auto opened, SegmentReader::open(segment, offset));
    reader_.emplace(std::move(opened));
  }
  begun_ = true;
  current_ = segment.first;
  rotated_ = false;
  levels_ = {};
  return {};
}

/// `before`: lines of the segment in front of it.
std::optional<Record> InstanceCursor::take(std::string_view line, std::uint64_t before) {
  const auto parsed = parse_cri_line(line);
  if (!parsed) {
    ++damaged_;
    return {};
  }
  auto record = joiner_.add(*parsed, current_ + before);
  if (!record) return {};
  if (filter_.level) record->level = levels_.of(*record);
  if (filter_.until && record->time >= *filter_.until + kUntilSlack) past_until_ = true;
  if (!filter_.wants(*record)) return {};
  return record;
}

std::optional<Record> InstanceCursor::flush() {
  while (auto record = joiner_.flush()) {
    if (filter_.level) record->level = levels_.of(*record);
    if (filter_.wants(*record)) return record;
  }
  return {};
}

Result<std::optional<Record>> InstanceCursor::next() {
  while (!past_until_) {
    if (found_) {
      if (const auto line = found_->next()) {
        if (auto record = take(line->text, line->before)) return record;
        continue;
      }
      found_.reset();
    } else if (reader_) {
      auto line = search_ && !joiner_.open() ? reader_->next_line(*search_) : reader_->next_line();
      if (!line) {
        // The rest of a damaged segment is lost; the log goes on with the next one.
        ++damaged_;
        rotated_ = true;
      } else if (*line) {
        if (auto record = take(**line, reader_->lines() - 1)) return record;
        continue;
      }
    }
    BERTH_TRY(const bool more, open_next());
    if (!more) return ends_ ? flush() : std::optional<Record>();
  }
  return std::optional<Record>();
}

}  // namespace berth::logs
