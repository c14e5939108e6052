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
    BERTH_CHECK(filter_.go_on());
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

Result<bool> InstanceCursor::seek_previous_run(const Lives& lives) {
  BERTH_TRY(const auto previous, previous_run(log_, lives, filter_.release));
  if (!previous) {
    past_until_ = true;
    return false;
  }
  filter_.run = previous->run;
  start_segment_ = previous->first_segment;
  return true;
}

void InstanceCursor::start_at(const Place& place, Time given) {
  start_ = place;
  given_ = given;
  start_segment_ = place.segment;
  start_offset_ = place.offset;
}

Place InstanceCursor::resume_place() const {
  if (cut_) return *cut_;
  if (!partials_.empty()) return partials_.front().place;
  if (!reader_) return start_;
  return {.segment = current_, .offset = reader_->next_offset(), .sequence = current_ + reader_->lines(), .mark = mark_};
}

Result<bool> InstanceCursor::open_next() {
  auto segments = list_segments(log_.folder);
  if (!segments && segments.error().code == Errc::not_found) return false;  // removed while it was read
  if (!segments) return pass(segments.error());
  const std::uint64_t at = begun_ ? current_ : start_.segment;
  BERTH_TRY(const bool anew, has_begun_anew(*segments, at));
  if (anew) {
    note_another(resume_place().sequence);
    restart_at({.sequence = 1}, {});
  }
  const auto later = std::ranges::find_if(*segments, [&](const Segment& segment) {
    return begun_ ? segment.first > current_ : segment.first >= start_segment_;
  });
  if (later == segments->end()) return reopen_if_changed(*segments);
  if (ends_ && end_ && later->first >= *end_) {
    past_until_ = true;
    return true;
  }
  if (reader_ && !rotated_) {
    // What was written between the last read and the rotation is still to be read.
    rotated_ = true;
    return true;
  }
  const bool follows = begun_ && later != segments->begin() && std::prev(later)->first == current_;
  const auto opened = open(std::span<const Segment>(later, segments->end()), follows);
  if (!opened && opened.error().code == Errc::not_found) return false;
  if (!opened) return pass(opened.error());
  return true;
}

/// Whether what is there was not written behind the segment `at`, which is there no more.
Result<bool> InstanceCursor::has_begun_anew(const std::vector<Segment>& segments, std::uint64_t at) const {
  const auto behind = std::ranges::lower_bound(segments, at, {}, &Segment::first);
  if (at == 0 || behind == segments.begin() || (behind != segments.end() && behind->first == at)) return false;
  // A keeper goes on behind the highest number, also where files were removed; until it writes there is none that is written.
  if (behind == segments.end()) return is_written(*std::prev(behind));
  return begun_ ? false : reaches_beyond(*std::prev(behind), at);
}

/// Whether it has the line `sequence`, and more. So does none before the segment of that name.
Result<bool> InstanceCursor::reaches_beyond(const Segment& segment, std::uint64_t sequence) const {
  auto reader = SegmentReader::open(segment);
  if (!reader && reader.error().code == Errc::not_found) return false;
  if (!reader) return pass(std::move(reader.error()));
  while (segment.first + reader->lines() <= sequence) {
    const auto line = reader->next_line();
    if (!line || !*line) return false;
  }
  return true;
}

/// Another log, or segment, is in the place of the one whose line `owed` was to come next.
void InstanceCursor::note_another(std::uint64_t owed) {
  ++replaced_;
  if (owed > 0) gaps_.push_back({.first = owed, .last = 0, .is_most = true});
  cut_.reset();
}

/// Lets go of what it reads, and of what is not complete.
void InstanceCursor::restart_at(const Place& place, Time given) {
  reader_.reset();
  found_.reset();
  cut_.reset();
  joiner_ = {};
  partials_.clear();
  begun_ = rotated_ = false;
  current_ = mark_ = 0;
  start_at(place, given);
}

/// Compares it with the one that `start_at` meant, by its first line.
Result<InstanceCursor::Found> InstanceCursor::compare(const Segment& segment) const {
  if (begun_ || segment.first != start_segment_ || start_.mark == 0) return Found::same;
  const auto mark = mark_of(segment);
  if (!mark && mark.error().code != Errc::protocol) return pass(mark.error());
  if (mark && *mark == start_.mark) return Found::same;
  return mark && *mark == 0 ? Found::emptied : Found::another;
}

