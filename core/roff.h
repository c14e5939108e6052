#pragma once

#include <string>
#include <string_view>

namespace berth::roff {

/// Text as roff takes it: backslashes and hyphens escaped, no line that begins with a macro's dot.
std::string text(std::string_view plain);

/// An entry of a list of a man page: `left` in bold, `right` below it.
std::string term(std::string_view left, std::string_view right);

}  // namespace berth::roff
