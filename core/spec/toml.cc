#define TOML_IMPLEMENTATION
#include "core/spec/toml.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/core.h>

#include "core/spec/stray_character.h"

namespace berth::spec {
namespace {

constexpr std::size_t kMostText = 1u << 20;

bool is_ascii(char c) { return static_cast<unsigned char>(c) < 0x80; }
bool continues(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }  // a character of UTF-8

/// The text with `~c3a9` in the place of each character that is not ASCII: what is right or wrong in one is so in the other.
std::string in_ascii(std::string_view text) {
  std::string made;
  made.reserve(text.size());
  for (const char c : text) {
    if (is_ascii(c)) made += c;
    else fmt::format_to(std::back_inserter(made), "{}{:02x}", continues(c) ? "" : "~", static_cast<unsigned char>(c));
  }
  return made;
}

/// Where a place of `in_ascii(text)` is in `text`.
toml::source_position in_text(toml::source_position place, std::string_view text) {
  std::size_t at = 0;
  for (toml::source_index line = 1; line < place.line && at < text.size(); ++at)
    if (text[at] == '\n') ++line;
  toml::source_index column = 0;
  for (toml::source_index passed = 0; at < text.size() && text[at] != '\n' && passed < place.column; ++at) {
    passed += is_ascii(text[at]) ? 1 : continues(text[at]) ? 2 : 3;
    if (!continues(text[at])) ++column;
  }
  return {place.line, std::max<toml::source_index>(column, 1)};
}

/// What toml++ says of a text or an array that has no end, in words of whoever wrote it. Else what it says.
std::string_view plain(std::string_view what, toml::source_position place, std::string_view text) {
  std::size_t at = 0;
  for (toml::source_index line = 1; line < place.line && at < text.size(); ++at)
    if (text[at] == '\n') ++line;
  const std::string_view rest = text.substr(at, std::min(text.find('\n', at), text.size()) - at);
  const bool at_the_end = place.column > rest.size();
  const auto says = [what](std::string_view words) { return what.find(words) != std::string_view::npos; };
  if (says("control characters other than") && at_the_end) return "the text is not closed on this line: its last quote is missing";
  if (!says("encountered end-of-file")) return what;
  if (says("parsing array")) return "the list is not closed: its ']' is missing";
  if (says("parsing inline table")) return "the table is not closed: its '}' is missing";
  if (says("string")) return "the text is not closed: its last quote is missing";
  return what;
}

std::unexpected<Error> wrong_at(toml::source_position place, std::string_view file, std::string_view what) {
  const char* advice = what.find("could not determine value type") == std::string_view::npos ? "" : " (a text stands in quotes: \"…\")";
  return fail(Errc::usage, fmt::format("{}:{}:{}: {}{}", file, place.line, place.column, what, advice));
}

}  // namespace

Result<toml::table> parse_toml_text(std::string_view text, std::string_view file) {
  if (text.size() > kMostText) return fail(Errc::usage, fmt::format("{}: is longer than 1 MiB", file));
  if (text.starts_with(kByteOrderMark)) return fail(Errc::usage, fmt::format("{}:1:1: begins with a byte order mark, which is not seen: save the file as UTF-8 without one", file));
  if (const auto stray = stray_character(text)) return fail(Errc::usage, fmt::format("{}:{}:{}: {}", file, stray->line, stray->column, kStrayCharacter));
  // Where a value is none, toml++ reads on to its end, through quotes and what stands in them: so what is wrong is found before it meets other letters.
  if (const std::string ascii = in_ascii(text); ascii != text)
    if (const auto right = toml::parse(ascii, file); !right) {
      const auto place = right.error().source().begin;
      return wrong_at(in_text(place, text), file, plain(right.error().description(), place, ascii));
    }
  auto parsed = toml::parse(text, file);
  if (!parsed) return wrong_at(parsed.error().source().begin, file, plain(parsed.error().description(), parsed.error().source().begin, text));
  return std::move(parsed).table();
}

}  // namespace berth::spec
