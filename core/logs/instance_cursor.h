#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "core/logs/log_filter.h"
#include "core/logs/search_ahead.h"
#include "core/logs/segment_reader.h"

namespace berth::logs {

/// Where a line of an instance's log begins. What outlives the program that read so far.
struct Place {
  std::uint64_t segment = 0;   ///< the first sequence of the line's segment; 0: where the log begins
  std::uint64_t offset = 0;    ///< bytes of the segment's text before the line
  std::uint64_t sequence = 0;  ///< the line's; 0: not known
  std::uint64_t mark = 0;      ///< `mark_of` the segment; 0: not known

  bool operator==(const Place&) const = default;
};

/// Lines that are not in a log any more, both ends included.
struct Gap {
  std::uint64_t first = 0;
  std::uint64_t last = 0;   ///< 0: not known, since the log is another one now
  bool is_most = false;     ///< no more than these, and how many is not known
  bool is_boot = false;     ///< the machine was started between two segments that follow each other: what a power cut took, if anything, which the keeper says behind it
  bool is_torn = false;     ///< they are there, and are no lines that a keeper wrote

  bool operator==(const Gap&) const = default;
};

/// Reads the log of one instance over its segments, also while the keeper writes and rotates it.
class InstanceCursor {
 public:
  /// `ends`: what the app wrote last without a newline is a record too, once the end is reached.
  /// `threads`: how many segments are searched at a time for a text that the filter wants.
  InstanceCursor(InstanceLog log, LogFilter filter, bool ends, std::size_t threads = 1);

  /// Moves to where at least the last `count` records that the filter wants begin, reading from the end of the log; returns how many
  /// wanted ones there are from that place on. Without `follow` nothing is read that was written later: so many are there to be read.
  Result<std::uint64_t> seek_last(std::uint64_t count);

  /// Moves to the segment in which `filter.since` lies.
  Result<void> seek_since();

  /// Wants the lines of the last run that is over alone, see `previous_run`; false, and none is wanted, where there is none.
  Result<bool> seek_previous_run(const Lives& lives);

  /// Moves to `place`, which `resume_place` of an earlier cursor gave. Where its segment is gone, reading goes on with the next one, and that is a gap;
  /// where there is another one in its stead, it is read from its beginning, and where the whole log is another one, that. `given`: the time of the last record that was given before, by which what is left of a segment
  /// that was cut off is told from what was written behind it; without it all of that is given again.
  void start_at(const Place& place, Time given = {});

  /// How much of a segment is read at once from the next one that is opened on.
  void set_block(std::size_t bytes) { block_ = bytes; }

  /// Where reading is to begin to give again all that was not given yet: the first line of the oldest record that is not complete, or the next line.
  Place resume_place() const;
  /// The first sequence of the segment that is being read; 0 before the first.
  std::uint64_t segment() const { return current_; }
  /// The sequence of the line that was read last; 0 before the first. Each line completes one record at most.
  std::uint64_t line() const { return line_; }
  /// Whether the record that was given last is one that no line completed, after so much of the log that none will.
  bool gave_up() const { return gave_up_; }
  /// Lines that were removed before they could be read, or could not be, since it was last asked.
  std::vector<Gap> take_gaps() { return std::exchange(gaps_, {}); }
  /// How often the log, or a segment, turned out to be another one than what was read so far, whose numbers began anew. What was not read of it is a gap without an end.
  std::uint64_t replaced() const { return replaced_; }

  /// The next wanted record. Empty at the present end; ask again when the log has grown.
  Result<std::optional<Record>> next();

  /// Lines that are none, torn by a crash; and segments that could not be read whole.
  std::uint64_t damaged() const { return damaged_; }
  const InstanceLog& log() const { return log_; }

 private:
  /// A place in a segment, and what is there from it on.
  struct Tail {
    std::uint64_t offset = 0;  ///< bytes
    std::uint64_t wanted = 0;  ///< records that the filter wants
    std::uint64_t lines = 0;   ///< of the whole segment
  };
  /// What is wanted of `segment` from `offset` on. `is_newest`: what is unfinished there at its end is a record too.
  Result<Tail> count_wanted(const Segment& segment, std::uint64_t offset, bool is_newest);
  /// Where in a segment its last `count` wanted records begin.
  Result<Tail> find_last(const Segment& segment, std::uint64_t count, bool is_newest);
  Result<bool> open_next();
  Result<bool> has_begun_anew(const std::vector<Segment>& segments, std::uint64_t at) const;
  Result<bool> reaches_beyond(const Segment& segment, std::uint64_t sequence) const;
  void note_another(std::uint64_t owed);
  void restart_at(const Place& place, Time given);
  void note_gap(const Segment& behind, std::uint64_t expected, bool follows);
  Result<void> open(std::span<const Segment> segments, bool follows);
  enum class Found { same, emptied, another };
  Result<Found> compare(const Segment& segment) const;
  bool is_left(std::string_view line) const;
  Result<bool> reopen_if_changed(std::span<const Segment> segments);
  void note_torn();
  void note_partial(std::uint64_t before);
  void forget_complete();
  std::optional<Record> take(std::string_view line, std::uint64_t before);
  bool is_wanted(Record& record);
  std::optional<Record> take_more();
  std::optional<Record> flush();

  InstanceLog log_;
  LogFilter filter_;
  bool ends_;
  std::size_t block_ = SegmentReader::kBlock;
  std::optional<LineSearch> search_;    ///< which lines alone need to be looked at
  std::optional<SearchAhead> ahead_;
  std::optional<FoundLines> found_;     ///< of the segment being read, in place of `reader_`
  std::optional<SegmentReader> reader_;
  bool begun_ = false;                  ///< a segment was opened
  std::uint64_t start_segment_ = 0;  ///< the first to read
  std::uint64_t start_offset_ = 0;   ///< where in it, in bytes
  std::optional<std::uint64_t> end_; ///< the first sequence that was not there yet when the last records were looked for
  std::uint64_t current_ = 0;        ///< the first sequence of the segment being read
  bool rotated_ = false;             ///< a newer segment is there, so that this one no longer grows
  bool past_until_ = false;          ///< or past `end_`
  Place start_{};                    ///< where `start_at` said
  std::uint64_t mark_ = 0;           ///< of this segment
  std::uint64_t line_ = 0;
  std::uint64_t total_ = 0;          ///< bytes of text read
  struct Partial {
    Place place;
    std::uint64_t total;  ///< bytes of text read before it
  };
  std::optional<Place> cut_;      ///< where reading was when it turned out that the segment is cut off; until it is known how its log goes on
  Time given_{};                  ///< of the lines that were read; what is later in a segment that was cut off was written since
  std::deque<Partial> partials_;  ///< lines that may be the first of a record that is not complete, oldest first
  std::vector<Gap> gaps_;
  std::uint64_t replaced_ = 0;
  bool gave_up_ = false;
  LineJoiner joiner_;
  LevelMemory levels_;
  std::uint64_t damaged_ = 0;
};

}  // namespace berth::logs
