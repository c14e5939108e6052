#include "daemon/ship/sinks/severity.h"

#include <algorithm>
#include <utility>

namespace berth::ship {
namespace {

constexpr std::size_t kFront = 128;  ///< bytes of a line in which its level is looked for
constexpr int kWords = 8;

constexpr std::string_view kSeverityNames[] = {"emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"};

constexpr std::pair<std::string_view, Severity> kLevelNames[] = {
    {"emergency", Severity::emergency}, {"emerg", Severity::emergency}, {"alert", Severity::alert},      {"critical", Severity::critical},
    {"crit", Severity::critical},       {"fatal", Severity::critical},  {"panic", Severity::critical},   {"dpanic", Severity::critical},
    {"error", Severity::error},         {"err", Severity::error},       {"eror", Severity::error},       {"severe", Severity::error},
    {"warning", Severity::warning},     {"warn", Severity::warning},    {"wrn", Severity::warning},      {"notice", Severity::notice},
    {"info", Severity::info},           {"inf", Severity::info},        {"information", Severity::info}, {"informational", Severity::info},
    {"log", Severity::info},            {"debug", Severity::debug},     {"dbg", Severity::debug},        {"trace", Severity::debug},
    {"verbose", Severity::debug},       {"fine", Severity::debug},      {"finer", Severity::debug},      {"finest", Severity::debug}};
constexpr std::size_t kLongestLevel = std::string_view("informational").size();

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_capital(char c) { return c >= 'A' && c <= 'Z'; }

/// glog's `E0610 12:00:00.000000`.
std::optional<Severity> glog_severity(std::string_view line) {
  if (line.size() < 6 || line[5] != ' ' || !std::ranges::all_of(line.substr(1, 4), is_digit)) return {};
  switch (line[0]) {
    case 'I': return Severity::info;
    case 'W': return Severity::warning;
    case 'E': return Severity::error;
    case 'F': return Severity::critical;
    default: return {};
  }
}

/// `level=error`, `lvl="warn"`.
std::optional<Severity> named_in_field(std::string_view word) {
  for (const std::string_view key : {"level=", "lvl=", "severity=", "loglevel="}) {
    if (!word.starts_with(key)) continue;
    word.remove_prefix(key.size());
    if (word.starts_with('"')) word.remove_prefix(1);
    return severity_named(word.substr(0, word.find_first_of("\",;")));
  }
  return {};
}

/// A word in capitals anywhere; in any case where brackets, or a colon after the first word, say what it is.
std::optional<Severity> named_by_word(std::string_view word, bool first) {
  const bool in_brackets = word.starts_with('[') || word.starts_with('<') || word.starts_with('(');
  if (in_brackets) word.remove_prefix(1);
  const auto end = word.find_first_of("]>):,|/");
  const bool says = (in_brackets && end != std::string_view::npos) || (first && end != std::string_view::npos && word[end] == ':');
  word = word.substr(0, end);
  if (!says && !std::ranges::all_of(word, is_capital)) return {};
  return severity_named(word);
}

}  // namespace

std::string_view to_string(Severity severity) { return kSeverityNames[static_cast<std::size_t>(severity)]; }

std::optional<Severity> severity_named(std::string_view name) {
  if (name.empty() || name.size() > kLongestLevel) return {};
  for (const auto& [known, severity] : kLevelNames)
    if (std::ranges::equal(known, name, {}, {}, lower)) return severity;
  return {};
}

GuessedSeverity guess_severity(std::string_view line) {
  if (line.size() >= 3 && line[0] == '<' && line[1] >= '0' && line[1] <= '7' && line[2] == '>')
    return {.severity = static_cast<Severity>(line[1] - '0'), .prefix = 3};
  if (const auto severity = glog_severity(line)) return {.severity = severity};
  std::string_view rest = line.substr(0, kFront);
  for (int words = 0; words < kWords && !rest.empty();) {
    const auto end = rest.find_first_of(" \t");
    const std::string_view word = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (word.empty()) continue;
    if (const auto severity = named_in_field(word)) return {.severity = severity};
    if (const auto severity = named_by_word(word, words == 0)) return {.severity = severity};
    ++words;
  }
  return {};
}

}  // namespace berth::ship
