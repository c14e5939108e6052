#include "core/patch/suffix_array.h"

#include <algorithm>
#include <numeric>
#include <random>
#include <string>

#include <gtest/gtest.h>

namespace berth::patch {
namespace {

std::vector<std::int32_t> slowly(std::string_view text) {
  std::vector<std::int32_t> all(text.size());
  std::iota(all.begin(), all.end(), 0);
  std::ranges::sort(all, {}, [&](std::int32_t i) { return text.substr(static_cast<std::size_t>(i)); });
  return all;
}

TEST(SuffixArray, IsInTheOrderOfTheSuffixes) {
  for (const std::string text : {"", "a", "aa", "ab", "ba", "banana", "mississippi", "abababab", "\xff\x01\xff\x01", "aabaabaabaab"}) EXPECT_EQ(suffix_array(text), slowly(text)) << text;
  std::mt19937 random(7);
  for (const int letters : {1, 2, 3, 256})
    for (int size = 1; size < 300; size += 7) {
      std::string text(static_cast<std::size_t>(size), '\0');
      for (char& c : text) c = static_cast<char>(random() % static_cast<unsigned>(letters));
      ASSERT_EQ(suffix_array(text), slowly(text)) << letters << ' ' << size;
    }
}

TEST(SuffixArray, FindsTheLongestMatch) {
  const std::string text = "the quick brown fox and the quiet one";
  const auto suffixes = suffix_array(text);
  const auto match = longest_match(text, suffixes, "the quicker");
  EXPECT_EQ(match.position, 0);
  EXPECT_EQ(match.length, 9);
  EXPECT_EQ(longest_match(text, suffixes, "XYZ").length, 0);
  EXPECT_EQ(longest_match(text, suffixes, text).length, static_cast<std::int32_t>(text.size()));
  EXPECT_EQ(longest_match(text, suffixes, "").length, 0);
  EXPECT_EQ(longest_match("", {}, "x").length, 0);
}

}  // namespace
}  // namespace berth::patch
