#include "cli/output/charset.h"

#include <algorithm>
#include <cstdlib>

#include <fmt/core.h>
#include <langinfo.h>
#include <locale.h>
#include <unistd.h>

#include "core/utf8.h"

namespace berth::cli {
namespace {

/// The form in ASCII of what berth itself prints; nothing of what others do.
std::string_view form_of(char32_t c) {
  switch (c) {
    case 0x2026: return "...";
    case 0x2192: return "->";
    case 0xD7: return "x";
    default: return {};
  }
}

/// What the environment names, such as "en_US.UTF-8"; the first that says something counts.
std::string_view named_locale() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"})
    if (const char* value = std::getenv(name); value != nullptr && *value != '\0') return value;
  return {};
}

bool says_utf8(std::string_view codeset) { return codeset == "UTF-8" || codeset == "utf-8" || codeset == "utf8" || codeset == "UTF8"; }

}  // namespace

bool locale_has_utf8() {
  // Not the locale of the process: regular expressions and the like mean the same everywhere.
  const locale_t locale = ::newlocale(LC_CTYPE_MASK, "", nullptr);
  if (locale != nullptr) {
    const bool has = says_utf8(::nl_langinfo_l(CODESET, locale));
    ::freelocale(locale);
    return has;
  }
  // One that this system does not have: a terminal elsewhere, which ssh told of, is what its name says.
  const std::string_view name = named_locale();
  const auto dot = name.find('.');
  return dot != std::string_view::npos && says_utf8(name.substr(dot + 1, name.find('@', dot) - dot - 1));
}

bool is_ascii_terminal(int fd) { return ::isatty(fd) == 1 && !locale_has_utf8(); }

std::string in_ascii(std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  while (!text.empty()) {
    const CodePoint point = first_code_point(text);
    if (point.length <= 1) plain += point.length == 1 ? std::string(1, text.front()) : fmt::format("\\x{:02x}", static_cast<unsigned char>(text.front()));
    else if (const auto form = form_of(point.value); !form.empty()) plain += form;
    else plain += point.value > 0xFFFF ? fmt::format("\\U{:08x}", static_cast<unsigned>(point.value)) : fmt::format("\\u{:04x}", static_cast<unsigned>(point.value));
    text.remove_prefix(std::max<std::size_t>(point.length, 1));
  }
  return plain;
}

bool stdout_is_ascii() {
  static const bool is_so = is_ascii_terminal(STDOUT_FILENO);
  return is_so;
}

bool put(std::FILE* stream, std::string_view text) {
  const auto is_ascii = [](char c) { return static_cast<unsigned char>(c) < 0x80; };
  if (!std::ranges::all_of(text, is_ascii) && is_ascii_terminal(::fileno(stream))) {
    const std::string plain = in_ascii(text);
    return std::fwrite(plain.data(), 1, plain.size(), stream) == plain.size();
  }
  return std::fwrite(text.data(), 1, text.size(), stream) == text.size();
}

}  // namespace berth::cli
