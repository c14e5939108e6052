#include "daemon/ship/sinks/line_text.h"

#include <cstdint>
#include <cstring>

#include <fmt/core.h>

#include "core/utf8.h"

namespace berth::ship {
namespace {

constexpr char kEscape = '\x1b';

bool is_between(char c, unsigned char lowest, unsigned char highest) {
  return static_cast<unsigned char>(c) >= lowest && static_cast<unsigned char>(c) <= highest;
}

std::size_t pass_over(std::string_view text, std::size_t at, unsigned char lowest, unsigned char highest) {
  while (at < text.size() && is_between(text[at], lowest, highest)) ++at;
  return at;
}

/// The length of the sequence at the front of `text`, which begins with ESC; 0 where it is none, or not finished.
std::size_t ansi_length(std::string_view text) {
  if (text.size() < 2) return 0;
  if (text[1] == '[') {
    const std::size_t at = pass_over(text, pass_over(text, 2, 0x30, 0x3f), 0x20, 0x2f);
    return at < text.size() && is_between(text[at], 0x40, 0x7e) ? at + 1 : 0;
  }
  if (std::string_view("]PX^_").find(text[1]) != std::string_view::npos) {  // a command string, such as a window's title
    const auto end = text.find_first_of("\x07\x1b\n", 2);
    if (end == std::string_view::npos || text[end] == '\n') return 0;
    if (text[end] == '\x07') return end + 1;
    return end + 1 < text.size() && text[end + 1] == '\\' ? end + 2 : 0;
  }
  const std::size_t at = pass_over(text, 1, 0x20, 0x2f);
  return at < text.size() && is_between(text[at], 0x30, 0x7e) ? at + 1 : 0;
}

/// How many bytes of ASCII `text` begins with.
std::size_t ascii_length(std::string_view text) {
  std::size_t at = 0;
  for (std::uint64_t eight = 0; at + sizeof eight <= text.size(); at += sizeof eight) {
    std::memcpy(&eight, text.data() + at, sizeof eight);
    if ((eight & 0x8080808080808080u) != 0) break;
  }
  while (at < text.size() && static_cast<unsigned char>(text[at]) < 0x80) ++at;
  return at;
}

}  // namespace

std::string without_ansi(std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  while (true) {
    const auto escape = text.find(kEscape);
    plain += text.substr(0, escape);
    if (escape == std::string_view::npos) return plain;
    text.remove_prefix(escape);
    const std::size_t length = ansi_length(text);
    if (length == 0) plain += kEscape;
    text.remove_prefix(length == 0 ? 1 : length);
  }
}

std::string escape_bytes(std::string text) {
  std::string escaped;
  std::size_t begin = 0;  // of what is not in `escaped` yet
  for (std::size_t at = ascii_length(text); at < text.size(); at += ascii_length(std::string_view(text).substr(at))) {
    const std::size_t length = first_code_point(std::string_view(text).substr(at)).length;
    if (length == 0) {
      escaped += fmt::format("{}\\x{:02X}", std::string_view(text).substr(begin, at - begin), static_cast<unsigned char>(text[at]));
      begin = at + 1;
    }
    at += length == 0 ? 1 : length;
  }
  if (begin == 0) return text;
  return escaped + text.substr(begin);
}

std::string_view cut_text(std::string_view text, std::size_t most) {
  if (text.size() <= most) return text;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0) == 0x80) --most;
  return text.substr(0, most);
}

void append_json(std::string& out, std::string_view text) {
  const auto is_plain = [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\'; };
  out += '"';
  while (true) {
    std::size_t plain = 0;
    while (plain < text.size() && is_plain(text[plain])) ++plain;
    out.append(text, 0, plain);
    if (plain == text.size()) break;
    switch (const char c = text[plain]) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default: out += fmt::format("\\u{:04x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    }
    text.remove_prefix(plain + 1);
  }
  out += '"';
}

}  // namespace berth::ship
