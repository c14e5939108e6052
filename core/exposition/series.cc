#include "core/exposition/series.h"

#include <algorithm>
#include <charconv>

#include <fmt/core.h>

namespace berth::exposition {
namespace {

bool begins_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool goes_on(char c) { return begins_name(c) || (c >= '0' && c <= '9'); }

std::string_view label_at(std::string_view text) {
  if (text.empty() || !begins_name(text.front())) return {};
  return text.substr(0, static_cast<std::size_t>(std::ranges::find_if_not(text, goes_on) - text.begin()));
}

/// `"…"` with `\\`, `\"` and `\n` in it.
bool take_value(std::string_view& text, std::string& value) {
  if (!text.starts_with('"')) return false;
  for (std::size_t at = 1; at < text.size(); ++at) {
    if (text[at] == '"') {
      text.remove_prefix(at + 1);
      return true;
    }
    if (text[at] == '\n') return false;
    if (text[at] != '\\') {
      value += text[at];
      continue;
    }
    if (++at == text.size()) return false;
    if (text[at] == 'n') value += '\n';
    else if (text[at] == '\\' || text[at] == '"') value += text[at];
    else return false;
  }
  return false;
}

}  // namespace

std::string_view without_spaces(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  return first == std::string_view::npos ? std::string_view() : text.substr(first);
}

std::string_view take_word(std::string_view& text) {
  text = without_spaces(text);
  const std::string_view word = text.substr(0, text.find_first_of(" \t"));
  text.remove_prefix(word.size());
  return word;
}

std::optional<double> number_of(std::string_view word) {
  if (word.starts_with('+')) {
    word.remove_prefix(1);
    if (word.starts_with('-')) return {};
  }
  double value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size()) return {};
  return value;
}

std::string_view name_at(std::string_view text) {
  const auto in_name = [](char c) { return goes_on(c) || c == ':'; };
  if (text.empty() || (!begins_name(text.front()) && text.front() != ':')) return {};
  return text.substr(0, static_cast<std::size_t>(std::ranges::find_if_not(text, in_name) - text.begin()));
}

Result<Series> take_series(std::string_view& text) {
  const std::string_view whole = text;
  const auto expected = [&](std::string_view what) { return fail(Errc::protocol, fmt::format("expected {} at byte {}", what, whole.size() - text.size())); };
  Series series{.name = name_at(text), .labels = {}};
  if (series.name.empty()) return expected("a metric's name");
  text.remove_prefix(series.name.size());
  if (const auto rest = without_spaces(text); !rest.starts_with('{')) return series;
  else text = rest.substr(1);
  for (;;) {
    text = without_spaces(text);
    if (text.starts_with('}')) break;
    const std::string_view label = label_at(text);
    if (label.empty()) return expected("a label's name or '}'");
    text = without_spaces(text.substr(label.size()));
    if (!text.starts_with('=')) return expected("'='");
    text = without_spaces(text.substr(1));
    std::string value;
    if (!take_value(text, value)) return expected("a value in double quotes");
    if (!series.labels.emplace(label, std::move(value)).second) return expected("a label that was not there before");
    if (series.labels.size() > kMostLabels || whole.size() - text.size() > kLongestSeries) return expected("fewer or shorter labels");
    text = without_spaces(text);
    if (text.starts_with(',')) text.remove_prefix(1);
    else if (!text.starts_with('}')) return expected("',' or '}'");
  }
  text.remove_prefix(1);
  return series;
}

}  // namespace berth::exposition
