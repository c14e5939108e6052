#include "core/patch/suffix_array.h"

#include <algorithm>
#include <cstddef>
#include <numeric>

namespace berth::patch {
namespace {

/// Induced sorting (Nong, Zhang, Chan: Two efficient algorithms for linear time suffix array construction, 2011), without a sentinel: the end of the text
/// counts as smaller than every character. A suffix is "small" (S) when it is smaller than the one after it, else "large" (L); the leftmost of a run of
/// small ones (LMS) are sorted first, and the order of all others follows from theirs.
template <class Character>
class Sorter {
 public:
  Sorter(const Character* text, std::int32_t size, std::int32_t letters, std::int32_t* suffixes)
      : text_(text), size_(size), suffixes_(suffixes), small_(static_cast<std::size_t>(size)), ends_(static_cast<std::size_t>(letters) + 1) {
    for (std::int32_t i = 0; i < size; ++i) ++ends_[letter(i) + 1];
    std::partial_sum(ends_.begin(), ends_.end(), ends_.begin());
    for (std::int32_t i = size - 2; i >= 0; --i)
      small_[at(i)] = text[i] < text[i + 1] || (text[i] == text[i + 1] && small_[at(i + 1)] != 0);
    for (std::int32_t i = 1; i < size; ++i)
      if (is_leftmost(i)) leftmost_.push_back(i);
  }

  void sort() {
    induce(leftmost_);
    if (leftmost_.size() < 2) return;
    std::vector<std::int32_t> names(static_cast<std::size_t>(size_) / 2 + 1, -1);  // by half of the place: no two are side by side
    const std::int32_t different = name_pieces(names);
    std::vector<std::int32_t> reduced;
    reduced.reserve(leftmost_.size());
    for (const std::int32_t place : leftmost_) reduced.push_back(names[at(place) / 2]);
    names = {};
    std::vector<std::int32_t> order(reduced.size());
    if (different == static_cast<std::int32_t>(reduced.size())) {
      for (std::size_t i = 0; i < reduced.size(); ++i) order[at(reduced[i])] = static_cast<std::int32_t>(i);
    } else {
      Sorter<std::int32_t>(reduced.data(), static_cast<std::int32_t>(reduced.size()), different, order.data()).sort();
    }
    for (std::int32_t& one : order) one = leftmost_[at(one)];
    induce(order);
  }

 private:
  static std::size_t at(std::int32_t i) { return static_cast<std::size_t>(i); }
  std::size_t letter(std::int32_t i) const { return static_cast<std::size_t>(text_[i]); }
  bool is_leftmost(std::int32_t i) const { return i > 0 && small_[at(i)] != 0 && small_[at(i - 1)] == 0; }

  /// Sorts all suffixes from the leftmost small ones, given in their order (or, the first time, in that of the text, which sorts their pieces).
  void induce(const std::vector<std::int32_t>& leftmost) {
    std::fill_n(suffixes_, size_, -1);
    std::vector<std::int32_t> edge(ends_.begin() + 1, ends_.end());
    for (auto one = leftmost.rbegin(); one != leftmost.rend(); ++one) suffixes_[--edge[letter(*one)]] = *one;

    edge.assign(ends_.begin(), ends_.end() - 1);
    suffixes_[edge[letter(size_ - 1)]++] = size_ - 1;
    for (std::int32_t i = 0; i < size_; ++i) {
      const std::int32_t before = suffixes_[i] - 1;
      if (before >= 0 && small_[at(before)] == 0) suffixes_[edge[letter(before)]++] = before;
    }
    edge.assign(ends_.begin() + 1, ends_.end());
    for (std::int32_t i = size_ - 1; i >= 0; --i) {
      const std::int32_t before = suffixes_[i] - 1;
      if (before >= 0 && small_[at(before)] != 0) suffixes_[--edge[letter(before)]] = before;
    }
  }

  /// Gives the pieces from one leftmost small suffix to the next their ranks, the same to equal ones. Returns how many ranks there are.
  std::int32_t name_pieces(std::vector<std::int32_t>& names) const {
    std::int32_t last = -1, rank = -1;
    for (std::int32_t i = 0; i < size_; ++i) {
      const std::int32_t place = suffixes_[i];
      if (!is_leftmost(place)) continue;
      if (last < 0 || !same_piece(last, place)) ++rank;
      names[at(place) / 2] = rank;
      last = place;
    }
    return rank + 1;
  }

  bool same_piece(std::int32_t a, std::int32_t b) const {
    for (std::int32_t length = 0;; ++length) {
      if (a + length == size_ || b + length == size_) return false;
      if (text_[a + length] != text_[b + length]) return false;
      if (length == 0) continue;
      const bool ends = is_leftmost(a + length);
      if (ends != is_leftmost(b + length)) return false;
      if (ends) return true;
    }
  }

  const Character* text_;
  std::int32_t size_;
  std::int32_t* suffixes_;
  std::vector<char> small_;
  std::vector<std::int32_t> ends_;  ///< of the letter before: where the suffixes begin that start with a letter
  std::vector<std::int32_t> leftmost_;
};

std::int32_t common(std::string_view a, std::string_view b) {
  const std::size_t most = std::min(a.size(), b.size());
  return static_cast<std::int32_t>(std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(most), b.begin()).first - a.begin());
}

}  // namespace

std::vector<std::int32_t> suffix_array(std::string_view text) {
  std::vector<std::int32_t> suffixes(text.size());
  if (text.empty()) return suffixes;
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  Sorter<unsigned char>(bytes, static_cast<std::int32_t>(text.size()), 256, suffixes.data()).sort();
  return suffixes;
}

Match longest_match(std::string_view text, const std::vector<std::int32_t>& suffixes, std::string_view wanted) {
  if (suffixes.empty()) return {};
  // Between two suffixes, of which the first is not greater than what is wanted, and the second is: one of them has the most in common with it.
  std::size_t low = 0, high = suffixes.size();
  std::int32_t low_common = 0, high_common = 0;
  Match best;
  const auto look = [&](std::size_t which, std::int32_t known) {
    const std::string_view suffix = text.substr(static_cast<std::size_t>(suffixes[which]));
    const auto skipped = static_cast<std::size_t>(known);
    const std::int32_t length = known + common(suffix.substr(skipped), wanted.substr(skipped));
    if (length > best.length) best = {suffixes[which], length};
    return length;
  };
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    const std::int32_t length = look(middle, std::min(low_common, high_common));
    if (static_cast<std::size_t>(length) == wanted.size()) return best;
    const std::size_t end = static_cast<std::size_t>(suffixes[middle]) + static_cast<std::size_t>(length);
    const bool smaller = end == text.size() || static_cast<unsigned char>(text[end]) < static_cast<unsigned char>(wanted[static_cast<std::size_t>(length)]);
    if (smaller) {
      low = middle + 1;
      low_common = length;
    } else {
      high = middle;
      high_common = length;
    }
  }
  return best;
}

}  // namespace berth::patch
