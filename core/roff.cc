#include "core/roff.h"

#include <fmt/core.h>

namespace berth::roff {

std::string text(std::string_view plain) {
  std::string safe;
  for (const char c : plain) {
    if (c == '\\') {
      safe += "\\e";
    } else if (c == '-') {
      safe += "\\-";
    } else if ((c == '.' || c == '\'') && (safe.empty() || safe.back() == '\n')) {
      safe += "\\&";
      safe += c;
    } else {
      safe += c;
    }
  }
  return safe;
}

std::string term(std::string_view left, std::string_view right) { return fmt::format(".TP\n\\fB{}\\fR\n{}\n", text(left), text(right)); }

}  // namespace berth::roff