/// The lines from `expected` to the segment's first one are missing. `follows`: no other one was between it and the one that was read to its end.
void InstanceCursor::note_gap(const Segment& behind, std::uint64_t expected, bool follows) {
  if (cut_ && behind.first < cut_->sequence) note_another(cut_->sequence);  // its keeper did not know what was written
  else if (cut_) expected = std::max(expected, cut_->sequence);
  cut_.reset();
  if (expected == 0 || behind.first <= expected) return;
  gaps_.push_back({.first = expected, .last = behind.first - 1, .is_most = behind.first % kUnknownStep == 0, .is_boot = follows && behind.first % kBootStep == 0});
}

/// Opens the first of them; those behind it are newer. `follows`: as in `note_gap`.
Result<void> InstanceCursor::open(std::span<const Segment> segments, bool follows) {
  const Segment& segment = segments.front();
  BERTH_TRY(const Found found, compare(segment));
  const bool here = !begun_ && found == Found::same && segment.first == start_segment_;
  const std::uint64_t offset = here ? start_offset_ : 0;
  const std::uint64_t expected = reader_ ? current_ + reader_->lines() : begun_ ? 0 : start_.sequence;
  // The newest one may grow, and what a line in pieces needs is no search's affair.
  if (ahead_ && segments.size() > 1 && offset == 0 && !joiner_.open()) found_ = ahead_->take(segments.first(segments.size() - 1));
  if (found_) {
    reader_.reset();
  } else {
    std::optional<std::uint64_t> lines_before;
    if (here && start_.sequence > segment.first) lines_before = start_.sequence - segment.first;
    BERTH_TRY(auto opened, SegmentReader::open(segment, offset, lines_before, block_));
    reader_.emplace(std::move(opened));
  }
  if (found == Found::emptied) {
    cut_ = start_;
  } else if (found == Found::another) {
    note_another(start_.sequence);
  } else {
    note_gap(segment, expected, follows);
  }
  begun_ = true;
  current_ = segment.first;
  mark_ = here ? start_.mark : 0;
  rotated_ = false;
  levels_ = {};
  return {};
}

/// Whether it is a line of a segment that was cut off that was there before.
bool InstanceCursor::is_left(std::string_view line) const {
  if (!cut_) return false;
  const auto parsed = parse_cri_line(line);
  return !parsed || parsed->time <= given_;
}

/// At the end of the newest segment: whether it was cut off, or another one is in its place.
Result<bool> InstanceCursor::reopen_if_changed(std::span<const Segment> segments) {
  if (!reader_ || segments.empty() || segments.back().first != current_) return false;
  const Segment& segment = segments.back();
  if (!segment.compressed && reader_->is_removed()) {
    restart_at(resume_place(), given_);
    return true;
  }
  if (!reader_->is_cut()) return false;
  auto opened = SegmentReader::open(segment, 0, {}, block_);
  const auto mark = mark_of(segment);
  if (!opened && opened.error().code == Errc::not_found) return false;
  if (!opened) return pass(opened.error());
  if (!mark) return pass(mark.error());
  if (*mark != 0 && *mark != mark_) {
    restart_at(resume_place(), given_);
    return true;
  }
  // Its keeper goes on in another file, by whose number it is known how many lines are missing.
  cut_ = resume_place();
  reader_.emplace(std::move(*opened));
  joiner_ = {};
  partials_.clear();
  return true;
}

/// The line that was read last is none.
void InstanceCursor::note_torn() {
  ++damaged_;
  const bool goes_on = !gaps_.empty() && gaps_.back().is_torn && gaps_.back().last + 1 == line_;
  if (goes_on) gaps_.back().last = line_;
  else gaps_.push_back({.first = line_, .last = line_, .is_torn = true});
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
  if (cut_) note_another(cut_->sequence);
  if (before == 0) mark_ = mark_of_line(line);
  const std::uint64_t text_before = std::exchange(total_, total_ + line.size() + 1);
  const auto parsed = parse_cri_line(line);
  if (!parsed) {
    note_torn();
    return {};
  }
  given_ = std::max(given_, parsed->time);
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
  std::optional<Error> trouble;
  while (!past_until_) {
    BERTH_CHECK(filter_.go_on());
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
        if (line.error().code != Errc::protocol) trouble = std::move(line.error());
        ++damaged_;
        rotated_ = true;
      } else if (*line) {
        if (is_left(**line)) continue;
        if (auto record = take(**line, reader_->lines() - 1)) return record;
        continue;
      }
    }
    BERTH_TRY(const bool more, open_next());
    if (!more && trouble) {  // it may be read yet
      rotated_ = false;
      return pass(std::move(*trouble));
    }
    if (!more) return ends_ ? flush() : std::optional<Record>();
    trouble.reset();
  }
  return ends_ ? flush() : std::optional<Record>();
}

}  // namespace berth::logs
