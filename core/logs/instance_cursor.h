#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/logs/log_filter.h"
#include "core/logs/search_ahead.h"
#include "core/logs/segment_reader.h"

namespace berth::logs {

/// Reads the log of one instance over its segments, also while the keeper writes and rotates it.
class InstanceCursor {
 public:
  /// `ends`: what the app wrote last without a newline is a record too, once the end is reached.
  /// `threads`: how many segments are searched at a time for a text that the filter wants.
  InstanceCursor(InstanceLog log, LogFilter filter, bool ends, std::size_t threads = 1);

  /// Moves to where at least the last `count` records that the filter wants begin, reading from the end of the log; returns how many
  /// wanted ones there are from that place on.
  Result<std::uint64_t> seek_last(std::uint64_t count);

  /// Moves to the segment in which `filter.since` lies.
  Result<void> seek_since();

  /// Wants the lines of the run before the present one alone, see `previous_run`; false, and none is wanted, where there is none.
  Result<bool> seek_previous_run();

  /// The next wanted record. Empty at the present end; ask again when the log has grown.
  Result<std::optional<Record>> next();

  /// Lines that are none, torn by a crash; and segments that could not be read whole.
  std::uint64_t damaged() const { return damaged_; }
  const InstanceLog& log() const { return log_; }

 private:
  /// Wanted records of `segment` from `offset` on.
  Result<std::uint64_t> count_wanted(const Segment& segment, std::uint64_t offset);
  /// Where in a segment its last `count` wanted records begin, and how many are there from then on.
  Result<std::pair<std::uint64_t, std::uint64_t>> find_last(const Segment& segment, std::uint64_t count);
  Result<bool> open_next();
  Result<void> open(std::span<const Segment> segments);
  std::optional<Record> take(std::string_view line, std::uint64_t before);
  std::optional<Record> flush();

  InstanceLog log_;
  LogFilter filter_;
  bool ends_;
  std::optional<LineSearch> search_;    ///< which lines alone need to be looked at
  std::optional<SearchAhead> ahead_;
  std::optional<FoundLines> found_;     ///< of the segment being read, in place of `reader_`
  std::optional<SegmentReader> reader_;
  bool begun_ = false;                  ///< a segment was opened
  std::uint64_t start_segment_ = 0;  ///< the first to read
  std::uint64_t start_offset_ = 0;   ///< where in it
  std::uint64_t current_ = 0;        ///< the first sequence of the segment being read
  bool rotated_ = false;             ///< a newer segment is there, so that this one no longer grows
  bool past_until_ = false;
  LineJoiner joiner_;
  LevelMemory levels_;
  std::uint64_t damaged_ = 0;
};

}  // namespace berth::logs
