#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace berth::patch {

/// Where the suffixes of `text` begin, in the order of their bytes. Takes linear time, and five bytes of memory for each byte of `text`, which has fewer
/// than 2^31.
std::vector<std::int32_t> suffix_array(std::string_view text);

/// A place in a text, and how many bytes are equal from there on.
struct Match {
  std::int32_t position = 0;
  std::int32_t length = 0;
};

/// The longest beginning of `wanted` that is anywhere in `text`, whose suffix array is `suffixes`.
Match longest_match(std::string_view text, const std::vector<std::int32_t>& suffixes, std::string_view wanted);

}  // namespace berth::patch
