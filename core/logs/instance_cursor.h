#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/logs/log_filter.h"
#include "core/logs/segment_reader.h"

namespace berth::logs {

/// Reads the log of one instance over its segments, also while the keeper writes and rotates it.
class InstanceCursor {
 public:
  /// `ends`: what the app wrote last without a newline is a record too, once the end is reached.
  InstanceCursor(InstanceLog log, LogFilter filter, bool ends);

  /// Moves to where at least the last `count` records that the filter wants begin, reading from the end of the log; returns how many
  /// wanted ones there are from that place on.
  Result<std::uint64_t> seek_last(std::uint64_t count);

  /// Moves to the segment in which `filter.since` lies.
  Result<void> seek_since();

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
  std::optional<Record> take(std::string_view line);
  std::optional<Record> flush();

  InstanceLog log_;
  LogFilter filter_;
  bool ends_;
  std::optional<SegmentReader> reader_;
  std::uint64_t start_segment_ = 0;  ///< the first to read
  std::uint64_t start_offset_ = 0;   ///< where in it
  std::uint64_t current_ = 0;        ///< the first sequence of the segment being read
  bool rotated_ = false;             ///< a newer segment is there, so that this one no longer grows
  bool past_until_ = false;
  LineJoiner joiner_;
  std::uint64_t damaged_ = 0;
};

}  // namespace berth::logs
