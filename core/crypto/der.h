#pragma once

#include <string>
#include <string_view>

namespace berth::crypto {

inline constexpr int kSequence = 0x30;  ///< the tag of a SEQUENCE

/// Reads DER (X.690) from front to end: first its items of one level, each of which may be read by a reader of its own. After the first
/// item that is not as asked for, everything is empty.
class DerReader {
 public:
  /// `der` must outlive what is taken.
  explicit DerReader(std::string_view der);

  /// The content of the next item, whose tag must be `tag`.
  std::string_view take(int tag);
  int take_integer();
  bool next_is(int tag) const { return right_ && at_ < end_ && *at_ == tag; }
  bool at_end() const { return right_ && at_ == end_; }
  /// Whether everything so far was as asked for.
  bool right() const { return right_; }

 private:
  unsigned char* at_;
  unsigned char* end_;
  bool right_ = true;
};

/// An item of DER.
std::string der_item(int tag, std::string_view content);
/// A number from 0.
std::string der_integer(int number);

}  // namespace berth::crypto
