#include "core/publish/ignore_pattern.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <string>
#include <utility>

namespace berth::publish {
namespace {

using Set = std::bitset<256>;

constexpr std::pair<std::string_view, int (*)(int)> kClasses[] = {
    {"alnum", std::isalnum}, {"alpha", std::isalpha}, {"blank", std::isblank}, {"cntrl", std::iscntrl}, {"digit", std::isdigit}, {"graph", std::isgraph},
    {"lower", std::islower}, {"print", std::isprint}, {"punct", std::ispunct}, {"space", std::isspace}, {"upper", std::isupper}, {"xdigit", std::isxdigit}};

unsigned char byte(char c) { return static_cast<unsigned char>(c); }

Set only(char c) { return Set().set(byte(c)); }

/// Reads what stands between brackets. `at`: after the opening one; behind the closing one afterwards. Nothing where it is not closed, or names no class.
class SetReader {
 public:
  SetReader(std::string_view pattern, std::size_t& at) : pattern_(pattern), at_(at) {}

  std::optional<Set> read() {
    const bool negated = at_ < pattern_.size() && (pattern_[at_] == '!' || pattern_[at_] == '^');
    if (negated) ++at_;
    for (bool first = true; at_ < pattern_.size(); first = false) {
      if (pattern_[at_] == ']' && !first) {
        ++at_;
        return negated ? ~set_ : set_;
      }
      if (!read_item()) return std::nullopt;
    }
    return std::nullopt;
  }

 private:
  /// A character, escaped or not.
  std::optional<char> read_character() {
    if (pattern_[at_] == '\\' && ++at_ >= pattern_.size()) return std::nullopt;
    return pattern_[at_++];
  }

  bool read_item() {
    if (pattern_.substr(at_).starts_with("[:")) {
      const auto end = pattern_.find(']', at_ + 2);
      if (end == std::string_view::npos) return false;
      if (end > at_ + 2 && pattern_[end - 1] == ':') return read_class(end);
    }
    const bool is_range = pattern_[at_] == '-' && before_ && at_ + 1 < pattern_.size() && pattern_[at_ + 1] != ']';
    if (is_range) ++at_;
    const auto character = read_character();
    if (!character) return false;
    const int last = byte(*character);
    for (int c = is_range ? byte(*before_) : last; c <= last; ++c) set_.set(static_cast<std::size_t>(c));
    before_ = is_range ? std::nullopt : character;
    return true;
  }

  bool read_class(std::size_t end) {
    const std::string_view name = pattern_.substr(at_ + 2, end - 1 - (at_ + 2));
    const auto* const found = std::ranges::find(kClasses, name, [](const auto& one) { return one.first; });
    if (found == std::end(kClasses)) return false;
    for (int c = 0; c < 128; ++c)
      if (found->second(c) != 0) set_.set(static_cast<std::size_t>(c));
    at_ = end + 1;
    before_.reset();
    return true;
  }

  std::string_view pattern_;
  std::size_t& at_;
  Set set_;
  std::optional<char> before_;  ///< what a `-` is a range from
};

}  // namespace

SegmentPattern::SegmentPattern(std::string_view pattern) : is_any_depth_(pattern == "**") {
  for (std::size_t at = 0; at < pattern.size() && is_valid_;) {
    const char c = pattern[at++];
    if (c == '*') {
      pieces_.push_back({.is_run = true});
    } else if (c == '?') {
      pieces_.push_back({.one = Set().set()});
    } else if (c == '[') {
      const auto set = SetReader(pattern, at).read();
      if (set) pieces_.push_back({.one = *set});
      else is_valid_ = false;
    } else if (c == '\\' && at == pattern.size()) {
      is_valid_ = false;
    } else {
      pieces_.push_back({.one = only(c == '\\' ? pattern[at++] : c)});
    }
  }
}

/// It is enough to go back to the last `*`: what earlier ones took cannot help a later one.
bool SegmentPattern::matches(std::string_view segment) const {
  if (!is_valid_) return false;
  std::size_t p = 0, t = 0;
  std::optional<std::size_t> after_star;
  std::size_t star_takes_to = 0;
  while (t < segment.size()) {
    if (p < pieces_.size() && pieces_[p].is_run) {
      after_star = ++p;
      star_takes_to = t;
    } else if (p < pieces_.size() && pieces_[p].one.test(byte(segment[t]))) {
      ++p;
      ++t;
    } else if (after_star) {
      p = *after_star;
      t = ++star_takes_to;
    } else {
      return false;
    }
  }
  while (p < pieces_.size() && pieces_[p].is_run) ++p;
  return p == pieces_.size();
}

std::vector<SegmentPattern> segments_of(std::string_view pattern) {
  std::vector<SegmentPattern> segments;
  std::string segment;
  for (std::size_t at = 0; at < pattern.size(); ++at) {
    if (pattern[at] == '/') {
      segments.emplace_back(segment);
      segment.clear();
      continue;
    }
    const bool escapes = pattern[at] == '\\' && at + 1 < pattern.size();
    if (escapes && pattern[at + 1] == '/') continue;
    segment += pattern[at];
    if (escapes) segment += pattern[++at];
  }
  segments.emplace_back(segment);
  return segments;
}

}  // namespace berth::publish
