#pragma once

#include <string_view>

namespace berth::spec {

/// What is wrong where the first word of a command has spaces in it and is no program, to be put behind that; else empty.
inline std::string_view hint_of_spaces(std::string_view program) {
  return program.find(' ') == std::string_view::npos ? "" : "; it is one word with spaces in it: write each word of a command by itself, as in [\"bin/server\", \"--port\", \"80\"]";
}

}  // namespace berth::spec
