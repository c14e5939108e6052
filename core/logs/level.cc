#include "core/logs/level.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cctype>
#include <string>

#include <fmt/core.h>

namespace berth::logs {
namespace {

constexpr std::size_t kMostLooked = 16u << 10;  ///< bytes of a JSON line
constexpr std::size_t kMostPrefix = 96;         ///< bytes in which a word that tells the level begins
constexpr int kMostWords = 8;                   ///< of those

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string lower(std::string_view text) {
  std::string made(text);
  std::ranges::transform(made, made.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return made;
}

/// 10, 20, … to 100 as bunyan and pino count; 0 to 7 as syslog and GELF do.
std::optional<Level> level_numbered(std::string_view digits) {
  int number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size() || number < 0) return {};
  constexpr Level kSyslog[] = {Level::critical, Level::critical, Level::critical, Level::error, Level::warning, Level::notice, Level::info, Level::debug};
  if (number < 8) return kSyslog[number];
  if (number < 10 || number > 100) return {};
  return number < 20 ? Level::trace : number < 30 ? Level::debug : number < 40 ? Level::info : number < 50 ? Level::warning
         : number < 60 ? Level::error : Level::critical;
}

bool tells_level(std::string_view key) {
  constexpr std::string_view kKeys[] = {"level", "severity", "lvl", "loglevel", "log_level", "log.level", "levelname", "severity_text", "@level", "@l", "Level", "LEVEL",
                                        "SeverityText"};
  return std::ranges::find(kKeys, key) != std::end(kKeys);
}

/// The end of a JSON string that begins behind its quote; npos where it has none.
std::size_t end_of_string(std::string_view text, std::size_t at) {
  for (; at < text.size(); ++at) {
    if (text[at] == '\\') ++at;
    else if (text[at] == '"') return at;
  }
  return std::string_view::npos;
}

/// What is said by a value that begins here: a word or a number; empty: it is none, or has no end.
std::string_view said_by(std::string_view value) {
  if (value.empty()) return {};
  if (value.front() != '"') return value.substr(0, value.find_first_not_of("0123456789"));
  const auto end = end_of_string(value, 1);
  return end == std::string_view::npos ? std::string_view() : value.substr(1, end - 1);
}

std::optional<Level> level_said(std::string_view said) { return is_digit(said.empty() ? ' ' : said.front()) ? level_numbered(said) : level_named(said); }

/// The value of the first of these keys that the line has.
std::optional<Level> level_in_logfmt(std::string_view text) {
  text = text.substr(0, 1024);
  constexpr std::array<std::string_view, 3> kKeys = {"level", "lvl", "severity"};
  std::array<std::size_t, kKeys.size()> values{};  // where each begins; 0: it is not there
  for (auto at = text.find('='); at != std::string_view::npos; at = text.find('=', at + 1)) {
    const std::string_view before = text.substr(0, at);
    for (std::size_t key = 0; key < kKeys.size(); ++key) {
      if (values[key] != 0 || !before.ends_with(kKeys[key])) continue;
      const std::string_view rest = before.substr(0, at - kKeys[key].size());
      if (rest.empty() || rest.back() == ' ' || rest.back() == '\t') values[key] = at + 1;
    }
  }
  const auto found = std::ranges::find_if(values, [](std::size_t begin) { return begin != 0; });
  if (found == values.end()) return {};
  std::string_view value = text.substr(*found);
  if (value.starts_with('"')) value.remove_prefix(1);
  return level_named(value.substr(0, value.find_first_of(" \t\"")));
}

/// `E1124 09:00:00.000000 …`, as glog and klog write.
std::optional<Level> level_in_glog(std::string_view text) {
  if (text.size() < 6 || text[5] != ' ' || !std::ranges::all_of(text.substr(1, 4), is_digit)) return {};
  switch (text.front()) {
    case 'I': return Level::info;
    case 'W': return Level::warning;
    case 'E': return Level::error;
    case 'F': return Level::critical;
    default: return {};
  }
}

/// Whether the byte stands between words. A table, since each byte of a line's beginning is looked up.
bool is_between(char c) {
  static constexpr auto kTable = [] {
    std::array<bool, 256> table{};
    for (const char one : std::string_view(" \t[](){}|<>:,;*")) table[static_cast<unsigned char>(one)] = true;
    return table;
  }();
  return kTable[static_cast<unsigned char>(c)];
}

/// Upper case tells a level wherever it stands near the beginning; other words only where they are marked: `[warn]`, `error: …` in front.
std::optional<Level> level_in_words(std::string_view text) {
  const std::string_view prefix = text.substr(0, kMostPrefix);
  std::size_t at = 0;
  for (int word = 0; word < kMostWords; ++word) {
    while (at < prefix.size() && is_between(prefix[at])) ++at;
    if (at == prefix.size()) return {};
    std::size_t end = at;
    while (end < prefix.size() && !is_between(prefix[end])) ++end;
    const std::string_view one = prefix.substr(at, end - at);
    const bool is_upper = std::ranges::all_of(one, [](char c) { return c >= 'A' && c <= 'Z'; });
    const char before = at > 0 ? prefix[at - 1] : ' ', after = end < prefix.size() ? prefix[end] : ' ';
    const bool is_marked = (before == '[' && after == ']') || (before == '<' && after == '>') || (before == '(' && after == ')') || (word == 0 && after == ':');
    if (is_upper || is_marked)
      if (const auto level = level_named(one)) return level;
    if (word == 0 && after == ':' && (one.ends_with("Error") || one.ends_with("Exception"))) return Level::error;
    at = end;
  }
  return {};
}

}  // namespace

std::string_view to_string(Level level) {
  constexpr std::string_view kNames[] = {"trace", "debug", "info", "notice", "warning", "error", "critical"};
  return kNames[static_cast<std::size_t>(level)];
}

std::optional<Level> level_named(std::string_view word) {
  struct Name {
    std::string_view name;
    Level level;
  };
  constexpr Name kNames[] = {{"trace", Level::trace},     {"verbose", Level::trace},      {"finest", Level::trace},      {"finer", Level::trace},
                             {"debug", Level::debug},     {"fine", Level::debug},         {"dbg", Level::debug},         {"info", Level::info},
                             {"information", Level::info}, {"informational", Level::info}, {"inf", Level::info}, {"log", Level::info},         {"notice", Level::notice},     {"warn", Level::warning},
                             {"warning", Level::warning}, {"wrn", Level::warning},        {"err", Level::error},         {"error", Level::error},
                             {"severe", Level::error},    {"crit", Level::critical},      {"critical", Level::critical}, {"fatal", Level::critical},
                             {"alert", Level::critical},  {"emerg", Level::critical},     {"emergency", Level::critical}, {"panic", Level::critical},
                             {"dpanic", Level::critical}};
  if (word.empty() || word.size() > 13) return {};
  const std::string small = lower(word);
  const auto* found = std::ranges::find(kNames, std::string_view(small), &Name::name);
  return found == std::end(kNames) ? std::nullopt : std::optional(found->level);
}

Result<Level> parse_level(std::string_view word) {
  if (const auto level = level_named(word)) return *level;
  return fail(Errc::usage, fmt::format("'{}' is no level; one of trace, debug, info, notice, warning, error, critical", word));
}

// A logger's line is well-formed: of another one whatever is found counts.
std::optional<JsonLevel> level_in_json(std::string_view text) {
  text = text.substr(0, kMostLooked);
  int depth = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') --depth;
    if (c != '"') continue;
    const auto end = end_of_string(text, at + 1);
    if (end == std::string_view::npos) return {};
    const std::string_view key = text.substr(at + 1, end - at - 1);
    at = end;
    auto next = text.find_first_not_of(" \t", end + 1);
    if (depth != 1 || next == std::string_view::npos || text[next] != ':' || !tells_level(key)) continue;
    next = text.find_first_not_of(" \t", next + 1);
    if (next == std::string_view::npos) return {};
    const std::string_view said = said_by(text.substr(next));
    const auto level = level_said(said);
    if (!level) return {};
    return JsonLevel{.key = key, .said = said, .level = *level};
  }
  return {};
}

std::optional<Level> level_of(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  if (text[begin] == '{') {
    const auto found = level_in_json(text.substr(begin));
    return found ? std::optional(found->level) : std::nullopt;
  }
  if (text.size() > 2 && text[0] == '<' && is_digit(text[1]) && text[2] == '>') return level_numbered(text.substr(1, 1));
  if (text.starts_with("Traceback (most recent call last)")) return Level::error;
  if (const auto level = level_in_glog(text)) return level;
  if (const auto level = level_in_logfmt(text)) return level;
  return level_in_words(text);
}

bool continues_line(std::string_view text) {
  return text.starts_with(' ') || text.starts_with('\t') || text.starts_with('}') || text.starts_with(')') || text.starts_with("Caused by: ") ||
         text.starts_with("goroutine ");
}

}  // namespace berth::logs
