#include "core/exposition/merge.h"

#include <algorithm>
#include <cmath>
#include <set>

#include <fmt/core.h>

#include "core/exposition/series.h"
#include "core/utf8.h"

namespace berth::exposition {
namespace {

constexpr std::string_view kExported = "exported_";
constexpr std::size_t kAboutFamily = 32;  ///< bytes of its HELP and TYPE without its names and its text

std::string_view take_line(std::string_view& page) {
  std::string_view line = page.substr(0, page.find('\n'));
  page.remove_prefix(std::min(page.size(), line.size() + 1));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

/// A number as every reader of the format takes it: what is not finite has many spellings.
std::string value_text(std::string_view word, double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return std::string(word);
}

/// Whether a reader of the whole page would take `line` at all.
bool is_text(std::string_view line) {
  while (!line.empty()) {
    const CodePoint point = first_code_point(line);
    if (point.length == 0 || point.value == 0) return false;
    line.remove_prefix(point.length);
  }
  return true;
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
  std::size_t bytes = 0;                     ///< of all lines
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

Result<void> check_name(std::string_view name) {
  if (!name.starts_with(Merger::kOwn)) return {};
  return fail(Errc::protocol, fmt::format("{} is a name of berth's own, as all that begin with {}", name.substr(0, 100), Merger::kOwn));
}

Result<void> read_comment(Page& page, std::string_view line) {
  line.remove_prefix(1);
  const std::string_view what = take_word(line);
  if (what != "TYPE" && what != "HELP") return {};
  const std::string_view name = take_word(line);
  if (name.empty() || name_at(name) != name) return {};
  BERTH_CHECK(check_name(name));
  Page::About& about = page.about[std::string(name)];
  if (what == "HELP") about.help = without_spaces(line);
  else about.type = type_of(take_word(line));
  return {};
}

Result<void> read_sample(Page& page, std::string_view line, const Merger::Labels& labels) {
  BERTH_TRY(const Series series, take_series(line));
  std::string_view rest = line;
  const std::string_view word = take_word(rest), time = take_word(rest);
  const auto value = number_of(word);
  if (!value) return fail(Errc::protocol, "its value is no number");
  const bool has_time = !time.empty() && !time.starts_with('#');
  if (has_time && !number_of(time)) return fail(Errc::protocol, "behind its value is no timestamp");
  BERTH_CHECK(check_name(series.name));
  const auto hidden = std::ranges::find_if(series.labels, [](const auto& label) { return label.first.starts_with("__"); });
  if (hidden != series.labels.end())
    return fail(Errc::protocol, fmt::format("label {} begins with __, as those that Prometheus keeps for itself", hidden->first.substr(0, 100)));
  if (++page.samples > Merger::kMostSamples) return fail(Errc::protocol, fmt::format("it has more than {} samples", Merger::kMostSamples));
  const std::string head = std::string(series.name) + labels_text(labels, series.labels);
  if (!page.seen.insert(head).second) return fail(Errc::protocol, fmt::format("{} is there twice", series.name));
  // A timestamp is left out: of the text format it is milliseconds, of OpenMetrics seconds, and Prometheus has a better one.
  const std::string sample = fmt::format("{} {}\n", head, value_text(word, *value));
  page.bytes += sample.size();
  page.lines[family_of(page, series.name)] += sample;
  return {};
}

}  // namespace

Result<std::size_t> Merger::add(std::string_view text, const Labels& labels) {
  Page page;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::string_view line = without_spaces(take_line(text));
    if (line.empty()) continue;
    auto read = is_text(line) ? Result<void>() : fail(Errc::protocol, "it is not UTF-8, or has a NUL");
    if (read) read = line.starts_with('#') ? read_comment(page, line) : read_sample(page, line, labels);
    if (!read) return pass(std::move(read.error()), fmt::format("line {} of its metrics", number));
  }
  for (const auto& [name, lines] : page.lines) page.bytes += 2 * name.size() + kAboutFamily;
  for (const auto& [name, about] : page.about) page.bytes += about.help.size();
  if (page.bytes > kMostBytes - bytes_) return fail(Errc::protocol, fmt::format("with it the metrics of all would have more than {} MiB", kMostBytes >> 20));
  bytes_ += page.bytes;
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
