#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace berth::ship {

/// Without the escape sequences of terminals (ECMA-48): colours, cursor moves, titles. An unfinished one at the end stays.
std::string without_ansi(std::string_view text);

/// `text` with each byte that is not part of well-formed UTF-8 as `\xNN`, so that nothing is lost.
std::string escape_bytes(std::string text);

/// At most `most` bytes from the front of `text`, which is UTF-8, without taking a character apart.
std::string_view cut_text(std::string_view text, std::size_t most);

/// Appends `text`, which is UTF-8, as a string of JSON with its quotes.
void append_json(std::string& out, std::string_view text);

}  // namespace berth::ship
