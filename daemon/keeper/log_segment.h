#pragma once

#include <stddef.h>
#include <stdint.h>

#include "daemon/keeper/log_boot.h"

namespace berth::keeper {

/// Where it is not known how far the numbers of a log had gone, it goes on with a multiple of this that is safely higher. Readers know by it that the lines in front
/// are of an unknown number (`logs::kUnknownStep`).
constexpr uint64_t kUnknownStep = 10'000'000;

/// The first number of a log in a run of the machine is a multiple of this, where the log is older than that: a power cut takes lines whose numbers were given
/// and known elsewhere, and never as many as half of it. Readers know by it that no line need be missing in front (`logs::kBootStep`).
constexpr uint64_t kBootStep = 1'000'000'000;

struct Listing;

/// Lines in front of the next one that somebody removed, or cut off.
struct LogHole {
  uint64_t next = 0;     ///< the number that the next line has
  bool unknown = false;  ///< nobody knows how many there were: `next` is higher than all that there may have been
  bool boot = false;     ///< nor whether there were any: what is in front was written before the machine was started
};

/// The newest file of an instance's log, `<first sequence, 16 digits>.log`, appended to, rotated and pruned.
///
/// During a switch the keepers of two releases write the same log. Each append holds the file's lock; a file that was rotated has mode
/// 0440, by which the other keeper sees that it must go on in the newer one.
///
/// With an age, a line whose file begins with one that is older goes into a new file. Nothing happens before there is one: an app that says nothing wakes nobody.
///
/// A number is given once, also where somebody removes files or cuts them off: then it goes on in a new file, behind all numbers that were given. So it does
/// after a start of the machine, since nothing is synced and a power cut may have cut off any file; see `written_in`.
class LogSegment {
 public:
  /// `directory` must outlive this.
  void set(const char* directory, uint64_t segment_bytes, uint64_t keep_bytes, int64_t segment_age_ms = 0);

  /// Appends whole lines, over as many files as they need. Returns how many of the `size` bytes were written, always up to the end of a
  /// line; fewer than all after an error, which `errno` tells, and where `take_hole` has something to tell first.
  size_t append(const char* lines, size_t size);

  /// Whether lines are missing before the next one, which nobody has been told. Appending goes on then.
  bool take_hole(LogHole* hole);

  /// The least number that the next line may have; for the program that goes on with this log.
  uint64_t next_number() const { return file_ >= 0 && first_ + lines_ > floor_ ? first_ + lines_ : floor_; }
  void go_on_with(uint64_t next_number) {
    floor_ = next_number;
    knows_numbers_ = next_number > 0;
  }

 private:
  bool lock();
  bool open_newest();  // EAGAIN: look again
  bool open_newest_of(const Listing& all, WrittenIn written);
  void end_torn_line();
  bool create(uint64_t first, bool hole);
  bool rotate();
  bool is_old();
  bool go_on_from(uint64_t next);
  void learn_size(uint64_t size, bool is_current);
  void keep_floor();
  void prune();
  size_t write_lines(const char* lines, size_t size);
  void count_to(uint64_t size);
  void close_file();
  uint64_t beyond(uint64_t first) const;

  const char* directory_ = nullptr;
  uint64_t segment_bytes_ = 10u << 20;
  uint64_t keep_bytes_ = 100u << 20;
  int64_t segment_age_ms_ = 0;  ///< 0: whatever its age
  int file_ = -1;
  uint64_t first_ = 0;     ///< sequence of the file's first line
  uint64_t size_ = 0;      ///< of the file
  uint64_t lines_ = 0;     ///< in those bytes
  int64_t begun_ = 0;      ///< wall seconds, when the file's first line was written; 0: not looked at yet; -1: it does not say
  uint64_t floor_ = 0;     ///< no further line has a lower number; what was given in files before
  bool shared_ = false;    ///< another keeper writes to this file, too
  bool knows_numbers_ = false;  ///< another program told it how far they had gone
  bool is_of_boot_ = false;     ///< the log is noted as one of this run of the machine
  bool has_hole_ = false;
  LogHole hole_;
};

}  // namespace berth::keeper
