#include "core/trust/glob.h"

#include <optional>

namespace berth::trust {
namespace {

/// What a `[…]` at the start of `pattern` says of `c`; nothing where the bracket is not closed and stands for itself.
struct Bracket {
  std::size_t length;
  bool matches;
};

std::optional<Bracket> match_bracket(std::string_view pattern, char c) {
  std::size_t at = 1;
  const bool negated = at < pattern.size() && (pattern[at] == '!' || pattern[at] == '^');
  if (negated) ++at;
  bool found = false;
  for (const std::size_t first = at; at < pattern.size(); ++at) {
    if (pattern[at] == ']' && at > first) return Bracket{at + 1, found != negated};
    const auto low = static_cast<unsigned char>(pattern[at]);
    auto high = low;
    if (at + 2 < pattern.size() && pattern[at + 1] == '-' && pattern[at + 2] != ']') {
      at += 2;
      high = static_cast<unsigned char>(pattern[at]);
    }
    const auto wanted = static_cast<unsigned char>(c);
    found = found || (low <= wanted && wanted <= high);
  }
  return std::nullopt;
}

/// How many characters of `pattern` match the one character `c`; 0 where they do not.
std::size_t match_one(std::string_view pattern, char c) {
  if (pattern.empty()) return 0;
  if (pattern[0] == '?') return 1;
  if (pattern[0] == '[') {
    if (const auto bracket = match_bracket(pattern, c)) return bracket->matches ? bracket->length : 0;
  }
  return pattern[0] == c ? 1 : 0;
}

/// One path segment. It is enough to go back to the last `*`: what earlier ones took cannot help a later one.
bool matches_segment(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t after_star = std::string_view::npos;
  std::size_t star_takes_to = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      after_star = ++p;
      star_takes_to = t;
    } else if (const auto used = match_one(pattern.substr(p), text[t]); used > 0) {
      p += used;
      ++t;
    } else if (after_star != std::string_view::npos) {
      p = after_star;
      t = ++star_takes_to;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

/// Cuts the part up to the first `/` off the front of `rest`; `rest` has no value after the last part.
std::string_view next_segment(std::optional<std::string_view>& rest) {
  const auto slash = rest->find('/');
  const auto segment = rest->substr(0, slash);
  if (slash == std::string_view::npos) {
    rest.reset();
  } else {
    rest->remove_prefix(slash + 1);
  }
  return segment;
}

}  // namespace

bool matches_glob(std::string_view pattern, std::string_view name) {
  std::optional<std::string_view> patterns = pattern;
  std::optional<std::string_view> names = name;
  while (patterns && names)
    if (!matches_segment(next_segment(patterns), next_segment(names))) return false;
  return !patterns && !names;
}

}  // namespace berth::trust
