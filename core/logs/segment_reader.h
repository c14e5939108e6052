#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/files/fd.h"
#include "core/logs/line_search.h"
#include "core/logs/log_layout.h"
#include "core/result.h"

namespace berth::logs {

/// Reads one segment line by line, in bounded memory. A plain segment may grow meanwhile.
class SegmentReader {
 public:
  /// The longest line that is read; the rest of a longer one is left out.
  static constexpr std::size_t kMostLine = 256u << 10;
  /// How much of a segment is read at once, unless the caller says otherwise.
  static constexpr std::size_t kBlock = 256u << 10;

  /// Opens it at `offset`, a byte of its text, as it is or was before it was compressed; in the middle of a line, reading begins with the
  /// next one. A segment that was compressed since it was listed is found under its new name. `lines_before`: how many lines there are before; they are counted where
  /// it is not said, which reads all of them. `block`: how much is read at once, for whoever has many open and little memory.
  static Result<SegmentReader> open(const Segment& segment, std::uint64_t offset = 0, std::optional<std::uint64_t> lines_before = {}, std::size_t block = kBlock);
  ~SegmentReader();
  SegmentReader(SegmentReader&&) noexcept;
  SegmentReader& operator=(SegmentReader&&) noexcept;

  /// The next whole line without its newline, valid until the next call. Empty at the present end.
  /// `Errc::protocol` when a compressed segment is damaged.
  Result<std::optional<std::string_view>> next_line();

  /// The same, but for lines that `search` rules out, which are only counted. Not for lines that may end a piece before them.
  Result<std::optional<std::string_view>> next_line(const LineSearch& search);

  /// How many lines of the segment came before the next one.
  std::uint64_t lines() const { return lines_; }
  std::uint64_t size() const;  ///< bytes of the file now
  /// Where the line that was read last begins, and where the next one does: bytes of the segment's text, as `open` takes them.
  std::uint64_t line_offset() const { return line_offset_; }
  std::uint64_t next_offset() const { return next_offset_; }
  /// Whether a plain segment has less than the lines that were read of it: somebody cut it off.
  bool is_cut() const { return !decoder_ && size() < next_offset_; }
  /// Whether its file was removed; it may be there compressed, or be another one.
  bool is_removed() const;

 private:
  SegmentReader();
  Result<bool> fill();
  bool search_buffer(const LineSearch& search);
  Result<bool> fill_plain();
  Result<bool> fill_compressed();
  Result<bool> read_input();
  Result<std::size_t> have_frame();
  Result<bool> take_frame();
  Result<bool> take_some();

  struct Decoder;
  std::string name_;
  Fd file_;
  std::size_t block_ = kBlock;
  std::uint64_t offset_ = 0;  ///< of the next byte to read from the file
  std::unique_ptr<Decoder> decoder_;
  std::string buffer_;
  std::size_t begin_ = 0;    ///< of the next line in the buffer
  std::size_t scanned_ = 0;  ///< no newline before this
  std::vector<SearchedLine> found_;  ///< by a search: lines of the buffer
  std::size_t next_found_ = 0;
  std::size_t searched_ = 0;         ///< the end in the buffer of what was
  std::uint64_t searched_lines_ = 0;
  bool skipping_ = false;    ///< in the rest of a line too long, or before the first whole one
  std::uint64_t lines_ = 0;
  std::uint64_t buffer_offset_ = 0;  ///< of the buffer's first byte in the text
  std::uint64_t unwanted_ = 0;       ///< bytes of a compressed segment's text before where reading begins
  bool counts_ = false;              ///< the lines in them
  std::uint64_t line_offset_ = 0, next_offset_ = 0;
};

/// Tells a segment from another one of its name, also after it was compressed: a number that its first line gives. Never 0.
std::uint64_t mark_of_line(std::string_view first_line);
/// The same of a segment; 0 where it has no line yet. Fails as `SegmentReader::open` does.
Result<std::uint64_t> mark_of(const Segment& segment);

}  // namespace berth::logs
