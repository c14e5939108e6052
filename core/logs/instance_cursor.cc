#include "core/logs/instance_cursor.h"

#include <algorithm>
#include <ranges>

#include <fmt/core.h>

namespace berth::logs {
namespace {

constexpr std::uint64_t kFirstWindow = 64u << 10;
/// Log lines are in the order of time but for joined ones and steps of the clock; reading goes on this long after `until`.
constexpr std::chrono::minutes kUntilSlack{1};
/// A record that is still not complete after so much text of the log will not be: its keeper was killed.
constexpr std::uint64_t kLongestOpen = 4u << 20;

}  // namespace

InstanceCursor::InstanceCursor(InstanceLog log, LogFilter filter, bool ends, std::size_t threads)
    : log_(std::move(log)), filter_(std::move(filter)), ends_(ends) {
  // A line's level may be that of one before it, which the search would pass over.
  if (filter_.pattern && !filter_.level) search_ = filter_.pattern->line_search();
  if (search_) ahead_.emplace(*search_, threads);
}

Result<InstanceCursor::Tail> InstanceCursor::count_wanted(const Segment& segment, std::uint64_t offset, bool is_newest) {
  BERTH_TRY(auto reader, SegmentReader::open(segment, offset));
  LineJoiner joiner;
  LevelMemory levels;
  Tail place{.offset = offset};
  const auto count = [&](std::optional<Record> record) {
    if (filter_.level) record->level = levels.of(*record);
    if (filter_.wants(*record)) ++place.wanted;
  };
  for (;;) {
    const auto line = search_ && !joiner.open() ? reader.next_line(*search_) : reader.next_line();
    if (!line || !*line) break;  // a damaged segment counts as far as it can be read
    const auto parsed = parse_cri_line(**line);
    if (!parsed) continue;
    for (auto record = joiner.add(*parsed, 0); record; record = joiner.more()) count(std::move(record));
  }
  place.lines = reader.lines();
  if (!is_newest || !ends_) return place;
  while (auto record = joiner.flush()) count(std::move(record));
  return place;
}

Result<InstanceCursor::Tail> InstanceCursor::find_last(const Segment& segment, std::uint64_t count, bool is_newest) {
  BERTH_TRY(const auto opened, SegmentReader::open(segment));
  const std::uint64_t size = opened.size();
  if (!segment.compressed) {
    // Each window is four times the one before, so that at most a third more than the last one is read. Two more than asked for,
    // since the first record of either stream may have begun before the window.
    for (std::uint64_t window = kFirstWindow; window < size; window *= 4) {
      BERTH_TRY(const auto found, count_wanted(segment, size - window, is_newest));
      if (found.wanted >= count + 2) return found;
    }
  }
  return count_wanted(segment, 0, is_newest);
}

Result<std::uint64_t> InstanceCursor::seek_last(std::uint64_t count) {
  BERTH_TRY(auto segments, list_segments(log_.folder));
  std::uint64_t found = 0;
  if (segments.empty()) end_ = 0;
  for (const Segment& segment : segments | std::views::reverse) {
    const auto place = find_last(segment, count - found, !end_);
    if (!place && place.error().code == Errc::not_found) continue;  // rotated away meanwhile
    if (!place) return pass(place.error());
    if (!end_) end_ = segment.first + place->lines;
    start_segment_ = segment.first;
    start_offset_ = place->offset;
    found += place->wanted;
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

void InstanceCursor::start_at(const Place& place) {
  start_ = place;
  start_segment_ = place.segment;
  start_offset_ = place.offset;
}

Place InstanceCursor::resume_place() const {
  if (!partials_.empty()) return partials_.front().place;
  if (!reader_) return start_;
  return {.segment = current_, .offset = reader_->next_offset(), .sequence = current_ + reader_->lines(), .mark = mark_};
}

Result<bool> InstanceCursor::open_next() {
  auto segments = list_segments(log_.folder);
  if (!segments && segments.error().code == Errc::not_found) return false;  // removed while it was read
  if (!segments) return pass(segments.error());
  auto later = std::ranges::find_if(*segments, [&](const Segment& segment) {
    return begun_ ? segment.first > current_ : segment.first >= start_segment_;
  });
  const bool is_missing = later == segments->end() || later->first != start_.segment;
  if (!begun_ && start_.segment > 0 && is_missing && !segments->empty() && segments->front().first < start_.segment) {
    // The oldest ones go first, and the newest one never: the numbers began anew.
    ++replaced_;
    start_at({});
    later = segments->begin();
  }
  if (later == segments->end()) return reopen_if_cut();
  if (ends_ && end_ && later->first >= *end_) {
    past_until_ = true;
    return true;
  }
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

/// Whether it is not the segment that `start_at` meant, by its first line.
Result<bool> InstanceCursor::is_another(const Segment& segment) const {
  if (begun_ || segment.first != start_segment_ || start_.mark == 0) return false;
  const auto mark = mark_of(segment);
  if (!mark && mark.error().code == Errc::not_found) return pass(mark.error());
  return !mark || *mark != start_.mark;
}

/// Opens the first of them; those behind it are newer.
Result<void> InstanceCursor::open(std::span<const Segment> segments) {
  const Segment& segment = segments.front();
  BERTH_TRY(const bool another, is_another(segment));
  const bool here = !begun_ && !another && segment.first == start_segment_;
  const std::uint64_t offset = here ? start_offset_ : 0;
  const std::uint64_t expected = reader_ ? current_ + reader_->lines() : begun_ ? 0 : start_.sequence;
  // The newest one may grow, and what a line in pieces needs is no search's affair.
  if (ahead_ && segments.size() > 1 && offset == 0 && !joiner_.open()) found_ = ahead_->take(segments.first(segments.size() - 1));
  if (found_) {
    reader_.reset();
  } else {
    std::optional<std::uint64_t> lines_before;
    if (here && start_.sequence > segment.first) lines_before = start_.sequence - segment.first;
    BERTH_TRY(auto opened, SegmentReader::open(segment, offset, lines_before));
    reader_.emplace(std::move(opened));
  }
  if (another) ++replaced_;
  else if (expected > 0 && segment.first > expected) gaps_.push_back({expected, segment.first - 1});
  begun_ = true;
  current_ = segment.first;
  mark_ = here ? start_.mark : 0;
  rotated_ = false;
  levels_ = {};
  return {};
}

/// At the end of the newest segment: whether it was cut off meanwhile, and is read from its beginning.
Result<bool> InstanceCursor::reopen_if_cut() {
  if (!reader_ || !reader_->is_cut()) return false;
  auto opened = SegmentReader::open({.path = log_.folder / fmt::format("{:016}.log", current_), .first = current_});
  if (!opened && opened.error().code == Errc::not_found) return false;
  if (!opened) return pass(opened.error());
  ++replaced_;
  reader_.emplace(std::move(*opened));
  mark_ = 0;
  joiner_ = {};
  partials_.clear();
  return true;
}

/// The line that was read last is a piece, behind `before` bytes of text; it may be the first one.
void InstanceCursor::note_partial(std::uint64_t before) {
  if (!reader_) return;
  partials_.push_back({{.segment = current_, .offset = reader_->line_offset(), .sequence = line_, .mark = mark_}, before});
}

void InstanceCursor::forget_complete() {
  const auto since = joiner_.open_since();
  while (!partials_.empty() && (!since || partials_.front().place.sequence < *since)) partials_.pop_front();
}

/// `before`: lines of the segment in front of it.
std::optional<Record> InstanceCursor::take(std::string_view line, std::uint64_t before) {
  line_ = current_ + before;
  if (ends_ && end_ && line_ >= *end_) {
    past_until_ = true;
    return {};
  }
  if (before == 0) mark_ = mark_of_line(line);
  const std::uint64_t text_before = std::exchange(total_, total_ + line.size() + 1);
  const auto parsed = parse_cri_line(line);
  if (!parsed) {
    ++damaged_;
    return {};
  }
  auto record = joiner_.add(*parsed, line_);
  if (parsed->partial || joiner_.has_more()) note_partial(text_before);
  if (joiner_.has_more()) {
    --line_;  // it is still to be given, behind what a run before it left open
    gave_up_ = true;
  }
  forget_complete();
  if (record && is_wanted(*record)) return record;
  return take_more();
}

bool InstanceCursor::is_wanted(Record& record) {
  if (filter_.level) record.level = levels_.of(record);
  if (filter_.until && record.time >= *filter_.until + kUntilSlack) past_until_ = true;
  return filter_.wants(record);
}

std::optional<Record> InstanceCursor::take_more() {
  while (auto record = joiner_.more()) {
    line_ = record->sequence;
    gave_up_ = false;
    forget_complete();
    if (is_wanted(*record)) return record;
  }
  return {};
}

std::optional<Record> InstanceCursor::flush() {
  while (auto record = joiner_.flush()) {
    forget_complete();
    if (is_wanted(*record)) return record;
  }
  return {};
}

Result<std::optional<Record>> InstanceCursor::next() {
  gave_up_ = false;
  if (auto record = take_more()) return record;
  while (!past_until_) {
    if (!partials_.empty() && total_ - partials_.front().total > kLongestOpen) {
      if (auto record = flush()) {
        record->cut = gave_up_ = true;
        return record;
      }
    }
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
  return ends_ ? flush() : std::optional<Record>();
}

}  // namespace berth::logs
