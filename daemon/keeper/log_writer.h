#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "daemon/keeper/log_segment.h"

namespace berth::keeper {

enum class Stream : uint8_t { out, err };

/// Makes CRI lines of what an app writes, in a fixed amount of memory, and never waits for anything but the disk. What the disk does not
/// take is counted and told in the log once it takes lines again.
class LogWriter {
 public:
  static constexpr size_t kMostPiece = 16u << 10;  ///< a longer line is written in pieces, tag P

  static constexpr size_t kInput = 64u << 10;      ///< of what the app wrote no more is in hand, which is lost with a keeper that is killed
  static constexpr size_t kLeastRoom = kInput - 2 * kMostPiece;
  static constexpr size_t kMostTag = 112;          ///< bytes of `:RELEASE:DEPLOYMENT:PID `, its space included

  LogSegment& segment() { return segment_; }

  /// Whose lines follow: `tag` is the launch's, `pid` that of the app's process. With an empty tag lines have none.
  void set_tag(const char* tag, int64_t pid);
  /// Whether a tag could be set without tearing a line: none is written in part.
  bool between_lines() const { return !pending_[0].continues && !pending_[1].continues; }
  bool tagged() const { return tag_size_ > 1; }
  /// Writes down, in the log's folder, that the run whose lines these are ended though nobody had asked for that: of several that are over it is the one to look at.
  void note_own_end(const char* folder) const;

  /// Where to read to, before `add`, and how much at the most: with what there is of unfinished lines it is kInput. kLeastRoom at least.
  char* input();
  size_t room() const { return kInput - pending_[0].size - pending_[1].size; }
  /// What the app wrote next to `stream`.
  void add(Stream stream, const char* bytes, size_t size);
  /// Nothing more follows on either stream: an unfinished line ends here.
  void finish();
  /// Writes what there is of unfinished lines as pieces, which whoever goes on with `exchange` continues.
  void cut_lines();
  /// Whether something that is missing is still to be told in the log.
  bool owes() const { return untold_ > 0 || hole_.next != 0; }
  /// Tells it; false where the disk does not take it yet.
  bool tell_owed() { return (hole_.next == 0 || tell_hole()) && (untold_ == 0 || tell_gap()); }
  /// Writes that the keeper before was killed, and may have had something in hand.
  void tell_lost_keeper();
  /// Passes what lasts on to another program, or takes it.
  template <class Exchange>
  void exchange(Exchange& with) {
    with.value("log_lines", lines_);
    with.value("log_dropped", dropped_);
    with.value("log_untold", untold_);
    with.value("log_error", error_);
    uint64_t next_number = segment_.next_number();
    with.value("log_next", next_number);
    segment_.go_on_with(next_number);
    with.value("out_continues", pending_[0].continues);
    with.value("err_continues", pending_[1].continues);
    with.text("log_tag", tag_, sizeof tag_);
    tag_size_ = strlen(tag_);
  }

  uint64_t lines() const { return lines_; }      ///< written
  uint64_t dropped() const { return dropped_; }  ///< lost
  /// Gives the buffers' memory back, except for what unfinished lines need.
  void release_memory();

 private:
  struct Pending {
    size_t size = 0;         ///< bytes of an unfinished line
    bool continues = false;  ///< pieces of that line are written already
    char stamp[30] = {};     ///< of its first byte
  };
  void emit(Stream stream, char tag, const char* stamp, const char* text, size_t size);
  void flush();
  bool tell_hole();
  bool tell_gap();
  bool tell(const char* what);

  LogSegment segment_;
  Pending pending_[2];
  size_t out_ = 0;           ///< bytes in the output buffer
  uint64_t lines_ = 0;
  uint64_t dropped_ = 0;
  uint64_t untold_ = 0;      ///< of those, not yet told in the log
  int error_ = 0;            ///< why
  LogHole hole_;             ///< not yet told in the log; `next` is 0 where there is none
  char tag_[kMostTag + 1] = " ";  ///< what stands between F or P and the text
  size_t tag_size_ = 1;
};

}  // namespace berth::keeper
