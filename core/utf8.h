#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace berth {

/// One code point at the beginning of a text; `length` is 0 where the text does not begin with well-formed UTF-8.
struct CodePoint {
  char32_t value = 0;
  std::size_t length = 0;  ///< bytes
};

/// Reads the first code point of `text`, which is not empty. Overlong forms and surrogates are not UTF-8.
CodePoint first_code_point(std::string_view text);

/// `text` with bytes that are not UTF-8 replaced by U+FFFD, for JSON.
std::string as_utf8(std::string_view text);

}  // namespace berth
