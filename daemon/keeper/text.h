#pragma once

// Small text without the standard library.

#include <stddef.h>
#include <stdint.h>
#include <string.h>

namespace berth::keeper {

/// Appends to a fixed buffer; what does not fit is cut. Always NUL-terminated.
class Text {
 public:
  Text(char* buffer, size_t room) : begin_(buffer), at_(buffer), end_(buffer + room - 1) { *at_ = 0; }
  Text& add(const char* text) { return add(text, strlen(text)); }
  Text& add(const char* text, size_t size) {
    if (size > static_cast<size_t>(end_ - at_)) size = static_cast<size_t>(end_ - at_);
    memcpy(at_, text, size);
    at_ += size;
    *at_ = 0;
    return *this;
  }
  /// `digits`: at least that many, with zeros in front.
  Text& number(uint64_t value, int digits = 1) {
    char reversed[20];
    int n = 0;
    for (; value != 0 || n < digits; value /= 10) reversed[n++] = static_cast<char>('0' + value % 10);
    while (n > 0) add(&reversed[--n], 1);
    return *this;
  }
  const char* c_str() const { return begin_; }
  size_t size() const { return static_cast<size_t>(at_ - begin_); }

 private:
  char *begin_, *at_, *end_;
};

/// The number that `text` is; `otherwise` where it is none.
inline int64_t to_number(const char* text, int64_t otherwise) {
  if (*text == 0) return otherwise;
  const bool negative = *text == '-';
  uint64_t value = 0;
  for (const char* p = text + negative; *p; p++) {
    if (*p < '0' || *p > '9' || value > (uint64_t{1} << 59)) return otherwise;
    value = value * 10 + static_cast<uint64_t>(*p - '0');
  }
  return negative ? -static_cast<int64_t>(value) : static_cast<int64_t>(value);
}

}  // namespace berth::keeper
