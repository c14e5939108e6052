#include "core/bundle/checks.h"

#include <algorithm>
#include <cstddef>

namespace berth::bundle {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }

/// As `pattern`, where 0 stands for any digit.
bool is_like(std::string_view text, std::string_view pattern) {
  return std::ranges::equal(text, pattern, [](char c, char wanted) { return wanted == '0' ? is_digit(c) : c == wanted; });
}

}  // namespace

bool is_sha256(std::string_view text) {
  constexpr std::size_t kDigits = 64;
  if (text.size() != kDigits) return false;
  unsigned good = 0;  // an index has thousands of them: all digits are looked at without a branch
  for (const char digit : text) good += static_cast<unsigned>(is_digit(digit)) | (static_cast<unsigned>(digit >= 'a') & static_cast<unsigned>(digit <= 'f'));
  return good == kDigits;
}

bool is_time(std::string_view text) { return is_like(text, "0000-00-00T00:00:00Z"); }

bool is_version(std::string_view text) {
  int parts = 0;
  while (parts < 3) {
    const std::size_t end = std::min(text.find('.'), text.size());
    const std::string_view part = text.substr(0, end);
    if (part.empty() || part.size() > 6 || !std::ranges::all_of(part, is_digit)) return false;
    ++parts;
    if (end == text.size()) break;
    text.remove_prefix(end + 1);
    if (parts == 3) return false;
  }
  return parts == 3;
}

bool is_platform(std::string_view text) {
  if (text == "any") return true;
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos || slash == 0 || slash + 1 == text.size() || text.size() > 64) return false;
  const auto good = [](char c) { return is_lower(c) || is_digit(c) || c == '_' || c == '-'; };
  return std::ranges::all_of(text.substr(0, slash), good) && std::ranges::all_of(text.substr(slash + 1), good);
}

bool is_line(std::string_view text, std::size_t most) {
  return text.size() <= most && std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

}  // namespace berth::bundle
