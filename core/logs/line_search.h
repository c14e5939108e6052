#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace berth::logs {

/// Finds a text in bytes at the speed of memory.
class TextFinder {
 public:
  /// `text` is not empty.
  explicit TextFinder(std::string text);

  /// Where it is first found from `from` on; npos where it is not.
  std::size_t find(std::string_view bytes, std::size_t from = 0) const;
  const std::string& text() const { return text_; }

 private:
  std::string text_;
  std::size_t one_ = 0, other_ = 0;  ///< the places of two of its bytes that logs seldom have
};

std::uint64_t count_newlines(std::string_view text);

/// A line that a search does not rule out.
struct SearchedLine {
  std::size_t offset = 0;    ///< of its first byte in what was searched
  std::uint64_t before = 0;  ///< lines in front of it
};

/// Tells which lines of a CRI log may be, or be part of, what an app wrote as one line with a text in it, without parsing the others.
class LineSearch {
 public:
  /// `text`: not empty, without a newline.
  explicit LineSearch(std::string text) : finder_(std::move(text)) {}

  /// Adds those of `lines`, which are whole and end in a newline: lines that have the text anywhere, and lines of another form than a keeper's
  /// whole ones, pieces among them. Returns how many lines there are.
  std::uint64_t search(std::string_view lines, std::vector<SearchedLine>& found) const;

 private:
  TextFinder finder_;
};

}  // namespace berth::logs
