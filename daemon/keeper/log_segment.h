#pragma once

#include <stddef.h>
#include <stdint.h>

namespace berth::keeper {

/// The newest file of an instance's log, `<first sequence, 16 digits>.log`, appended to, rotated and pruned.
///
/// During a switch the keepers of two releases write the same log. Each append holds the file's lock; a file that was rotated has mode
/// 0440, by which the other keeper sees that it must go on in the newer one.
class LogSegment {
 public:
  /// `directory` must outlive this.
  void set(const char* directory, uint64_t segment_bytes, uint64_t keep_bytes);

  /// Appends whole lines, over as many files as they need. Returns how many of the `size` bytes were written, always up to the end of a
  /// line; fewer than all after an error, which `errno` tells.
  size_t append(const char* lines, size_t size);

 private:
  bool lock();
  bool open_newest();  // EAGAIN: look again
  bool create(uint64_t first);
  bool rotate();
  void prune();
  size_t write_lines(const char* lines, size_t size);
  uint64_t count_lines();
  void close_file();

  const char* directory_ = nullptr;
  uint64_t segment_bytes_ = 10u << 20;
  uint64_t keep_bytes_ = 100u << 20;
  int file_ = -1;
  uint64_t first_ = 0;     ///< sequence of the file's first line
  uint64_t size_ = 0;      ///< of the file
  uint64_t lines_ = 0;     ///< in the file, while `counted_`
  bool counted_ = false;   ///< `lines_` is true of the first `size_` bytes
};

}  // namespace berth::keeper
