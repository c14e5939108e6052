#pragma once

#include <bitset>
#include <string_view>
#include <vector>

namespace berth::publish {

/// One segment of a pattern of `.gitignore`, as git's own wildmatch reads it: `*`, `?`, `[…]` with ranges, `!` or `^` in front and classes such as
/// `[:digit:]`; a backslash makes of the next character what it is, also within brackets. One that ends with a backslash, or has a bracket that is not
/// closed, matches nothing.
class SegmentPattern {
 public:
  explicit SegmentPattern(std::string_view pattern);

  /// Whether it is `**`, which stands for any number of segments.
  bool is_any_depth() const { return is_any_depth_; }
  /// Takes time in proportion to the product of the lengths at most.
  bool matches(std::string_view segment) const;

 private:
  struct Piece {
    bool is_run = false;        ///< any characters
    std::bitset<256> one = {};  ///< else one of these
  };

  std::vector<Piece> pieces_;
  bool is_any_depth_ = false;
  bool is_valid_ = true;
};

/// The segments of a pattern, cut at each `/`, in front of which a backslash changes nothing.
std::vector<SegmentPattern> segments_of(std::string_view pattern);

}  // namespace berth::publish
