#include "core/exposition/merge.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

#include <fmt/core.h>

#include "core/exposition/series.h"

namespace berth::exposition {
namespace {

constexpr std::string_view kExported = "exported_";

std::string_view take_line(std::string_view& page) {
  std::string_view line = page.substr(0, page.find('\n'));
  page.remove_prefix(std::min(page.size(), line.size() + 1));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

/// The word at the head of `text`, which is left with what follows it.
std::string_view next_word(std::string_view& text) {
  text = without_spaces(text);
  const std::string_view word = text.substr(0, text.find_first_of(" \t"));
  text.remove_prefix(word.size());
  return word;
}

bool is_value(std::string_view word) {
  if (word.starts_with('+')) word.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  return !word.empty() && (error == std::errc() || error == std::errc::result_out_of_range) && end == word.data() + word.size();
}

/// Of the text format; what OpenMetrics has beyond it has no type there.
std::string type_of(std::string_view word) {
  for (const std::string_view known : {"counter", "gauge", "histogram", "summary"})
    if (word == known) return std::string(known);
  return "untyped";
}

std::string escaped(std::string_view value) {
  std::string text;
  for (const char c : value) {
    if (c == '\n') text += "\\n";
    else if (c == '\\' || c == '"') (text += '\\') += c;
    else text += c;
  }
  return text;
}

/// `{app="web",…}`: `labels` first, then those of the series, renamed where they clash.
std::string labels_text(const Merger::Labels& labels, const std::map<std::string, std::string>& given) {
  std::set<std::string, std::less<>> taken;
  std::string text;
  const auto put = [&](const std::string& name, const std::string& value) {
    taken.insert(name);
    text += fmt::format("{}{}=\"{}\"", text.empty() ? "{" : ",", name, escaped(value));
  };
  for (const auto& [name, value] : labels) put(name, value);
  for (const auto& [name, value] : given) {
    std::string free = name;
    while (taken.contains(free) || (free != name && given.contains(free))) free.insert(0, kExported);
    put(free, value);
  }
  return text.empty() ? text : text + "}";
}

/// What a page says of its families, and its samples by the family they are of.
struct Page {
  struct About {
    std::string type, help;
  };
  std::map<std::string, About, std::less<>> about;
  std::map<std::string, std::string> lines;  ///< by family
  std::set<std::string> seen;                ///< series with their labels
  std::size_t samples = 0;
};

/// A sample of a histogram or summary is its family's, whatever is behind the name.
std::string family_of(const Page& page, std::string_view name) {
  for (const std::string_view suffix : {"_bucket", "_sum", "_count"}) {
    if (!name.ends_with(suffix)) continue;
    const auto family = page.about.find(name.substr(0, name.size() - suffix.size()));
    if (family == page.about.end()) continue;
    const bool has_parts = family->second.type == "histogram" || (family->second.type == "summary" && suffix != "_bucket");
    if (has_parts) return family->first;
  }
  return std::string(name);
}

void read_comment(Page& page, std::string_view line) {
  line.remove_prefix(1);
  const std::string_view what = next_word(line);
  if (what != "TYPE" && what != "HELP") return;
  const std::string_view name = next_word(line);
  if (name.empty() || name_at(name) != name) return;
  Page::About& about = page.about[std::string(name)];
  if (what == "HELP") about.help = without_spaces(line);
  else about.type = type_of(next_word(line));
}

Result<void> read_sample(Page& page, std::string_view line, const Merger::Labels& labels, const std::map<std::string, bool>& own) {
  BERTH_TRY(const Series series, take_series(line));
  std::string_view rest = line;
  const std::string_view value = next_word(rest), time = next_word(rest);
  if (!is_value(value)) return fail(Errc::protocol, "its value is no number");
  const bool has_time = !time.empty() && !time.starts_with('#');
  if (has_time && !is_value(time)) return fail(Errc::protocol, "behind its value is no timestamp");
  if (own.contains(std::string(series.name))) return fail(Errc::protocol, fmt::format("{} is a name of berth's own", series.name));
  if (++page.samples > Merger::kMostSamples) return fail(Errc::protocol, fmt::format("it has more than {} samples", Merger::kMostSamples));
  const std::string head = std::string(series.name) + labels_text(labels, series.labels);
  if (!page.seen.insert(head).second) return fail(Errc::protocol, fmt::format("{} is there twice", series.name));
  // A timestamp is left out: of the text format it is milliseconds, of OpenMetrics seconds, and Prometheus has a better one.
  page.lines[family_of(page, series.name)] += fmt::format("{} {}\n", head, value);
  return {};
}

}  // namespace

Result<std::size_t> Merger::add(std::string_view text, const Labels& labels) {
  Page page;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::string_view line = without_spaces(take_line(text));
    if (line.empty()) continue;
    if (line.starts_with('#')) {
      read_comment(page, line);
      continue;
    }
    if (auto read = read_sample(page, line, labels, own_); !read) return pass(std::move(read.error()), fmt::format("line {} of its metrics", number));
  }
  for (auto& [name, lines] : page.lines) {
    // OpenMetrics says the type of a counter without the end that its samples have.
    std::string_view about_name = name;
    if (!page.about.contains(name) && name.ends_with("_total")) about_name.remove_suffix(6);
    const auto about = page.about.find(about_name);
    const Page::About said = about == page.about.end() ? Page::About() : about->second;
    const bool is_new = !families_.contains(name);
    Family& family = families_[name];
    if (is_new) family.type = said.type;
    else if (family.type != said.type) family.type.clear();
    if (family.help.empty()) family.help = said.help;
    family.lines += lines;
  }
  return page.samples;
}

void Merger::add_own(const std::string& name, std::string_view help, const Labels& labels, double value) {
  reserve(name);
  Family& family = families_[name];
  family.type = "gauge";
  family.help = help;
  family.lines += fmt::format("{}{} {}\n", name, labels_text(labels, {}), value);
}

std::string Merger::text() const {
  std::string text;
  for (const auto& [name, family] : families_) {
    if (!family.help.empty()) text += fmt::format("# HELP {} {}\n", name, family.help);
    text += fmt::format("# TYPE {} {}\n", name, family.type.empty() ? "untyped" : family.type);
    text += family.lines;
  }
  return text;
}

}  // namespace berth::exposition
