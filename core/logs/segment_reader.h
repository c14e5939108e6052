#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/files/fd.h"
#include "core/logs/log_layout.h"
#include "core/result.h"

namespace berth::logs {

/// Reads one segment line by line, in bounded memory. A plain segment may grow meanwhile.
class SegmentReader {
 public:
  /// The longest line that is read; the rest of a longer one is left out.
  static constexpr std::size_t kMostLine = 256u << 10;

  /// Opens it at `offset`, a byte of a plain segment; in the middle of a line, reading begins with the next one. A segment that was
  /// compressed since it was listed is found under its new name, and then read from its beginning.
  static Result<SegmentReader> open(const Segment& segment, std::uint64_t offset = 0);
  ~SegmentReader();
  SegmentReader(SegmentReader&&) noexcept;
  SegmentReader& operator=(SegmentReader&&) noexcept;

  /// The next whole line without its newline, valid until the next call. Empty at the present end.
  /// `Errc::protocol` when a compressed segment is damaged.
  Result<std::optional<std::string_view>> next_line();

  /// How many lines came before the next one, counted from where it was opened.
  std::uint64_t lines() const { return lines_; }
  std::uint64_t size() const;  ///< bytes of the file now

 private:
  SegmentReader();
  Result<bool> fill();
  Result<bool> fill_plain();
  Result<bool> fill_compressed();

  struct Decoder;
  std::string name_;
  Fd file_;
  std::uint64_t offset_ = 0;  ///< of the next byte to read from the file
  std::unique_ptr<Decoder> decoder_;
  std::string buffer_;
  std::size_t begin_ = 0;    ///< of the next line in the buffer
  std::size_t scanned_ = 0;  ///< no newline before this
  bool skipping_ = false;    ///< in the rest of a line too long, or before the first whole one
  std::uint64_t lines_ = 0;
};

}  // namespace berth::logs
