#include "core/logs/line_search.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <utility>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace berth::logs {
namespace {

constexpr std::size_t kNone = std::string_view::npos;

/// How common a byte is in logs, roughly: the lower, the fewer false trails it lays.
int commonness(unsigned char c) {
  constexpr std::string_view kLetters = "etaoinsrlcdhumpgfbwyvkxqjz";  // the most common first
  if (c == ' ') return 100;
  if (c >= '0' && c <= '9') return 80;
  if (const auto rank = kLetters.find(static_cast<char>(c)); rank != kNone) return 90 - static_cast<int>(rank) * 2;
  if (std::string_view(".:-\"=/,TZF").find(static_cast<char>(c)) != kNone) return 70;
  if (c >= 'A' && c <= 'Z') return 30;
  return c < 0x80 ? 25 : 20;
}

/// `TIME stdout F…` as keepers write it: a stamp of 30 bytes, and whole. Lines of any other form are looked at one by one.
bool is_plain(std::string_view line) {
  return line.size() >= 39 && line[38] == 'F' && line[37] == ' ' && line[30] == ' ' && line[29] == 'Z' && line[19] == '.';
}

#ifdef __SSE2__

constexpr std::size_t kStep = 16;

__m128i load(const char* at) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at)); }
unsigned equal(__m128i a, __m128i b) { return static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(a, b))); }

/// Calls `take(offset)` for each newline in `text`, in order.
template <class Take>
void each_newline(std::string_view text, Take take) {
  const __m128i newline = _mm_set1_epi8('\n');
  std::size_t at = 0;
  for (; at + 2 * kStep <= text.size(); at += 2 * kStep) {
    std::uint32_t found = equal(load(text.data() + at), newline) | equal(load(text.data() + at + kStep), newline) << kStep;
    for (; found != 0; found &= found - 1) take(at + static_cast<std::size_t>(std::countr_zero(found)));
  }
  for (; at < text.size(); ++at)
    if (text[at] == '\n') take(at);
}

#else

template <class Take>
void each_newline(std::string_view text, Take take) {
  for (std::size_t at = text.find('\n'); at != kNone; at = text.find('\n', at + 1)) take(at);
}

#endif

}  // namespace

std::uint64_t count_newlines(std::string_view text) {
  std::uint64_t count = 0;
  each_newline(text, [&](std::size_t) { ++count; });
  return count;
}

TextFinder::TextFinder(std::string text) : text_(std::move(text)) {
  const auto rarest = [this](std::size_t but) {
    std::size_t best = but == 0 ? 1 : 0;
    for (std::size_t i = 0; i < text_.size(); ++i)
      if (i != but && commonness(static_cast<unsigned char>(text_[i])) < commonness(static_cast<unsigned char>(text_[best]))) best = i;
    return best;
  };
  if (text_.size() < 2) return;
  one_ = rarest(text_.size());
  other_ = rarest(one_);
  if (other_ < one_) std::swap(one_, other_);
}

std::size_t TextFinder::find(std::string_view bytes, std::size_t from) const {
  if (from >= bytes.size() || bytes.size() - from < text_.size()) return kNone;
  const char* const begin = bytes.data();
  const char* at = begin + from;
  const char* const end = begin + bytes.size();
#ifdef __SSE2__
  if (text_.size() >= 2) {
    // 16 places at once: those that have both bytes where the text has them are compared whole.
    const __m128i one = _mm_set1_epi8(text_[one_]), other = _mm_set1_epi8(text_[other_]);
    for (const std::size_t reach = text_.size() + kStep; static_cast<std::size_t>(end - at) >= reach; at += kStep) {
      unsigned found = equal(load(at + one_), one) & equal(load(at + other_), other);
      for (; found != 0; found &= found - 1) {
        const char* candidate = at + std::countr_zero(found);
        if (std::memcmp(candidate, text_.data(), text_.size()) == 0) return static_cast<std::size_t>(candidate - begin);
      }
    }
  }
#endif
  const void* found = ::memmem(at, static_cast<std::size_t>(end - at), text_.data(), text_.size());
  return found == nullptr ? kNone : static_cast<std::size_t>(static_cast<const char*>(found) - begin);
}

std::uint64_t LineSearch::search(std::string_view lines, std::vector<SearchedLine>& found) const {
  std::uint64_t count = 0;
  std::size_t begin = 0, hit = finder_.find(lines);
  each_newline(lines, [&](std::size_t end) {
    const bool has_text = hit < end;
    if (has_text || !is_plain(lines.substr(begin, end - begin))) found.push_back({begin, count});
    if (has_text) hit = finder_.find(lines, end + 1);
    begin = end + 1;
    ++count;
  });
  return count;
}

}  // namespace berth::logs
