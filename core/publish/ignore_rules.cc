#include "core/publish/ignore_rules.h"

#include <algorithm>
#include <array>
#include <span>

#include "core/files/files.h"

namespace berth::publish {
namespace {

constexpr std::size_t kMostText = 256u << 10;
constexpr std::array<std::string_view, 3> kNeverAtTop{"berth.toml", ".berthignore", "environments"};
constexpr std::array<std::string_view, 4> kNever{".env", ".git", ".hg", ".svn"};

std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> parts;
  for (std::size_t begin = 0; begin <= path.size();) {
    const auto end = std::min(path.find('/', begin), path.size());
    parts.emplace_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

/// `**` stands for any number of segments. `reached[j]`: whether the segments before this one match the first j parts of the path; a table, so that
/// the time is the product of the lengths.
bool segments_match(std::span<const SegmentPattern> segments, const std::vector<std::string_view>& path) {
  std::vector<bool> reached(path.size() + 1, false);
  reached[0] = true;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    std::vector<bool> next(path.size() + 1, false);
    if (segments[i].is_any_depth()) {
      bool so_far = false;
      for (std::size_t j = 0; j <= path.size(); ++j) {
        // At the end it stands for what lies below a folder, not for the folder itself.
        const bool is_last = i + 1 == segments.size();
        if (is_last && j > 0 && so_far) next[j] = true;
        so_far = so_far || reached[j];
        if (!is_last && so_far) next[j] = true;
      }
    } else {
      for (std::size_t j = 0; j < path.size(); ++j) next[j + 1] = reached[j] && segments[i].matches(path[j]);
    }
    reached = std::move(next);
  }
  return reached[path.size()];
}

/// What is blank at the end of a line, but for what a backslash stands in front of.
std::string_view without_blanks_at_the_end(std::string_view line) {
  std::size_t keep = 0;
  for (std::size_t at = 0; at < line.size(); ++at) {
    if (line[at] == '\\') keep = std::min(++at + 1, line.size());
    else if (line[at] != ' ' && line[at] != '\t' && line[at] != '\r') keep = at + 1;
  }
  return line.substr(0, keep);
}

}  // namespace

Result<IgnoreRules> IgnoreRules::of(const std::filesystem::path& folder) {
  const auto text = files::read(folder / ".berthignore", kMostText);
  if (text) return parse(*text);
  if (text.error().code == Errc::not_found) return IgnoreRules();
  return fail(Errc::usage, text.error().message);
}

IgnoreRules IgnoreRules::parse(std::string_view text) {
  IgnoreRules rules;
  for (std::size_t begin = 0; begin < text.size();) {
    const auto end = std::min(text.find('\n', begin), text.size());
    std::string_view line = text.substr(begin, end - begin);
    begin = end + 1;
    line = without_blanks_at_the_end(line);
    if (line.empty() || line.front() == '#') continue;
    Rule rule;
    if (line.front() == '!') {
      rule.takes_back = true;
      line.remove_prefix(1);
    }
    if (line.ends_with('/')) {
      rule.folders_only = true;
      line.remove_suffix(1);
    }
    rule.anywhere = line.find('/') == std::string_view::npos;
    if (line.starts_with('/')) line.remove_prefix(1);
    if (line.empty()) continue;
    rule.segments = segments_of(line);
    rules.rules_.push_back(std::move(rule));
  }
  return rules;
}

bool IgnoreRules::matches(const Rule& rule, const std::vector<std::string_view>& path) {
  return rule.anywhere ? rule.segments.front().matches(path.back()) : segments_match(rule.segments, path);
}

bool IgnoreRules::leaves_out(std::string_view path, bool is_folder) const {
  const auto parts = split(path);
  if (parts.size() == 1 && std::ranges::find(kNeverAtTop, parts.front()) != kNeverAtTop.end()) return true;
  if (std::ranges::find(kNever, parts.back()) != kNever.end()) return true;
  bool left_out = false;
  for (const Rule& rule : rules_)
    if ((is_folder || !rule.folders_only) && matches(rule, parts)) left_out = !rule.takes_back;
  return left_out;
}

}  // namespace berth::publish
