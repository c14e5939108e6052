#include <algorithm>

#include "core/io/http_text.h"

namespace berth::io {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// What stands before the first `separator`, which is removed from `text` with it.
std::string_view take_until(std::string_view& text, char separator) {
  const auto end = text.find(separator);
  const std::string_view taken = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return taken;
}

Result<void> check_path(std::string_view path) {
  if (std::ranges::any_of(path, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }))
    return fail(Errc::protocol, "the path has a control character");
  while (!path.empty()) {
    const auto segment = take_until(path, '/');
    if (segment == "." || segment == "..") return fail(Errc::protocol, "the path has a segment '.' or '..'");
  }
  return {};
}

Result<std::map<std::string, std::string>> parse_query(std::string_view text) {
  std::map<std::string, std::string> query;
  while (!text.empty()) {
    std::string_view value = take_until(text, '&');
    if (value.empty()) continue;
    const auto key = percent_decode(take_until(value, '='));
    const auto decoded = percent_decode(value);
    if (!key || !decoded) return fail(Errc::protocol, "the query has a malformed percent-escape");
    if (!query.emplace(*key, *decoded).second) return fail(Errc::protocol, "the query has a key twice");
  }
  return query;
}

}  // namespace

std::string percent_encode(std::string_view text) {
  constexpr std::string_view kPlain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-~";
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string encoded;
  encoded.reserve(text.size());
  for (const char c : text) {
    if (kPlain.find(c) != std::string_view::npos) {
      encoded += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    encoded += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return encoded;
}

std::optional<std::string> percent_decode(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
    if (high < 0 || low < 0) return std::nullopt;
    decoded += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return decoded;
}

bool is_host(std::string_view text) {
  const auto of = [](char c, std::string_view others) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || others.find(c) != std::string_view::npos;
  };
  const bool bracketed = text.starts_with('[');
  const auto end = bracketed ? text.find(']') : std::min(text.find(':'), text.size());
  if (end == std::string_view::npos) return false;
  const std::string_view name = text.substr(bracketed ? 1 : 0, bracketed ? end - 1 : end);
  std::string_view port = text.substr(bracketed ? end + 1 : end);
  if (!port.empty() && port.front() != ':') return false;
  if (!port.empty()) port.remove_prefix(1);
  const std::string_view others = bracketed ? ":." : "-._~%!$&'()*+;=";
  return std::ranges::all_of(name, [&](char c) { return of(c, others); }) && std::ranges::all_of(port, [](char c) { return c >= '0' && c <= '9'; });
}

Result<Target> parse_target(std::string_view target) {
  Target parsed;
  if (target.starts_with("http://") || target.starts_with("https://")) {  // RFC 9112, 3.2.2: a server takes the absolute form, and its host counts
    target.remove_prefix(target.find("://") + 3);
    const auto end = target.find_first_of("/?");
    parsed.host = target.substr(0, end);
    target.remove_prefix(std::min(end, target.size()));
    if (parsed.host.empty()) return fail(Errc::protocol, "the target has no host");
    if (target.empty()) target = "/";
  }
  const std::string_view said = take_until(target, '?');
  if (said.find("%2f") != std::string_view::npos || said.find("%2F") != std::string_view::npos)
    return fail(Errc::protocol, "the path has a slash in hex, which is no part of a name here, and to whoever looks at paths on the way none between two");
  const auto path = percent_decode(said);
  if (!path) return fail(Errc::protocol, "the path has a malformed percent-escape");
  if (!path->starts_with('/')) return fail(Errc::protocol, "the target is not a path");
  BERTH_CHECK(check_path(*path));
  parsed.path = *path;
  BERTH_TRY(parsed.query, parse_query(take_until(target, '#')));
  return parsed;
}

}  // namespace berth::io
